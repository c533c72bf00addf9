"""A data folder backed up while it is written, restored; a journal that is spoilt and rebuilt."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.errors import BackupError, NodeRunningError
from app.node.archive.backup import back_up, restore
from app.node.archive.rebuilding import CALLING, rebuild
from app.node.journal.engine import journal_url, open_journal, transaction
from tests.builders.dicom_sender import associated, data_set_of, sop_instance_uid_of
from tests.builders.filled_journal import fill
from tests.builders.listener import RunningListener, running_listener
from tests.builders.mr_series import make_series
from tests.builders.node_processes import write_config

OBJECTS = "SELECT sop_instance_uid, digest, series_uid, study_uid, path, facts, state FROM instance"
SLICES = 5


def rows(data: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(data / "journal.db")) as c:
        return sorted(c.execute(query).fetchall())


def send(node: RunningListener, folder: Path) -> None:
    make_series(folder, slices=SLICES)
    with associated(node.port) as sender:
        for path in sorted(folder.iterdir()):
            assert sender.offer(data_set_of(path), sop_instance_uid_of(path)) == 0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Folder of a node that received a series and did a week's work; stopped."""
    folder = tmp_path / "data"
    folder.mkdir()
    engine = open_journal(journal_url(folder, None))
    fill(engine, folder)
    with transaction(engine) as c:  # the filled journal names objects of which there are no files
        c.exec_driver_sql("DELETE FROM instance")
        c.exec_driver_sql("DELETE FROM series")
    engine.dispose()
    with running_listener(folder) as node:
        send(node, tmp_path / "in")
    return folder


def test_a_backup_of_a_running_node_is_restored_into_an_empty_folder(tmp_path: Path):
    with running_listener(tmp_path / "data") as node:
        send(node, tmp_path / "in")
        made = back_up(tmp_path / "data", tmp_path / "backup")
        assert (made.files, made.missing) == (SLICES, 0)
        restore(tmp_path / "backup", tmp_path / "again")
        assert rows(tmp_path / "again", OBJECTS) == rows(tmp_path / "data", OBJECTS)
    for file in node.files():
        copy = tmp_path / "again" / file.relative_to(tmp_path / "data")
        assert copy.read_bytes() == file.read_bytes()
    assert (tmp_path / "again").stat().st_mode & 0o777 == 0o700
    with running_listener(tmp_path / "again") as second, associated(second.port) as sender:
        for path in sorted((tmp_path / "in").iterdir()):
            assert sender.offer(data_set_of(path), sop_instance_uid_of(path)) == 0
    assert second.counters()["duplicate"] == SLICES


@pytest.mark.parametrize("harm", ["no manifest", "other bytes", "file gone", "folder in use"])
def test_a_backup_that_is_not_whole_is_not_restored_and_leaves_nothing(
    data: Path, tmp_path: Path, harm: str
):
    backup, target = tmp_path / "backup", tmp_path / "again"
    back_up(data, backup)
    match harm:
        case "no manifest":
            (backup / "manifest.json").unlink()
        case "other bytes":
            (backup / "journal.db").write_bytes(os.urandom(9000))
        case "file gone":
            next((backup / "spool").rglob("*.dcm")).unlink()
        case "folder in use":
            target.mkdir()
            (target / "mine").touch()
    with pytest.raises(BackupError):
        restore(backup, target)
    assert [path.name for path in target.glob("*")] == (["mine"] if harm == "folder in use" else [])
    assert not (tmp_path / ".again.restoring").exists()


def test_a_backup_never_overwrites_another(data: Path, tmp_path: Path):
    back_up(data, tmp_path / "backup")
    with pytest.raises(BackupError, match="not empty"):
        back_up(data, tmp_path / "backup")


def test_a_journal_spoilt_in_the_middle_keeps_what_can_be_read_and_gets_the_rest_from_the_spool(
    data: Path,
):
    tables = [f"SELECT * FROM {name}" for name in ("job", "delivery", "audit")]  # noqa: S608
    before = [rows(data, query) for query in tables]
    objects = rows(data, OBJECTS)
    with closing(sqlite3.connect(data / "journal.db")) as c:
        (root,) = c.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'instance'").fetchone()
        (size,) = c.execute("PRAGMA page_size").fetchone()
        c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (data / "journal.db").open("r+b") as out:
        out.seek((root - 1) * size)
        out.write(os.urandom(size))
    done = rebuild(data, "NODE")
    assert [rows(data, query) for query in tables] == before
    assert rows(data, OBJECTS) == objects
    assert done.objects == {"stored": SLICES}
    assert (data / done.kept_in / "journal.db").exists()


def test_a_journal_that_is_gone_is_made_of_the_spool_alone(data: Path):
    objects = [row for row in rows(data, OBJECTS) if row[6] == "stored"]
    (data / "journal.db").write_bytes(os.urandom(50_000))
    shutil.copy(next((data / "spool").rglob("*.dcm")), data / "spool" / "series" / "other.dcm")
    done = rebuild(data, "NODE")
    assert rows(data, OBJECTS) == objects
    assert done.unreadable == 1  # its name is not that of its content
    assert rows(data, "SELECT state, calling_ae_title, called_ae_title FROM series") == [
        ("receiving", CALLING, "NODE")
    ]


def test_nothing_is_rebuilt_under_a_running_listener(tmp_path: Path):
    with running_listener(tmp_path / "data"), pytest.raises(NodeRunningError):
        rebuild(tmp_path / "data", "NODE")
    assert (tmp_path / "data" / "journal.db").exists()


def test_the_commands_say_what_they_did(data: Path, tmp_path: Path):
    config = write_config(tmp_path / "app.yaml", {"data": str(data)})

    def command(*words: str, folder: Path = data) -> tuple[int, str]:
        options = ["--config", str(config), "--data", str(folder)]
        done = CliRunner().invoke(app, [*words, *options])
        return done.exit_code, done.output

    assert command("journal", "check") == (0, "the journal is sound\n")
    code, output = command("backup", str(tmp_path / "backup"))
    assert code == 0
    assert "files and" in output
    code, output = command("restore", str(tmp_path / "backup"), folder=tmp_path / "again")
    assert code == 0
    assert command("journal", "check", folder=tmp_path / "again")[0] == 0
    code, output = command("journal", "rebuild")
    assert code == 0
    assert "the old databases are kept in journal-damaged-1" in output
