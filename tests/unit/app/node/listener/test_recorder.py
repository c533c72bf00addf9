from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from app.errors import JournalError, SpoolError
from app.node.archive.spool import Spool
from app.node.journal.arrivals import Arrival, ArrivalFacts, ArrivalOutcome
from app.node.journal.associations import AssociationRecord
from app.node.journal.engine import open_journal, reading, transaction
from app.node.journal.tables import ASSOCIATION, COUNTER, INSTANCE, SERIES
from app.node.listener import recorder as module
from app.node.listener.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLICE = Arrival(
    sop_instance_uid="1.2.3.1",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    digest="a" * 64,
    series_uid="1.2.3",
    study_uid="1.2",
    path="series/aa/bb/1.dcm",
    size_bytes=1000,
    calling_ae_title="SCANNER",
    called_ae_title="NODE",
    peer_address="127.0.0.1",
    association_id="x",
    received_at=100.0,
    facts=ArrivalFacts(is_image=True),
)


class Desk:
    """A recorder on a real journal."""

    def __init__(self, folder: Path) -> None:
        self.engine = open_journal(f"sqlite:///{folder / 'journal.db'}")
        self.spool = Spool(folder / "spool")
        self.recorder = Recorder(self.engine, self.spool)
        self.folder = self.spool.root / "series"

    def count(self, table: sa.Table) -> int:
        with reading(self.engine) as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar())

    def counters(self) -> dict[str, int]:
        with reading(self.engine) as connection:
            rows = connection.execute(sa.select(COUNTER.c.label, COUNTER.c.value))
            return dict(map(tuple, rows))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.engine.dispose()


def numbered(number: int) -> Arrival:
    return replace(SLICE, sop_instance_uid=f"1.2.3.{number}", digest=f"{number:064d}")


def test_an_arrival_is_in_the_journal_when_record_returns(desk: Desk) -> None:
    assert desk.recorder.record(SLICE, desk.folder) is ArrivalOutcome.NEW
    assert desk.count(INSTANCE) == 1
    assert desk.counters() == {"stored": 1}


def test_40_arrivals_of_8_threads_share_commits_and_none_is_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = []
    real = module.transaction

    def counted(engine: sa.Engine) -> object:
        commits.append(1)
        return real(engine)

    monkeypatch.setattr(module, "transaction", counted)
    start = threading.Barrier(8)

    def send(sender: int) -> None:
        start.wait()
        for number in range(5):
            desk.recorder.record(numbered(5 * sender + number), desk.folder)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    assert desk.count(INSTANCE) == 40
    assert desk.count(SERIES) == 1
    assert desk.counters() == {"stored": 40}
    assert len(commits) < 40


def test_the_same_object_on_8_threads_is_stored_once_and_repeated_7_times(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: desk.recorder.record(SLICE, desk.folder), range(8)))
    assert sorted(map(str, outcomes)) == ["duplicate"] * 7 + ["stored"]
    assert desk.count(INSTANCE) == 1


def test_a_journal_that_refuses_is_an_error_for_all_who_wait_and_what_is_kept_back_survives(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.recorder.record(replace(SLICE, opens_series=True), desk.folder)

    def refuse(_engine: object) -> object:
        raise JournalError("out of order")

    monkeypatch.setattr(module, "transaction", refuse)
    with pytest.raises(JournalError):
        desk.recorder.record(numbered(2), desk.folder)
    desk.recorder.count("refused_A700")
    desk.recorder.end(frozenset({"1.2.3"}), 777.0, is_released=True)
    monkeypatch.setattr(module, "transaction", transaction)
    assert desk.count(INSTANCE) == 1
    desk.recorder.flush()
    assert desk.counters() == {"stored": 1, "refused_A700": 1}
    with reading(desk.engine) as connection:
        row = connection.execute(sa.select(SERIES)).mappings().one()
    assert (row["last_activity_at"], row["open_associations"]) == (777.0, 0)
    assert desk.recorder.record(numbered(2), desk.folder) is ArrivalOutcome.NEW


def test_nothing_is_committed_when_the_folder_cannot_be_synchronised(desk: Desk) -> None:
    with pytest.raises(SpoolError):
        desk.recorder.record(SLICE, desk.folder / "absent")
    assert desk.count(INSTANCE) == 0


OVER = AssociationRecord(
    association_id="x",
    began_at=1.0,
    ended_at=2.0,
    calling_ae_title="SCANNER",
    called_ae_title="NODE",
    peer_address="127.0.0.1",
    outcome="released",
    objects=20,
    statuses={"0000": 20},
)


def test_20_objects_and_their_association_are_21_commits_as_without_its_record(
    desk: Desk,
) -> None:
    commits: list[int] = []
    sa.event.listen(desk.engine, "commit", lambda _connection: commits.append(1))
    for number in range(20):
        desk.recorder.record(numbered(number), desk.folder)
    desk.recorder.note(OVER)
    desk.recorder.end(frozenset({"1.2.3"}), 2.0, is_released=True)
    assert len(commits) == 21
    assert desk.count(ASSOCIATION) == 1


def test_an_association_is_kept_while_the_journal_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise JournalError

    desk.recorder.note(OVER)
    with monkeypatch.context() as broken:
        broken.setattr(module, "write_associations", away)
        desk.recorder.flush()
    assert desk.count(ASSOCIATION) == 0
    desk.recorder.flush()
    assert desk.count(ASSOCIATION) == 1
