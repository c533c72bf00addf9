"""A copy of the journal as the older version left it, made before its schema is brought up to date.

Migrations go one way. Whoever has to put the older version back gives it this copy as journal.db,
and removes queue.db, which the older version makes anew from it. On PostgreSQL the administrator's
own backup is that copy.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from app.errors import JournalError
from operators.dicom.reading.durable import sync

if TYPE_CHECKING:
    from pathlib import Path


def keep_copy(journal: Path, version: int) -> Path:
    """Copy a journal, whole and on the disk when this returns.

    Parameters
    ----------
    journal : Path
        SQLite file. Others may read meanwhile; the caller keeps writers away.
    version : int
        Number of the first migration that it lacks.

    Returns
    -------
    Path
        ``journal-before-0002.db`` beside it, for example. One that is there was made for an
        upgrade that did not happen, or that was taken back: what the journal says now counts.

    Raises
    ------
    JournalError
        If there is no room, for example: then nothing may be upgraded.
    """
    copy = journal.with_name(f"{journal.stem}-before-{version:04}.db")
    half = copy.with_suffix(".part")
    try:
        half.unlink(missing_ok=True)
        with closing(sqlite3.connect(journal)) as here, closing(sqlite3.connect(half)) as there:
            here.backup(there)
        sync(half)
        half.replace(copy)
        sync(journal.parent)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            half.unlink()
        raise JournalError(
            f"the journal cannot be copied before its upgrade: {type(error).__name__}"
        ) from error
    return copy


def copies_before(data: Path, before: float) -> list[str]:
    """List copies that are old enough to go: they hold texts, too.

    Parameters
    ----------
    data : Path
        The node's data folder.
    before : float
        Made before this time, epoch seconds.

    Returns
    -------
    list of str
        Names within the data folder.
    """
    copies = data.glob("journal-before-*.db")
    return sorted(copy.name for copy in copies if copy.stat().st_mtime < before)
