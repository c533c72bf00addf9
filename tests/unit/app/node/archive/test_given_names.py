"""Corrections by people survive the loss of the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import SpoolError
from app.node.archive.backup import back_up, restore
from app.node.archive.given_names import FOLDER, given_names, keep_given_names
from app.node.archive.rebuilding import rebuild
from app.node.journal import corrections
from app.node.journal.engine import journal_url, open_journal, reading
from tests.builders.journals import empty_journal

NAMED = '[{"level": 24, "vertebra": 8, "key": "series2", "centre_mm": [1.0, 2.0, 3.0]}]'
ROW = {
    "series_uid": "1.2.3",
    "content_digest": "c" * 64,
    "number": 1,
    "at": 5.0,
    "actor": "dr who",
    "job_id": "j1",
    "named": NAMED,
}


def latest(data: Path) -> corrections.Correction | None:
    engine = open_journal(journal_url(data, None))
    with reading(engine) as c:
        found = corrections.latest(c, "1.2.3", "c" * 64)
    engine.dispose()
    return found


def test_a_lost_journal_gets_every_correction_back(tmp_path: Path):
    keep_given_names(tmp_path, ROW)
    keep_given_names(tmp_path, {**ROW, "number": 2, "named": "[]"})
    keep_given_names(tmp_path, {**ROW, "number": 2, "actor": "second"})
    (tmp_path / FOLDER / "half.json").write_text('{"series_uid":')
    (tmp_path / FOLDER / "other.json").write_text('{"series_uid": "1.2.3"}')
    (tmp_path / "journal.db").write_bytes(b"spoilt")
    done = rebuild(tmp_path, "NODE")
    assert done.rows["level_correction"] == 2
    found = latest(tmp_path)
    assert found is not None
    assert (found.number, found.actor, found.named[0].level) == (2, "second", 24)
    names = [path.name for path in (tmp_path / FOLDER).iterdir()]
    assert not any("1.2.3" in name or name.endswith(".part") for name in names)


def test_a_backup_holds_them(tmp_path: Path):
    data = tmp_path / "data"
    empty_journal(data).dispose()
    keep_given_names(data, ROW)
    assert back_up(data, tmp_path / "backup").files == 1
    restore(tmp_path / "backup", tmp_path / "again")
    assert list(given_names(tmp_path / "again")) == [ROW]


def test_what_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(SpoolError, match="cannot be kept"):
        keep_given_names(tmp_path, ROW)
