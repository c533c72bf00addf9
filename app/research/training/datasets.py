"""Import annotated images: a BIDS folder with SPINEPS masks, or the SPIDER collection.

Every image goes through what inference does to it (shift, N4, scaling), is turned to P, I, R and
resampled to the network's grid; the result is a `Case` like a synthetic one.

SPIDER (van der Graaf et al. 2024, doi 10.1038/s41597-024-03090-w) marks whole vertebrae (1-25,
counted from the bottom; 101-125 where only part of one is in the image), the canal (100) and the
discs (201-225). Its vertebrae say nothing about 41-49, its canal nothing about the cord, and its
background may hold sacrum and endplates: these become the sets of
`app.research.training.supervision`, which the loss reads as "one of these". It cannot train phase
2, whose input are the vertebra's parts.

A mask that lies elsewhere than its image would teach "background", so every image is looked at
before anything is trained, and all that cannot be used are named at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import numpy as np

from app.research.training.annotations import (
    count_from_top,
    is_annotated,
    known_labels,
    require_inside,
    require_numbered,
    require_structures,
    spider_labels,
)
from app.research.training.cases import Case, store
from app.research.training.dataset_layouts import find_annotated, images_of
from app.research.training.supervision import UNKNOWN
from operators.anatomy.labels import VERTEBRA_PARTS
from operators.errors import SpineError, UnreadableInputError
from operators.imaging.cropping import bounding_box, pad
from operators.imaging.intensity import prepare
from operators.imaging.metaimage import read_metaimage
from operators.imaging.nifti import read_label_map, read_volume
from operators.imaging.orientation import reorient
from operators.imaging.resampling import resample_labels_to_grid, resample_to_spacing
from operators.imaging.volume import LabelMap, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from app.research.training.dataset_layouts import Annotated, Kind

_PIR: Final = ("P", "I", "R")
_NAMED: Final = 5
"""Unusable images that an error names; more are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """How images become cases.

    Attributes
    ----------
    spacing_rip_mm : tuple of 3 floats
        Grid of the network.
    correct_bias : bool
        Prepare the image as inference does (N4 included); else only resample it.
    margin_mm : float or None
        Crop to the annotated box and so much around it; None = keep the whole image.
    border_voxels : tuple of 3 int
        Black voxels around a prepared image along (P, I, R), as the model's configuration will say
        (`operators.networks.inference_config`).
    """

    spacing_rip_mm: tuple[float, float, float]
    correct_bias: bool = True
    margin_mm: float | None = None
    border_voxels: tuple[int, int, int] = (4, 4, 4)


@dataclass(frozen=True, slots=True)
class ImportListener:
    """Who is told: ``progress`` (done, in all) and ``note`` (what was odd about an image)."""

    progress: Callable[[int, int], None] = lambda _done, _total: None
    note: Callable[[str], None] = lambda _text: None


def import_dataset(
    folder: Path,
    kind: Kind,
    cases: Path,
    settings: ImportSettings,
    listener: ImportListener | None = None,
) -> list[str]:
    """Turn a data set into cases; what has been made before from the same files is kept.

    Parameters
    ----------
    folder : Path
        Of the data set.
    kind : {"bids", "spider"}
        Its layout.
    cases : Path
        Receives ``<name>.<stamp>.npz``; the stamp stands for the files and settings behind it.
    settings : ImportSettings
        Grid and preparation.
    listener : ImportListener or None
        Told how far it is, of images without a mask and of labels that the scheme doesn't have.

    Returns
    -------
    list of str
        File names of the cases.

    Raises
    ------
    UnreadableInputError
        If images cannot be used, with the names of the first and the reasons of all: unreadable,
        mask beside its image (``mask_elsewhere``), nothing annotated (``no_known_labels``), the two
        masks swapped (``other_kind``), vertebra numbers beside the bodies (``numbers_elsewhere``).
    """
    listener = listener or ImportListener()
    found = find_annotated(folder, kind)
    without = len(images_of(folder, kind)) - len(found)
    if without:
        listener.note(f"{without} T2w images have no mask and are left out")
    names: list[str] = []
    refused: dict[str, SpineError] = {}
    for number, entry in enumerate(found, start=1):
        names.append(f"{entry.name}.{_stamp(entry, kind, settings)}.npz")
        path = cases / names[-1]
        if not path.exists():
            try:
                case, odd = read_case(entry, kind, settings)
            except SpineError as error:
                refused[entry.name] = error
            else:
                store(case, path)
                if odd:
                    listener.note(
                        f"{entry.name}: labels {odd} are not of the SPINEPS scheme: not trained on"
                    )
        listener.progress(number, len(found))
    if refused:
        raise _unusable(refused, len(found))
    return names


def _unusable(refused: Mapping[str, SpineError], count: int) -> UnreadableInputError:
    first = list(refused.items())[:_NAMED]
    listed = "; ".join(f"{name}: {error.message}" for name, error in first)
    more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
    reasons = sorted({reason for error in refused.values() for reason in error.reasons})
    return UnreadableInputError(
        f"{len(refused)} of {count} annotated images cannot be used: {listed}{more}",
        reasons=tuple(reasons),
    )


def _stamp(entry: Annotated, kind: Kind, settings: ImportSettings) -> str:
    """Eight digits that change with the files (path, size, time) and the settings."""
    parts = [kind, repr(settings)]
    for path in (entry.image, entry.semantic, entry.instances):
        if path is not None:
            about = path.stat()
            parts += [str(path.resolve()), str(about.st_size), str(about.st_mtime_ns)]
    return sha256("\0".join(parts).encode()).hexdigest()[:8]


def read_case(
    entry: Annotated, kind: Kind, settings: ImportSettings
) -> tuple[Case, tuple[int, ...]]:
    """Read one annotated image onto the network's grid.

    Returns
    -------
    Case
        The image with its labels.
    tuple of int
        Labels of the mask that the scheme doesn't have: they count as not annotated.

    Raises
    ------
    UnreadableInputError
        If a file cannot be read or the files don't belong together (`import_dataset`).
    """
    if kind == "spider":
        image, mask = (
            read_metaimage(entry.image, np.float32),
            read_metaimage(entry.semantic, np.int32),
        )
        raw: NDArray[np.integer] = mask.voxels_zyx.astype(np.int32)
        labels = LabelMap(spider_labels(raw), mask.affine_lps)
        numbers = None
    else:
        image, written = read_volume(entry.image), read_label_map(entry.semantic)
        raw = written.labels_zyx
        require_structures(raw)
        labels = written.with_labels(known_labels(raw))
        numbers = read_label_map(entry.instances) if entry.instances else None
    odd = tuple(np.unique(raw[labels.labels_zyx == UNKNOWN]).tolist())
    return _on_grid(image, labels, numbers, settings), odd


def _on_grid(
    image: Volume, labels: LabelMap, numbers: LabelMap | None, settings: ImportSettings
) -> Case:
    spacing = settings.spacing_rip_mm
    turned = reorient(prepare(image).volume if settings.correct_bias else image, _PIR)
    if settings.correct_bias:
        turned = pad(turned, [(voxels, voxels) for voxels in reversed(settings.border_voxels)])
    volume = resample_to_spacing(turned, spacing)
    moved = resample_labels_to_grid(labels, volume.grid)
    require_inside(labels, moved)
    at = moved.labels_zyx.astype(np.uint8)
    vertebrae = np.zeros(at.shape, dtype=np.uint8)
    if numbers is not None:
        raw = resample_labels_to_grid(numbers, volume.grid).labels_zyx
        vertebrae = count_from_top(np.where(np.isin(at, VERTEBRA_PARTS), raw, 0))
        require_numbered(at, vertebrae)
    voxels = np.maximum(volume.voxels_zyx, 0)
    box = (slice(None), slice(None), slice(None))
    if settings.margin_mm is not None:
        box = _around(is_annotated(at), spacing, settings.margin_mm)
    images = np.ascontiguousarray(voxels[box][None], dtype=np.float16)
    return Case(images, at[box].copy(), vertebrae[box].copy(), spacing)


def _around(
    mask: NDArray[np.bool_], spacing: tuple[float, float, float], margin_mm: float
) -> tuple[slice, slice, slice]:
    box = bounding_box(mask) or tuple(slice(0, n) for n in mask.shape)
    first, second, third = (
        slice(max(0, part.start - round(margin_mm / mm)), part.stop + round(margin_mm / mm))
        for part, mm in zip(box, spacing, strict=True)
    )
    return first, second, third
