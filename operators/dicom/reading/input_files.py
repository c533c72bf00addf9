"""Which files an input folder holds, and what in it is passed over, by name.

Follows no link: a link whose target lies in the folder adds nothing, since the target is found by
itself, and one that leaves the folder is refused. Reads at most a few bytes of a file.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ADVICE: Final = {
    "link_leaves_input": "a link leads out of the input folder; copy what it names into the "
    "folder, or give the folder that holds both",
    "dangling_link": "a link names nothing",
    "link_loop": "a link leads back to itself or to a folder that holds it",
    "unreadable_folder": "a folder may not be read",
    "no_regular_file": "a pipe, socket or device is no file",
    "archive": "unpack the archive and give the folder",
    "nifti_image": "a NIfTI image is given by itself, not in a folder: run -i IMAGE.nii.gz, "
    "one after another",
    "nifti_pair": "a pair of .hdr and .img is not read; make one .nii.gz of it",
    "dicomdir": "give the folder that holds the DICOMDIR and its files",
    "other_file": "neither DICOM nor NIfTI",
}
"""Every name that a file or folder is passed over by, and what to do about it."""

_NIFTI: Final = (".nii", ".nii.gz")
_ARCHIVE_STARTS: Final = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"(\xb5/\xfd"),
    *(b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07"),
)
"""zip, gzip, bzip2, xz, zstandard, 7z, rar."""
_TAR_MAGIC: Final = slice(257, 262)
_START_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file, folder or link that is not read.

    Attributes
    ----------
    path : str
        Relative to the input folder; may hold patient data, so it belongs in no log or record.
    reason : str
        One of the names in this module.
    """

    path: str
    reason: str


def is_nifti(path: Path) -> bool:
    """Tell a single-file NIfTI image by its name."""
    return path.name.lower().endswith(_NIFTI)


def files_below(folder: Path) -> tuple[tuple[Path, ...], tuple[PassedOver, ...]]:
    """Find the regular files of a folder.

    Parameters
    ----------
    folder : Path
        Searched at any depth, hidden names too; may be a link itself. A file is a folder that
        holds this file alone.

    Returns
    -------
    (tuple of Path, tuple of PassedOver)
        Files in the order of their paths, each once; links, folders and special files that are
        not read.

    Raises
    ------
    UnreadableInputError
        ``missing_input``.
    """
    if not folder.exists():
        raise UnreadableInputError("the input does not exist", reasons=("missing_input",))
    if not folder.is_dir():
        return (folder,), ()
    root = folder.resolve()
    files: list[Path] = []
    left: list[PassedOver] = []

    def refuse(error: OSError) -> None:
        left.append(PassedOver(os.path.relpath(str(error.filename), folder), "unreadable_folder"))

    for place, folders, names in os.walk(folder, onerror=refuse):
        for path in (Path(place, name) for name in (*folders, *names)):
            reason = _problem(path, root)
            if reason:
                left.append(PassedOver(str(path.relative_to(folder)), reason))
            elif not (path.is_symlink() or path.is_dir()):
                files.append(path)
    return tuple(sorted(files)), tuple(sorted(left, key=lambda item: item.path))


def _problem(path: Path, root: Path) -> str:
    """Why a path is not to be passed over in silence; empty for a file or folder."""
    if path.is_symlink():
        return _link_problem(path, root)
    return "" if path.is_file() or path.is_dir() else "no_regular_file"


def _link_problem(link: Path, root: Path) -> str:
    """Why a link is not to be passed over in silence; empty where its target is found anyway."""
    try:
        target = link.resolve(strict=True)
    except FileNotFoundError:
        return "dangling_link"
    except (OSError, RuntimeError):  # Python 3.11 raises RuntimeError for a loop of links
        return "link_loop"
    if not target.is_relative_to(root):
        return "link_leaves_input"
    place = link.parent.resolve()
    return "link_loop" if target == place or target in place.parents else ""


def kind_of_foreign(path: Path) -> str:
    """Name what a file that is not DICOM seems to be.

    Parameters
    ----------
    path : Path
        A readable file.

    Returns
    -------
    str
        ``nifti_image``, ``nifti_pair``, ``archive`` or ``other_file``.
    """
    if is_nifti(path):
        return "nifti_image"
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    if path.suffix.lower() in {".hdr", ".img"}:
        return "nifti_pair"
    if start.startswith(_ARCHIVE_STARTS) or start[_TAR_MAGIC] == b"ustar":
        return "archive"
    return "other_file"


def counted(passed_over: Sequence[PassedOver], unreadable: int) -> dict[str, int]:
    """Count what was passed over by its name, for records: free of paths.

    Parameters
    ----------
    passed_over : sequence of PassedOver
        From a scan.
    unreadable : int
        Number of files that look like DICOM and cannot be read.

    Returns
    -------
    dict of str to int
        By name, ``unreadable_file`` among them.
    """
    counts = Counter(item.reason for item in passed_over)
    if unreadable:
        counts["unreadable_file"] = unreadable
    return dict(sorted(counts.items()))


def nothing_found(passed_over: Sequence[PassedOver], unreadable: int) -> UnreadableInputError:
    """Make the error for an input without a readable DICOM image, which says what is there instead.

    Parameters
    ----------
    passed_over : sequence of PassedOver
        From a scan.
    unreadable : int
        Number of files that look like DICOM and cannot be read.

    Returns
    -------
    UnreadableInputError
        ``no_dicom`` and every name in `counted`.
    """
    counts = counted(passed_over, unreadable)
    told = "; ".join(_told(counts)) or "the folder is empty"
    return UnreadableInputError(
        f"no readable DICOM image in the input: {told}", reasons=("no_dicom", *counts)
    )


def _told(counts: dict[str, int]) -> Iterator[str]:
    for name, count in counts.items():
        advice = _ADVICE.get(name)
        yield f"{count} {name}" + (f" ({advice})" if advice else "")
