"""A journal as an older version left it: its schema, and the rows that today's code wrote."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from app.node.journal.engine import MIGRATIONS, statements_of

FIRST = "0001_journal.sql"
"""The schema of version 0.1.0. Released migrations are never changed."""


def make_older(journal: Path) -> None:
    """Give a closed journal the first schema; what that has no place for is dropped."""
    today = journal.with_suffix(".today")
    journal.rename(today)
    for left in ("-wal", "-shm"):
        with_log = journal.with_name(journal.name + left)
        if with_log.exists():
            with_log.rename(today.with_name(today.name + left))
    with closing(sqlite3.connect(journal)) as c:
        c.execute("PRAGMA journal_mode=WAL")
        c.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)")
        for statement in statements_of((MIGRATIONS / FIRST).read_text(encoding="utf-8")):
            c.execute(statement)
        c.execute("INSERT INTO schema_version (version) VALUES (1)")
        c.commit()
        c.execute("ATTACH ? AS today", (str(today),))
        for table, columns in columns_of(c).items():
            names = ", ".join(columns)
            copy = f"INSERT INTO main.{table} ({names}) SELECT {names} FROM today.{table}"  # noqa: S608 - from the schema
            c.execute(copy)
        c.commit()
    for old in journal.parent.glob(today.name + "*"):
        old.unlink()


def columns_of(c: sqlite3.Connection) -> dict[str, list[str]]:
    """Tables of a journal, without the number of its schema, and their columns."""
    tables = c.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
    return {
        table: [row[1] for row in c.execute(f"PRAGMA main.table_info({table})")]
        for (table,) in tables
        if table != "schema_version"
    }


def rows_of(journal: Path, columns: dict[str, list[str]]) -> dict[str, list[tuple[object, ...]]]:
    """These columns of every row, sorted."""
    found = {}
    with closing(sqlite3.connect(journal)) as c:
        for table, names in columns.items():
            query = f"SELECT {', '.join(names)} FROM {table}"  # noqa: S608 - from the schema
            found[table] = sorted(c.execute(query).fetchall(), key=repr)
    return found
