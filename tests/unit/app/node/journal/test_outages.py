"""A connection is given up where the disk fails: a new one may do, and DBOS waits for one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from app.errors import JournalError
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.journal.tables import COUNTER


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_journal(journal_url(tmp_path, None))
    yield engine
    engine.dispose()


def read_only_disk(engine: sa.Engine, file: Path, times: int) -> list[int]:
    """The next `times` connections are those that SQLite opens there; grows with each."""
    opened: list[int] = []

    @event.listens_for(engine, "do_connect")
    def connect(*_about: Any) -> sqlite3.Connection | None:
        opened.append(len(opened))
        uri = f"file:{file}?mode=ro"
        return sqlite3.connect(uri, uri=True) if len(opened) <= times else None

    engine.dispose()  # what is in the pool was opened before
    return opened


def count(engine: sa.Engine) -> None:
    with transaction(engine) as c:
        c.execute(COUNTER.insert().values(name="objects", label="stored", value=1))


def test_the_journal_writes_again_when_the_disk_does(engine: sa.Engine, tmp_path: Path):
    opened = read_only_disk(engine, tmp_path / "journal.db", times=2)
    for _ in range(2):
        with pytest.raises(JournalError):
            count(engine)
    count(engine)
    assert len(opened) == 3
    with reading(engine) as c:
        assert len(c.execute(COUNTER.select()).all()) == 1


def test_so_does_an_engine_that_is_not_the_journals(engine: sa.Engine, tmp_path: Path):
    """DBOS opens its own."""
    other = sa.create_engine(engine.url)
    read_only_disk(other, tmp_path / "journal.db", times=1)
    change = sa.text("DELETE FROM counter")
    with pytest.raises(sa.exc.OperationalError), other.begin() as c:
        c.execute(change)
    with other.begin() as c:
        c.execute(change)
    other.dispose()


def test_a_connection_that_only_reads_is_kept(engine: sa.Engine, tmp_path: Path):
    opened = read_only_disk(engine, tmp_path / "journal.db", times=1)
    for _ in range(3):
        with reading(engine) as c:
            assert c.execute(COUNTER.select()).all() == []
    assert len(opened) == 1


def test_a_full_disk_counts_as_a_lost_connection(engine: sa.Engine):
    """For those DBOS waits, where any other error ends a workflow."""
    with engine.connect() as c:
        c.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(sa.exc.OperationalError, match="full") as caught:
            c.exec_driver_sql("CREATE TABLE filling (content)")
    assert caught.value.connection_invalidated


def test_a_locked_database_does_not(engine: sa.Engine):
    other = sa.create_engine(engine.url, connect_args={"timeout": 0})
    with engine.begin(), other.connect() as c:
        with pytest.raises(sa.exc.OperationalError, match="locked") as caught:
            c.exec_driver_sql("BEGIN IMMEDIATE")
        assert not caught.value.connection_invalidated
    other.dispose()
