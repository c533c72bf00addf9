"""A data folder of version 0.1.0 opens with all it holds, and can be given back."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from app.errors import JournalError
from app.node.journal import engine as module
from app.node.journal.attention import Circumstances, alarms, read_attention
from app.node.journal.engine import journal_url, open_journal, reading
from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.journal.tables import DELIVERY
from tests.builders.filled_journal import fill
from tests.builders.older_journal import FIRST, columns_of, make_older, rows_of

COPY = "journal-before-0002.db"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Of version 0.1.0, with rows in every state of every state machine."""
    engine = open_journal(journal_url(tmp_path, None))
    fill(engine)
    engine.dispose()
    make_older(tmp_path / "journal.db")
    return tmp_path / "journal.db"


def columns_in(journal: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(journal)) as c:
        return columns_of(c)


def versions_in(journal: Path) -> list[int]:
    with closing(sqlite3.connect(journal)) as c:
        return [row[0] for row in c.execute("SELECT version FROM schema_version ORDER BY version")]


def open_and_close(folder: Path) -> None:
    open_journal(journal_url(folder, None)).dispose()


def test_every_row_of_every_state_is_kept_and_means_what_it_meant(journal: Path):
    columns = columns_in(journal)
    before = rows_of(journal, columns)
    for table, states in (("series", SeriesState), ("job", JobState), ("delivery", DeliveryState)):
        place = columns[table].index("state")
        assert {row[place] for row in before[table]} == {str(state) for state in states}
    engine = open_journal(journal_url(journal.parent, None))
    assert rows_of(journal, columns) == before
    with reading(engine) as connection:
        assert set(connection.execute(select(DELIVERY.c.is_uncompressed)).scalars()) == {0}
        assert alarms(read_attention(connection, Circumstances())) == 6
    engine.dispose()


def test_the_copy_made_before_the_upgrade_opens_under_the_older_schema_with_the_same_rows(
    journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    columns = columns_in(journal)
    before = rows_of(journal, columns)
    open_and_close(journal.parent)
    assert len(versions_in(journal)) > 1
    back = tmp_path / "back"
    older = tmp_path / "migrations"
    for folder in (back, older):
        folder.mkdir()
    shutil.copy(journal.with_name(COPY), back / "journal.db")
    shutil.copy(module.MIGRATIONS / FIRST, older)
    monkeypatch.setattr(module, "MIGRATIONS", older)
    engine = open_journal(journal_url(back, None))
    engine.dispose()
    assert versions_in(back / "journal.db") == [1]
    assert rows_of(back / "journal.db", columns) == before


def test_a_journal_is_copied_once_per_upgrade_and_a_fresh_one_never(journal: Path, tmp_path: Path):
    open_and_close(journal.parent)
    copy = journal.with_name(COPY)
    made_at = copy.stat().st_mtime_ns
    open_and_close(journal.parent)
    assert copy.stat().st_mtime_ns == made_at
    assert [path.name for path in journal.parent.glob("journal-*.*")] == [COPY]
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    open_and_close(fresh)
    assert list(fresh.glob("journal-before-*")) == []


def test_what_is_written_after_going_back_is_in_the_next_copy(journal: Path):
    open_and_close(journal.parent)
    copy = journal.with_name(COPY)
    shutil.copy(copy, journal)
    with closing(sqlite3.connect(journal)) as c:
        c.execute("INSERT INTO counter (name, label, value) VALUES ('x', 'y', 1)")
        c.commit()
    open_and_close(journal.parent)
    assert ("x", "y", 1) in rows_of(copy, columns_in(copy))["counter"]


def test_without_a_copy_there_is_no_upgrade(journal: Path):
    in_the_way = journal.with_name("journal-before-0002.part")
    in_the_way.mkdir()
    with pytest.raises(JournalError, match="cannot be copied before its upgrade"):
        open_and_close(journal.parent)
    assert versions_in(journal) == [1]
    in_the_way.rmdir()
    open_and_close(journal.parent)
    assert versions_in(journal.with_name(COPY)) == [1]
