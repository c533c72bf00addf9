"""Find one centre per vertebral body; divide bodies that the network ran together.

Vertebral bodies and discs must alternate from top to bottom. Where two neighbours are of the same
kind, either they lie side by side (one structure in two pieces) or a body is missing because it
grew together with the next one: then the body that is far too big is divided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_erosion, generate_binary_structure

from operators.anatomy.labels import Structure
from operators.errors import CorpusNotSeparableError, NoSpineFoundError
from operators.imaging.components import components
from operators.imaging.cropping import bounding_box
from operators.spine.body_division import lower_body_of
from operators.spine.label_statistics import HEIGHT_AXIS, Centre, centres_of, is_one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.components import Components
    from operators.imaging.volume import LabelMap

BODY_EROSION_VOXELS = 2
"""Worn off the bodies before they are counted, so that touching ones part (SPINEPS)."""

SAME_HEIGHT_MM = 7.5
"""Two neighbours of one kind closer than this on I are pieces of one (SPINEPS: 10 x 0.75 mm)."""

NEIGHBOURS_EACH_WAY = 5
"""Entries of the column looked at when judging a body's size (SPINEPS)."""

FEWEST_BODIES_TO_JUDGE = 4
"""With fewer bodies in sight no mean size is trusted (SPINEPS: more than 3)."""

MERGED_VOLUME_RATIO = 1.5
"""A body above this multiple of its neighbours' mean volume holds two (SPINEPS)."""


@dataclass(frozen=True, slots=True)
class CorpusCentres:
    """Where the vertebral bodies are.

    Attributes
    ----------
    centres_zyx : tuple of (k, j, i)
        In voxels, from the lowest to the highest body.
    warnings : tuple of str
        What could not be done, as ``name: detail``.
    """

    centres_zyx: tuple[Centre, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """One disc or body of the column; volume in voxels."""

    height: float
    is_disc: bool
    volume: int
    label: int


def find_corpus_centres(labels: LabelMap, *, smallest_body_voxels: int) -> CorpusCentres:
    """Find the centre of every vertebral body.

    Parameters
    ----------
    labels : LabelMap
        Semantic labels in PIR orientation, on the grid of the instance model.
    smallest_body_voxels : int
        Smaller eroded bodies are ignored.

    Returns
    -------
    CorpusCentres
        At least one centre.

    Raises
    ------
    NoSpineFoundError
        If no body is left (``no_vertebral_body``).

    Notes
    -----
    Models with label 50 (inside of the body) give their centres from it, uneroded. A dens (51)
    takes its place by height; SPINEPS puts it beside the lowest vertebra.
    """
    semantic = labels.labels_zyx
    bodies = components(_body_cores(semantic, smallest_body_voxels), 26)
    if bodies.count == 0:
        raise NoSpineFoundError(reasons=("no_vertebral_body",))
    column = components(is_one_of(semantic, (Structure.DISC, Structure.ENDPLATE)), 26)
    same_height = SAME_HEIGHT_MM / labels.spacing_zyx_mm[HEIGHT_AXIS]
    too_big = _merged_bodies(_entries(column, bodies), same_height) if column.count else []
    divided, warnings = _divide(bodies, too_big)
    centres = list(centres_of(divided).values())
    dens = components(semantic == Structure.DENS, 26) if (semantic == 50).any() else None  # noqa: PLR2004
    if dens is not None:
        centres += [(float(k), float(j), float(i)) for k, j, i in dens.centres_zyx]
    ordered = sorted(centres, key=lambda centre: (centre[HEIGHT_AXIS], centre))
    return CorpusCentres(tuple(reversed(ordered)), tuple(warnings))


def _body_cores(
    semantic: NDArray[np.unsignedinteger], smallest_body_voxels: int
) -> NDArray[np.bool_]:
    dense = semantic == Structure.CORPUS_DENSE
    if dense.any():
        return np.asarray(dense)
    cores = np.zeros(semantic.shape, np.bool_)
    box = bounding_box(semantic == Structure.CORPUS)
    if box is None:
        return cores
    faces_and_edges = generate_binary_structure(3, 2)
    body = semantic[box] == Structure.CORPUS
    worn = binary_erosion(body, faces_and_edges, iterations=BODY_EROSION_VOXELS)
    found = components(worn, 6)
    big = np.array([False, *(n >= smallest_body_voxels for n in found.voxel_counts)])
    cores[box] = big[found.labels_zyx]
    return cores


def _entries(discs: Components, bodies: Components) -> list[_Entry]:
    """Discs and bodies from top to bottom."""
    entries = [
        _Entry(float(found.centres_zyx[n][HEIGHT_AXIS]), is_disc, found.voxel_counts[n], n + 1)
        for found, is_disc in ((discs, True), (bodies, False))
        for n in range(found.count)
    ]
    return sorted(entries, key=lambda entry: entry.height)


def _merged_bodies(entries: list[_Entry], same_height_voxels: float) -> list[int]:
    """Labels of the bodies to divide, one for every break of the alternation."""
    column = list(entries)
    merged = []
    for entry in entries:
        index = column.index(entry)
        if index + 1 == len(column) or column[index + 1].is_disc != entry.is_disc:
            continue
        if column[index + 1].height - entry.height < same_height_voxels:
            column.pop(index)
            continue
        label = _too_big(column, index)
        if label is not None:
            merged.append(label)
    return merged


def _too_big(column: list[_Entry], index: int) -> int | None:
    first = max(index - NEIGHBOURS_EACH_WAY, 0)
    around = column[first:index] + column[index + 1 : index + 1 + NEIGHBOURS_EACH_WAY]
    bodies = [entry for entry in around if not entry.is_disc]
    if len(bodies) < FEWEST_BODIES_TO_JUDGE:
        return None
    biggest = max(bodies, key=lambda entry: entry.volume)
    others = sum(entry.volume for entry in bodies) - biggest.volume
    is_merged = biggest.volume * (len(bodies) - 1) > MERGED_VOLUME_RATIO * others
    return biggest.label if is_merged else None


def _divide(bodies: Components, labels: list[int]) -> tuple[NDArray[np.unsignedinteger], list[str]]:
    divided = bodies.labels_zyx
    warnings = []
    highest = bodies.count
    for label in labels:
        try:
            lower = lower_body_of(divided == label)
        except CorpusNotSeparableError as error:
            warnings.append(f"merged_vertebral_bodies_not_separated: {', '.join(error.reasons)}")
            continue
        highest += 1
        divided = np.where(lower, np.uint32(highest), divided)
    return divided, warnings
