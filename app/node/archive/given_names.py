"""What a person said about levels, kept as files beside the journal.

Results can be made again from the images, and a journal from the spool; a correction is only in
somebody's head. So each is also a small file, written before the journal's transaction ends, and
`spine-node journal rebuild` reads them back. A file's name is a hash.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from app.errors import SpoolError
from app.node.journal.tables import LEVEL_CORRECTION
from operators.dicom.identity.uids import digest
from operators.dicom.reading.durable import sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FOLDER: Final = "corrections"
"""In the data folder."""

_COLUMNS: Final = frozenset(column.name for column in LEVEL_CORRECTION.columns)
_NAME_DIGITS: Final = 32


def keep_given_names(data: Path, row: Mapping[str, Any]) -> None:
    """Write a correction down; it is on the disk when this returns.

    Parameters
    ----------
    data : Path
        The node's data folder.
    row : mapping
        Columns of `level_correction`. One of the same number that the journal never took is
        replaced.

    Raises
    ------
    SpoolError
        If it cannot be written.
    """
    folder = data / FOLDER
    key = (str(row["series_uid"]), str(row["content_digest"]), str(row["number"]))
    final = folder / f"{digest(key)[:_NAME_DIGITS]}.json"
    growing = final.with_suffix(".part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with growing.open("w", encoding="utf-8") as out:
            json.dump(dict(row), out)
            out.flush()
            os.fsync(out.fileno())
        growing.replace(final)
        for changed in (folder, data):
            sync(changed)
    except OSError as error:
        with suppress(OSError):
            growing.unlink(missing_ok=True)
        raise SpoolError(f"a correction cannot be kept: {error.strerror}") from error


def given_names(data: Path) -> Iterator[dict[str, Any]]:
    """Read every correction back, as rows of the journal; what is no whole row is passed over."""
    for path in sorted((data / FOLDER).glob("*.json")):
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(row, dict) and row.keys() == _COLUMNS:
            yield row
