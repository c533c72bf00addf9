"""Whether the journal's file is sound: SQLite reads every page of it and says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from app.errors import JournalDamagedError
from app.node.journal.engine import named

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

MOST_PROBLEMS: Final = 20
_SOUND: Final = ["ok"]


def problems_of(engine: Engine, *, is_thorough: bool = False) -> list[str]:
    """List what is wrong with the file of the journal, as it lies on the disk.

    Parameters
    ----------
    engine : Engine
        SQLite; nothing is kept of what it read before. PostgreSQL looks after itself: no problem.
    is_thorough : bool
        Also compare every index with its table, which takes some times longer.

    Returns
    -------
    list of str
        At most `MOST_PROBLEMS`, free of patient data: they name pages and indexes.

    Raises
    ------
    JournalDamagedError
        If the file is too damaged to be read at all.
    JournalError
        If it does not answer.
    """
    if engine.dialect.name != "sqlite":
        return []
    check = "integrity_check" if is_thorough else "quick_check"
    try:
        # A connection of its own: the pages that the others have in memory may still be sound.
        fresh = sa.create_engine(engine.url, poolclass=sa.NullPool)
        with fresh.connect() as connection:
            query = sa.text(f"PRAGMA {check}({MOST_PROBLEMS})")
            found = [str(line) for line in connection.execute(query).scalars()]
    except SQLAlchemyError as error:
        raise named("the journal cannot be examined", error) from error
    return [] if found == _SOUND else found


def examine(engine: Engine) -> None:
    """Read the whole file once.

    Raises
    ------
    JournalDamagedError
        If anything is wrong with it.
    JournalError
        If it does not answer.
    """
    if problems_of(engine):
        raise JournalDamagedError
