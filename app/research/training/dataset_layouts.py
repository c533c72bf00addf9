"""Which files of a data set belong together: a BIDS folder with SPINEPS masks, or SPIDER."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Kind = Literal["bids", "spider"]

_IMAGE_ENDINGS: Final = ("_T2w.nii.gz", "_T2w.nii")

_EXPECTED: Final[dict[Kind, str]] = {
    "bids": "it should hold sub-X/.../sub-X_T2w.nii.gz, and anywhere below it "
    "sub-X_seg-spine_msk.nii.gz (and sub-X_seg-vert_msk.nii.gz) of the same entities",
    "spider": "it should hold images/N_t2.mha and masks/N_t2.mha",
}


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
        If there is no such folder (``missing_input``), no such image (``no_annotated_images``) or
        several masks of one kind for one image (``ambiguous_names``).
    """
    if not folder.is_dir():
        raise UnreadableInputError(
            "the folder of the data set does not exist", reasons=("missing_input",)
        )
    found = sorted((_bids if kind == "bids" else _spider)(folder), key=lambda entry: entry.name)
    if not found:
        raise UnreadableInputError(
            f"the folder holds no annotated T2w image in {kind} layout: {_EXPECTED[kind]}",
            reasons=("no_annotated_images",),
        )
    return found


def images_of(folder: Path, kind: Kind) -> list[Path]:
    """List the T2w images of a data set, annotated or not."""
    patterns = [f"sub-*/**/*{ending}" for ending in _IMAGE_ENDINGS]
    if kind == "spider":
        patterns = ["images/*_t2*.mha"]
    return sorted(path for pattern in patterns for path in folder.glob(pattern))


def _entities(name: str) -> frozenset[str]:
    """BIDS entities of a file name without those that tell an image from its masks."""
    parts = name.split(".", maxsplit=1)[0].split("_")
    return frozenset(p for p in parts if "-" in p and p.split("-")[0] not in {"mod", "seg", "desc"})


def _bids(folder: Path) -> Iterator[Annotated]:
    masks: dict[tuple[frozenset[str], str], Path] = {}
    for path in folder.rglob("*_msk.nii*"):
        for kind in ("seg-spine", "seg-vert"):
            if f"_{kind}_" in path.name:
                if (key := (_entities(path.name), kind)) in masks:
                    raise UnreadableInputError(
                        f"the data set holds several {kind} masks of one image; give each "
                        "annotation a folder of its own: --dataset automatic=A --dataset manual=B",
                        reasons=("ambiguous_names",),
                    )
                masks[key] = path
    for image in images_of(folder, "bids"):
        entities = _entities(image.name)
        semantic = masks.get((entities, "seg-spine"))
        if semantic is not None:
            name = image.name.split(".")[0].removesuffix("_T2w")
            yield Annotated(name, image, semantic, masks.get((entities, "seg-vert")))


def _spider(folder: Path) -> Iterator[Annotated]:
    for image in images_of(folder, "spider"):
        mask = folder / "masks" / image.name
        if mask.exists():
            yield Annotated(image.stem, image, mask)
