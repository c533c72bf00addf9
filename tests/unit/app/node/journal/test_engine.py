"""The journal opens, migrates once, and promises that a commit is on the disk."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from app.errors import JournalError
from app.node.journal.engine import journal_url, open_journal, reading, statements_of, transaction
from app.node.journal.tables import COUNTER, METADATA


@pytest.fixture
def engine(tmp_path):
    engine = open_journal(journal_url(tmp_path, None))
    yield engine
    engine.dispose()


def test_every_table_has_exactly_the_columns_of_the_migrations(engine):
    inspector = sa.inspect(engine)
    for table in METADATA.tables.values():
        found = {column["name"] for column in inspector.get_columns(table.name)}
        assert found == {column.name for column in table.columns}
        keys = set(inspector.get_pk_constraint(table.name)["constrained_columns"])
        assert keys == {column.name for column in table.primary_key}


def test_opening_twice_migrates_once(tmp_path, engine):
    again = open_journal(journal_url(tmp_path, None))
    with reading(again) as connection:
        versions = connection.execute(sa.text("SELECT version FROM schema_version")).all()
    again.dispose()
    assert [row.version for row in versions] == sorted({row.version for row in versions})


def test_a_commit_is_synchronous_and_in_wal_mode(engine):
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_reader_waits_for_no_writer_and_sees_one_moment(engine):
    with reading(engine) as reader:
        assert reader.execute(COUNTER.select()).all() == []
        with transaction(engine) as writer:
            writer.execute(COUNTER.insert().values(name="objects", label="stored", value=1))
        assert reader.execute(COUNTER.select()).all() == []
    with reading(engine) as reader:
        assert len(reader.execute(COUNTER.select()).all()) == 1


def test_a_failed_transaction_leaves_nothing_and_quotes_no_values(engine):
    row = {"name": "objects", "label": "1.2.3.4.5", "value": 1}

    def insert_twice():
        with transaction(engine) as connection:
            connection.execute(COUNTER.insert().values(row))
            connection.execute(COUNTER.insert().values(row))

    with pytest.raises(JournalError) as caught:
        insert_twice()
    assert "1.2.3" not in str(caught.value)
    with reading(engine) as connection:
        assert connection.execute(COUNTER.select()).all() == []


def test_a_journal_of_a_newer_version_is_refused(tmp_path, engine):
    with transaction(engine) as connection:
        connection.execute(sa.text("INSERT INTO schema_version (version) VALUES (9999)"))
    with pytest.raises(JournalError, match="newer version"):
        open_journal(journal_url(tmp_path, None))


def test_a_folder_that_does_not_exist_is_a_named_error(tmp_path):
    with pytest.raises(JournalError, match="cannot be opened"):
        open_journal(journal_url(tmp_path / "missing", None))


def test_a_postgresql_url_uses_psycopg_3(tmp_path):
    url = journal_url(tmp_path, "postgresql://node:secret@db/spine")
    assert url == "postgresql+psycopg://node:secret@db/spine"


def test_comments_and_blank_statements_of_a_script_are_dropped():
    assert statements_of("-- one; two\nCREATE A; -- x\n;\nCREATE B") == ["CREATE A", "CREATE B"]
