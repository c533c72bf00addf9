"""Who did what."""

from pathlib import Path

from app.node.journal.audit import Deed, list_deeds, record_deed
from app.node.journal.engine import journal_url, open_journal, reading, transaction


def test_deeds_come_newest_first_and_by_subject(tmp_path: Path):
    engine = open_journal(journal_url(tmp_path, None))
    with transaction(engine) as connection:
        for at, subject in ((1.0, "a"), (3.0, "b"), (2.0, "a")):
            record_deed(connection, Deed(at=at, actor="anna", action="job.replay", subject=subject))
    with reading(engine) as connection:
        assert [deed.at for deed in list_deeds(connection)] == [3.0, 2.0, 1.0]
        assert [deed.at for deed in list_deeds(connection, subject="a", limit=1)] == [2.0]


def test_values_wider_than_their_column_are_cut_and_not_refused(tmp_path: Path):
    engine = open_journal(journal_url(tmp_path, None))
    deed = Deed(at=1.0, actor="a" * 100, action="b" * 100, subject="c" * 100, detail="done")
    with transaction(engine) as connection:
        record_deed(connection, deed)
        kept = list_deeds(connection)[0]
    assert (len(kept.actor), len(kept.action), len(kept.subject)) == (64, 32, 64)
