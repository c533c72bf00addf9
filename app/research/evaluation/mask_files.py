"""Read masks from NIfTI files and DICOM SEG objects.

A NIfTI file holds labels; a SEG holds numbered segments, whose names say which structure each is.
This module finds no files (``pairing``) and changes no grid (``grids``).
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Literal

import highdicom as hd
import numpy as np
from pydicom.errors import InvalidDicomError

from app.research.evaluation.label_schemes import require_known
from app.research.evaluation.naming import names_beside, names_in_labels
from app.research.evaluation.segment_names import segment_name
from operators.anatomy.codes import STRUCTURES
from operators.anatomy.labels import (
    DISC_OFFSET,
    ENDPLATE_OFFSET,
    SACRUM_INSTANCE,
    VERTEBRA_INSTANCES,
    Structure,
)
from operators.errors import UnreadableInputError
from operators.imaging.nifti import read_label_map
from operators.imaging.volume import LabelMap

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MaskKind = Literal["semantic", "instances"]

_SEMANTIC_ONLY = {int(s) for s in Structure} - {SACRUM_INSTANCE, int(Structure.DISC)}
_OWNERS = {*VERTEBRA_INSTANCES, SACRUM_INSTANCE}
_KNOWN: dict[MaskKind, frozenset[int]] = {
    # 40 whole vertebra, 58, 59 halves of a disc, 63, 64 ribs: of SPINEPS's models of other images.
    "semantic": frozenset({int(s) for s in Structure} | {40, 58, 59, 63, 64}),
    # 27 coccyx, 29-33 S2-S6 (TPTBox).
    "instances": frozenset(
        {n + offset for n in _OWNERS for offset in (0, DISC_OFFSET, ENDPLATE_OFFSET)}
        | {27, *range(29, 34)}
    ),
}
"""Numbers that a map of our own scheme may hold; one more, and it is of another scheme."""
_SCHEMES: dict[MaskKind, str] = {
    "semantic": "SPINEPS, structures",
    "instances": "SPINEPS, vertebra X, disc 100 + X, endplates 200 + X",
}
_STRUCTURE_OF_NAME = {terms.name: int(label) for label, terms in STRUCTURES.items()}
_OFFSET_OF_FIRST_WORD = {"vertebra": 0, "disc": DISC_OFFSET, "endplates": ENDPLATE_OFFSET}
_NUMBERED = re.compile(r"(?:|disc below |endplates of )vertebra (\d+)(?: \(.+\))?")
"""Labels that name the vertebra they belong to (`operators.anatomy.vertebrae.ordinal_text`)."""


def read_mask(path: Path, kind: MaskKind | None = None) -> LabelMap:
    """Read a label map.

    Parameters
    ----------
    path : Path
        ``.nii``, ``.nii.gz``, ``.mha`` or a DICOM SEG (``.dcm``).
    kind : {"semantic", "instances"} or None
        What the segments of a SEG are; not needed for NIfTI.

    Returns
    -------
    LabelMap
        On its own grid. The instances of a SEG have the numbers in their segments' labels, which
        are those of the mask; labels without a number of their own take the lowest free ones in
        the order of the segments: vertebrae 1, 2, ..., discs from 101, endplates from 201.

    Raises
    ------
    UnreadableInputError
        If the file cannot be read or its segments are none of ours (``unknown_segments``).
    """
    if path.suffix == ".dcm":
        return _read_segmentation(path, kind)
    return _read_metaimage(path) if path.suffix == ".mha" else read_label_map(path)


def kind_of(labels_zyx: NDArray[np.integer]) -> MaskKind | None:
    """Tell a semantic from an instance map by its labels.

    Parameters
    ----------
    labels_zyx : ndarray of int
        Label map.

    Returns
    -------
    {"semantic", "instances"} or None
        None where the labels leave it open: an empty map, or nothing but discs (100) and sacrum.

    Raises
    ------
    UnreadableInputError
        If labels of both meanings occur (``mixed_labels``), or others (``foreign_labels``).

    Examples
    --------
    >>> kind_of(np.array([0, 49, 100])), kind_of(np.array([0, 20, 120]))
    ('semantic', 'instances')
    """
    is_semantic, is_instances = _present(labels_zyx)
    if is_semantic and is_instances:
        raise UnreadableInputError(
            "the mask holds labels of semantic and of instance maps, or those of another scheme "
            "(then say which: --labels, --reference-labels)",
            reasons=("mixed_labels",),
        )
    kind: MaskKind | None = "instances" if is_instances else None
    if is_semantic:
        kind = "semantic"
    if kind is not None:
        _require_own(labels_zyx, kind)
    return kind


def _require_own(labels_zyx: NDArray[np.integer], kind: MaskKind) -> None:
    require_known(set(np.unique(labels_zyx).tolist()), _KNOWN[kind], _SCHEMES[kind])


def require_kind(labels: LabelMap, kind: MaskKind) -> LabelMap:
    """Refuse a map whose labels belong to the other kind than its name: swapped files score 0.

    Parameters
    ----------
    labels : LabelMap
        As read.
    kind : {"semantic", "instances"}
        What the file's name says.

    Returns
    -------
    LabelMap
        The same; empty maps may be anything.

    Raises
    ------
    UnreadableInputError
        ``other_kind``; ``foreign_labels`` where the map holds numbers of another scheme.
    """
    present = _present(labels.labels_zyx)
    own, other = (present, present[::-1])[kind == "instances"]
    if other and not own:
        names = {"semantic": "seg-spine", "instances": "seg-vert"}
        raise UnreadableInputError(
            f"a mask named {names[kind]} ({kind}) holds the labels of the other kind; are the two "
            "files of the case swapped?",
            reasons=("other_kind",),
        )
    _require_own(labels.labels_zyx, kind)
    return labels


def _present(labels_zyx: NDArray[np.integer]) -> tuple[bool, bool]:
    """Whether labels occur that only semantic, and only instance maps have."""
    present = set(np.unique(labels_zyx).tolist())
    return (
        bool(present & _SEMANTIC_ONLY),
        bool(present & VERTEBRA_INSTANCES) or max(present, default=0) > DISC_OFFSET,
    )


def read_segments(path: Path) -> tuple[LabelMap, dict[int, str]]:
    """Read segment numbers on the frames' own grid, and what the segments are called.

    Parameters
    ----------
    path : Path
        DICOM SEG without overlaps.

    Returns
    -------
    tuple of LabelMap, dict
        Segment number per voxel, and number to name (`segment_names.segment_name`).

    Raises
    ------
    UnreadableInputError
        If the file is no such object (``unreadable_segmentation``).
    """
    try:
        seg = hd.seg.segread(path)
        volume = seg.get_volume(combine_segments=True)
    except (OSError, InvalidDicomError, ValueError, RuntimeError, AttributeError) as error:
        raise UnreadableInputError(
            "the file is not a readable DICOM segmentation", reasons=("unreadable_segmentation",)
        ) from error
    names = {int(d.SegmentNumber): segment_name(d) for d in seg.SegmentSequence}
    array = np.asarray(volume.array, np.uint16)
    return LabelMap(array, np.asarray(volume.affine, float)), names


def read_names(path: Path) -> dict[int, str]:
    """Read the level names of a mask's vertebrae: from a SEG, or from beside a NIfTI mask.

    Parameters
    ----------
    path : Path
        Instance mask.

    Returns
    -------
    dict of int to str
        By label; empty where nothing is named.

    Raises
    ------
    UnreadableInputError
        As `read_segments`.
    """
    return names_in_labels(read_segments(path)[1]) if path.suffix == ".dcm" else names_beside(path)


def _read_metaimage(path: Path) -> LabelMap:
    # Not at the top: SimpleITK takes a moment, and only SPIDER's masks need it.
    from operators.imaging.metaimage import read_metaimage  # noqa: PLC0415

    volume = read_metaimage(path, np.uint16)
    return LabelMap(volume.voxels_zyx.astype(np.uint16), volume.affine_lps)


def _read_segmentation(path: Path, kind: MaskKind | None) -> LabelMap:
    numbers, names = read_segments(path)
    table = np.zeros(max(names, default=0) + 1, np.uint16)
    labels = _structures(names) if kind == "semantic" else _instances(names)
    table[list(labels)] = list(labels.values())
    if names and not table[list(names)].all():
        raise UnreadableInputError(
            "the segmentation holds segments with unknown names", reasons=("unknown_segments",)
        )
    return numbers.with_labels(table[numbers.labels_zyx])


def _structures(names: dict[int, str]) -> dict[int, int]:
    """Structure of each segment whose name is known."""
    return {n: _STRUCTURE_OF_NAME[name] for n, name in names.items() if name in _STRUCTURE_OF_NAME}


def _instances(names: dict[int, str]) -> dict[int, int]:
    """Instance label of each segment whose name is known."""
    labels, others = {}, {}
    for number, name in names.items():
        offset = _OFFSET_OF_FIRST_WORD.get(name.split(" ")[0])
        if name.lower() == "sacrum":
            labels[number] = SACRUM_INSTANCE
        elif offset is not None and (own := _NUMBERED.fullmatch(name)):
            labels[number] = offset + int(own[1])
        elif offset is not None:
            others[number] = offset
    for number, offset in others.items():
        taken = set(labels.values())
        labels[number] = next(n for n in count(offset + 1) if n not in taken)
    return labels
