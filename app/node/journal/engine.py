"""Open the journal: pragmas of SQLite in one place, migrations applied once, in order.

A commit is on the disk when it returns (SQLite: WAL with synchronous=FULL), because an answer
0x0000 to a C-STORE promises just that.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from app.errors import JournalDamagedError, JournalError, JournalNewerError
from app.node.journal.earlier import keep_copy
from app.node.journal.outages import primary_code, survive_outages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection, Engine

MIGRATIONS: Final = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S: Final = 30
"""How long a writer waits for another one on SQLite, s."""

_LOCK_KEY: Final = 0x5350494E45
"""Advisory lock of PostgreSQL that lets one process migrate at a time ("SPINE")."""


def journal_url(data: Path, database_url: str | None) -> str:
    """URL of the journal.

    Parameters
    ----------
    data : Path
        The node's data folder.
    database_url : str or None
        PostgreSQL URL of the site, or None for SQLite in `data`.

    Returns
    -------
    str
        SQLAlchemy URL; ``postgresql://`` uses psycopg 3.
    """
    if database_url is None:
        return f"sqlite:///{data / 'journal.db'}"
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", database_url)


def open_journal(url: str) -> Engine:
    """Connect, and bring the schema to this version.

    A file that an older version made is copied beside itself first, so that the older version can
    be put back (`app.node.journal.earlier`).

    Parameters
    ----------
    url : str
        As `journal_url` gives it.

    Returns
    -------
    Engine
        Ready to use from several threads; every process opens its own.

    Raises
    ------
    JournalNewerError
        If it was made by a newer version.
    JournalDamagedError
        If it is damaged.
    JournalError
        If the database cannot be reached or written, or not be copied before an upgrade.
    """
    engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        survive_outages()
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
    try:
        _migrate(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        raise named("the journal cannot be opened", error) from error
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction; database errors become `JournalError`.

    Parameters
    ----------
    engine : Engine
        As `open_journal` gives it.

    Yields
    ------
    Connection
        Committed at the end, rolled back by any exception.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        # The text of the statement and its parameters (UIDs) stay out of the message.
        raise named("the journal did not answer", error) from error


def named(what: str, error: SQLAlchemyError) -> JournalError:
    """Name a database error: whether waiting may help, or the file is damaged.

    Parameters
    ----------
    what : str
        What could not be done, for the message.
    error : SQLAlchemyError
        As it came.

    Returns
    -------
    JournalError
        `JournalDamagedError` for SQLITE_CORRUPT and SQLITE_NOTADB.
    """
    if primary_code(getattr(error, "orig", None)) in {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }:
        return JournalDamagedError()
    return JournalError(f"{what}: {type(error).__name__}")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Consistent reads that wait for no writer.

    Parameters
    ----------
    engine : Engine
        As `open_journal` gives it.

    Yields
    ------
    Connection
        One snapshot; do not write through it.
    """
    with transaction(engine.execution_options(reads_only=True)) as connection:
        yield connection


def _set_pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    # SQLAlchemy shall send BEGIN itself: sqlite3's own rule delays it to the first write.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # Readers that turn writers in mid-transaction would fail as "locked" at once.
    is_reader = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")


def _migrate(engine: Engine) -> None:
    files = sorted(MIGRATIONS.glob("[0-9]*.sql"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})"))
        connection.execute(
            sa.text("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY)")
        )
        done = set(connection.execute(sa.text("SELECT version FROM schema_version")).scalars())
        known = {int(file.name[:4]): file for file in files}
        if done - known.keys():
            raise JournalNewerError
        missing = sorted(known.keys() - done)
        if done and missing and engine.url.database and engine.dialect.name == "sqlite":
            # Within the transaction: no process writes, or upgrades, between copy and upgrade.
            keep_copy(Path(engine.url.database), missing[0])
        for version in missing:
            for statement in statements_of(known[version].read_text(encoding="utf-8")):
                connection.execute(sa.text(statement))
            connection.execute(
                sa.text("INSERT INTO schema_version (version) VALUES (:version)"),
                {"version": version},
            )


def statements_of(script: str) -> list[str]:
    """Statements of a migration file, comments removed.

    Parameters
    ----------
    script : str
        SQL; no semicolon or ``--`` within a literal.

    Returns
    -------
    list of str
        In order, without semicolons.
    """
    bare = re.sub(r"--[^\n]*", "", script)
    return [statement.strip() for statement in bare.split(";") if statement.strip()]
