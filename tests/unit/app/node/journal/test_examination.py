"""A damaged journal is named for what it is, wherever the bytes lie; a sound one is not."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.errors import ExitCode, JournalDamagedError, JournalNewerError, exit_code_of
from app.node.journal.engine import journal_url, open_journal, reading
from app.node.journal.examination import examine, problems_of
from tests.builders.filled_journal import fill


def filled(data: Path) -> Path:
    """A journal as a node leaves it: all of it in one file."""
    engine = open_journal(journal_url(data, None))
    fill(engine, data)
    engine.dispose()
    return data / "journal.db"


def spoil(file: Path, begin: int, count: int) -> None:
    with file.open("r+b") as out:
        out.seek(begin)
        out.write(os.urandom(count))


def test_a_sound_journal_has_no_problems_even_while_it_is_written(tmp_path: Path):
    filled(tmp_path)
    engine = open_journal(journal_url(tmp_path, None))
    with reading(engine) as connection:
        connection.exec_driver_sql("SELECT 1 FROM job")
        assert problems_of(engine) == []
        assert problems_of(engine, is_thorough=True) == []
    engine.dispose()


@pytest.mark.parametrize("begin", [0, 16, 100])
def test_random_bytes_at_the_beginning_keep_it_from_being_opened(tmp_path: Path, begin: int):
    spoil(filled(tmp_path), begin, 3000)
    with pytest.raises(JournalDamagedError):
        open_journal(journal_url(tmp_path, None))


def test_random_bytes_in_the_middle_are_found_though_the_pages_in_memory_are_sound(tmp_path: Path):
    file = filled(tmp_path)
    engine = open_journal(journal_url(tmp_path, None))
    examine(engine)
    spoil(file, file.stat().st_size // 2 // 4096 * 4096, 8192)
    with pytest.raises(JournalDamagedError) as found:
        examine(engine)
    assert exit_code_of(found.value) == ExitCode.JOURNAL
    engine.dispose()


def test_a_journal_of_a_newer_version_is_named_as_such(tmp_path: Path):
    with closing(sqlite3.connect(filled(tmp_path))) as c:
        c.execute("INSERT INTO schema_version VALUES (9999)")
        c.commit()
    with pytest.raises(JournalNewerError) as found:
        open_journal(journal_url(tmp_path, None))
    assert exit_code_of(found.value) == ExitCode.JOURNAL
