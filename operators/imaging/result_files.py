"""Names of a NIfTI image's results, and whether they may take the place of what lies there.

A result says in its header which image it was made from, so that another image's is never lost.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

import nibabel as nib

from operators.errors import EncodingError, UnreadableInputError
from operators.imaging.nifti import read_note
from operators.imaging.nifti_header import READ_ERRORS, unreadable

if TYPE_CHECKING:
    from pathlib import Path

_ENTITY: Final = re.compile(r"(sub|ses)-[A-Za-z0-9]+")
RESULT_ENDINGS: Final = ("seg-spine_msk.nii.gz", "seg-vert_msk.nii.gz", "seg-spine_ctd.json")
"""Both masks and the centroids, as SPINEPS ends their names."""

_CHUNK_BYTES: Final = 1 << 20
_DIGITS: Final = 40
"""Of the digest: with the words around it the note fits into the 80 bytes of ``descrip``."""


def case_name(image: Path) -> str:
    """Name of a case: the file's name, with the subject and session of its folders.

    Parameters
    ----------
    image : Path
        ``.nii`` or ``.nii.gz``.

    Returns
    -------
    str
        BIDS entities ``sub`` and ``ses`` of parent folders come first unless the name has a
        ``sub`` of its own.

    Examples
    --------
    >>> from pathlib import Path
    >>> case_name(Path("data/sub-7/ses-1/anat/T2w.nii.gz"))
    'sub-7_ses-1_T2w'
    >>> case_name(Path("data/sub-7/anat/sub-7_T2w.nii"))
    'sub-7_T2w'
    """
    stem = image.name.lower().removesuffix(".gz").removesuffix(".nii")
    name = image.name[: len(stem)] or "image"
    if name.startswith("sub-"):
        return name
    entities = [part for part in image.absolute().parent.parts if _ENTITY.fullmatch(part)]
    return "_".join((*entities, name))


def result_names(case: str) -> tuple[str, str, str]:
    """File names of both masks and the centroids, as SPINEPS gives them."""
    stem = spineps_stem(case)
    spine, vertebrae, centroids = (f"{stem}_{ending}" for ending in RESULT_ENDINGS)
    return spine, vertebrae, centroids


def spineps_stem(name: str) -> str:
    """Stem of SPINEPS's derivative names: the BIDS suffix becomes a ``mod`` entity.

    Examples
    --------
    >>> spineps_stem("sub-X_T2w")
    'sub-X_mod-T2w'
    >>> spineps_stem("scan")
    'scan'
    """
    head, separator, suffix = name.rpartition("_")
    return f"{head}_mod-{suffix}" if separator and "-" not in suffix else name


def source_note(image: Path) -> str:
    """Say which image a result was made from: a digest of its uncompressed file.

    Raises
    ------
    UnreadableInputError
        ``unreadable_nifti``.
    """
    digest = hashlib.sha256()
    try:
        with nib.openers.ImageOpener(str(image)) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except READ_ERRORS as error:
        raise unreadable() from error
    return f"SPINEPS Node, of image sha256:{digest.hexdigest()[:_DIGITS]}"


def require_replaceable(existing: Path, note: str) -> None:
    """Refuse to replace a result of another image.

    Parameters
    ----------
    existing : Path
        Where a mask is to be written; need not exist.
    note : str
        `source_note` of the image whose mask it will be.

    Raises
    ------
    EncodingError
        ``result_of_another_image``: also where the file does not say of which.
    """
    if not existing.exists():
        return
    try:
        found = read_note(existing)
    except UnreadableInputError:
        found = ""
    if found != note:
        raise EncodingError(
            "the output folder holds the result of another image of this name; choose another "
            "folder, or move the older result away",
            reasons=("result_of_another_image",),
        )
