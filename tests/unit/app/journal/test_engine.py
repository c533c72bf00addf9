"""The journal opens, migrates once, and promises that a commit is on the disk."""

from __future__ import annotations

import shutil

import pytest
import sqlalchemy as sa

from app.errors import JournalError
from app.journal import engine as module
from app.journal.attention import Circumstances, alarms, read_attention
from app.journal.engine import journal_url, open_journal, reading, statements_of, transaction
from app.journal.tables import COUNTER, DELIVERY, METADATA
from tests.builders.filled_journal import fill


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


def test_the_first_journal_opens_and_its_deliveries_went_as_they_were(tmp_path, monkeypatch):
    first = tmp_path / "migrations"
    first.mkdir()
    shutil.copy(module.MIGRATIONS / "0001_journal.sql", first)
    with monkeypatch.context() as patch:
        patch.setattr(module, "MIGRATIONS", first)
        old = open_journal(journal_url(tmp_path, None))
        with transaction(old) as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO delivery (delivery_id, job_id, sop_instance_uid, destination,"
                    " state, created_at) VALUES ('d', 'j', '1.2', 'pacs', 'delivered', 0)"
                )
            )
        old.dispose()
    new = open_journal(journal_url(tmp_path, None))
    with reading(new) as connection:
        (row,) = connection.execute(DELIVERY.select()).all()
    new.dispose()
    assert (row.delivery_id, row.is_uncompressed) == ("d", 0)


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


def test_a_journal_of_version_0_1_0_with_rows_in_every_state_keeps_them(tmp_path, monkeypatch):
    first = tmp_path / "migrations"
    first.mkdir()
    shutil.copy(module.MIGRATIONS / "0001_journal.sql", first)
    url = journal_url(tmp_path, None)
    with monkeypatch.context() as older:
        older.setattr(module, "MIGRATIONS", first)
        old = open_journal(url)
        fill(old)
        with reading(old) as connection:
            before = {name: count_rows(connection, name) for name in ("series", "job", "delivery")}
        old.dispose()
    new = open_journal(url)
    with reading(new) as connection:
        assert {name: count_rows(connection, name) for name in before} == before
        assert alarms(read_attention(connection, Circumstances())) == 6
    new.dispose()


def count_rows(connection, name):
    return connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar()  # noqa: S608
