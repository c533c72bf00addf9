"""Import annotated images: a BIDS folder with SPINEPS masks, or the SPIDER collection.

Every image goes through what inference does to it (shift, N4, scaling), is turned to P, I, R and
resampled to the network's grid; the result is a `Case` like a synthetic one.

SPIDER (van der Graaf et al. 2024, doi 10.1038/s41597-024-03090-w) marks whole vertebrae (1-25,
counted from the bottom; 101-125 where only part of one is in the image), the canal (100) and the
discs (201-225). Its vertebrae say nothing about 41-49, its canal nothing about the cord, and its
background may hold sacrum and endplates: these become the sets of `app.training.supervision`, which
the loss reads as "one of these". It cannot train phase 2, whose input are the vertebra's parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import SimpleITK

from app.training.cases import Case, store
from app.training.supervision import OUTSIDE, SOME_CANAL, SOME_VERTEBRA, UNKNOWN
from operators.anatomy.labels import VERTEBRA_INSTANCES, VERTEBRA_PARTS, Structure
from operators.errors import UnreadableInputError
from operators.imaging.cropping import bounding_box
from operators.imaging.intensity import prepare
from operators.imaging.nifti import read_label_map, read_volume
from operators.imaging.orientation import reorient
from operators.imaging.resampling import resample_labels_to_grid, resample_to_spacing
from operators.imaging.volume import LabelMap, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

Kind = Literal["bids", "spider"]

_PIR: Final = ("P", "I", "R")
_IMAGE_ENDINGS: Final = ("_T2w.nii.gz", "_T2w.nii")
_KNOWN: Final = (0, 26, *range(41, 54), 60, 61, 62, 100)
_SPIDER_PARTIAL: Final = 100
_SPIDER_CANAL: Final = 100
_SPIDER_DISC: Final = 200


@dataclass(frozen=True, slots=True)
class Annotated:
    """One annotated image, not read yet.

    Attributes
    ----------
    name : str
        Name of the case; begins with the subject, up to the first underscore.
    image, semantic : Path
        Files.
    instances : Path or None
        Vertebra numbers, where there are any.
    """

    name: str
    image: Path
    semantic: Path
    instances: Path | None = None


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
    """

    spacing_rip_mm: tuple[float, float, float]
    correct_bias: bool = True
    margin_mm: float | None = None


def find_annotated(folder: Path, kind: Kind) -> list[Annotated]:
    """List the annotated images of a data set.

    Parameters
    ----------
    folder : Path
        BIDS: ``sub-*/**/*_T2w.nii.gz`` with ``*_seg-spine_msk`` and, where there are any,
        ``*_seg-vert_msk`` of the same entities anywhere below. SPIDER: ``images`` and ``masks``.
    kind : {"bids", "spider"}
        Layout.

    Returns
    -------
    list of Annotated
        By name.

    Raises
    ------
    UnreadableInputError
        If there is none (``no_annotated_images``).
    """
    found = sorted((_bids if kind == "bids" else _spider)(folder), key=lambda entry: entry.name)
    if not found:
        raise UnreadableInputError(
            f"the folder holds no annotated T2w image in {kind} layout",
            reasons=("no_annotated_images",),
        )
    return found


def _entities(name: str) -> frozenset[str]:
    """BIDS entities of a file name without those that tell an image from its masks."""
    parts = name.split(".", maxsplit=1)[0].split("_")
    return frozenset(p for p in parts if "-" in p and p.split("-")[0] not in {"mod", "seg", "desc"})


def _bids(folder: Path) -> Iterator[Annotated]:
    masks: dict[tuple[frozenset[str], str], Path] = {}
    for path in folder.rglob("*_msk.nii*"):
        for kind in ("seg-spine", "seg-vert"):
            if f"_{kind}_" in path.name:
                masks[_entities(path.name), kind] = path
    for ending in _IMAGE_ENDINGS:
        for image in folder.glob(f"sub-*/**/*{ending}"):
            entities = _entities(image.name)
            semantic = masks.get((entities, "seg-spine"))
            if semantic is not None:
                name = image.name.removesuffix(ending)
                yield Annotated(name, image, semantic, masks.get((entities, "seg-vert")))


def _spider(folder: Path) -> Iterator[Annotated]:
    for image in (folder / "images").glob("*_t2*.mha"):
        mask = folder / "masks" / image.name
        if mask.exists():
            yield Annotated(image.stem, image, mask)


def import_dataset(
    folder: Path,
    kind: Kind,
    cases: Path,
    settings: ImportSettings,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Turn a data set into cases; what has been made before is kept.

    Parameters
    ----------
    folder : Path
        Of the data set.
    kind : {"bids", "spider"}
        Its layout.
    cases : Path
        Receives ``<name>.npz``.
    settings : ImportSettings
        Grid and preparation.
    progress : callable or None
        Told (done, in all).

    Returns
    -------
    list of str
        File names of the cases.
    """
    found = find_annotated(folder, kind)
    for number, entry in enumerate(found, start=1):
        path = cases / f"{entry.name}.npz"
        if not path.exists():
            store(read_case(entry, kind, settings), path)
        if progress is not None:
            progress(number, len(found))
    return [f"{entry.name}.npz" for entry in found]


def read_case(entry: Annotated, kind: Kind, settings: ImportSettings) -> Case:
    """Read one annotated image onto the network's grid.

    Raises
    ------
    UnreadableInputError
        If a file cannot be read.
    """
    if kind == "spider":
        image, mask = _read_mha(entry.image, np.float32), _read_mha(entry.semantic, np.int32)
        labels = LabelMap(spider_labels(mask.voxels_zyx.astype(np.int32)), mask.affine_lps)
        numbers = None
    else:
        image, labels = read_volume(entry.image), read_label_map(entry.semantic)
        labels = labels.with_labels(known_labels(labels.labels_zyx))
        numbers = read_label_map(entry.instances) if entry.instances else None
    return _on_grid(image, labels, numbers, settings)


def _on_grid(
    image: Volume, labels: LabelMap, numbers: LabelMap | None, settings: ImportSettings
) -> Case:
    spacing = settings.spacing_rip_mm
    ready = prepare(image).volume if settings.correct_bias else image
    volume = resample_to_spacing(reorient(ready, _PIR), spacing)
    at = resample_labels_to_grid(labels, volume.grid).labels_zyx.astype(np.uint8)
    vertebrae = np.zeros(at.shape, dtype=np.uint8)
    if numbers is not None:
        raw = resample_labels_to_grid(numbers, volume.grid).labels_zyx
        vertebrae = count_from_top(np.where(np.isin(at, VERTEBRA_PARTS), raw, 0))
    voxels = np.maximum(volume.voxels_zyx, 0)
    box = (slice(None), slice(None), slice(None))
    if settings.margin_mm is not None:
        box = _around(np.isin(at, (0, OUTSIDE, UNKNOWN), invert=True), spacing, settings.margin_mm)
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


def known_labels(labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Replace numbers that the SPINEPS scheme doesn't have by "unknown"."""
    return np.where(np.isin(labels, _KNOWN), labels, UNKNOWN).astype(np.uint8)


def spider_labels(mask: NDArray[np.integer]) -> NDArray[np.uint8]:
    """SPIDER's numbers as labels and sets of labels.

    Parameters
    ----------
    mask : (Z, Y, X) ndarray of int
        1-25 vertebra, 101-125 part of a vertebra, 100 canal, 201-225 disc, 0 none of these.

    Returns
    -------
    (Z, Y, X) uint8 ndarray
        Disc (100) or one of the sets; numbers that SPIDER doesn't have are unknown.
    """
    labels = np.full(mask.shape, UNKNOWN, dtype=np.uint8)
    labels[mask == 0] = OUTSIDE
    for first in (0, _SPIDER_PARTIAL):
        labels[(mask > first) & (mask <= first + 25)] = SOME_VERTEBRA
    labels[mask == _SPIDER_CANAL] = SOME_CANAL
    labels[(mask > _SPIDER_DISC) & (mask <= _SPIDER_DISC + 25)] = Structure.DISC
    return labels


def count_from_top(numbers: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Count vertebrae from the top, so that neighbours differ by one.

    Parameters
    ----------
    numbers : (R, I, P) ndarray of int
        Vertebra ids (1-25, 28); anything else counts as none.

    Returns
    -------
    (R, I, P) uint8 ndarray
        Order by height instead of the id.
    """
    present = [int(n) for n in np.unique(numbers) if int(n) in VERTEBRA_INSTANCES]
    height = {n: np.argwhere(numbers == n)[:, 1].mean() for n in present}
    table = np.zeros(int(numbers.max(initial=0)) + 1, dtype=np.uint8)
    for place, n in enumerate(sorted(present, key=height.__getitem__), start=1):
        table[n] = place
    counted: NDArray[np.uint8] = table[numbers]
    return counted


def _read_mha(path: Path, kind: type[np.generic]) -> Volume:
    """Read an image through ITK, which places voxels in LPS as we do."""
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise UnreadableInputError("an image of the data set cannot be read") from error
    turn, spacing = image.GetDirection(), image.GetSpacing()  # type: ignore[no-untyped-call]
    affine = np.eye(4)
    affine[:3, :3] = (np.array(turn).reshape(3, 3) * np.array(spacing))[:, ::-1]  # k, j, i
    affine[:3, 3] = image.GetOrigin()  # type: ignore[no-untyped-call]
    return Volume(SimpleITK.GetArrayFromImage(image).astype(kind), affine)
