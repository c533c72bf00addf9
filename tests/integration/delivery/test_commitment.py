"""Delivered means committed where a destination commits; its report comes at once or later."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context
from pynetdicom.sop_class import StorageCommitmentPushModel

from app.node.delivery.attempt import Courier
from app.node.journal.attention import Circumstances, read_attention
from app.node.journal.engine import reading
from app.node.journal.tables import DELIVERY
from app.node.peers.dimse import Patience
from app.node.peers.kinds import destination_of
from app.settings.peers import DimsePeerSettings
from tests.builders.faulty_pacs import HOST, FaultyPacs, faulty_pacs
from tests.builders.listener import RunningListener, running_listener
from tests.builders.orthanc import needs_orthanc, running_orthanc
from tests.builders.planned_deliveries import (
    Heard,
    PlannedJob,
    VirtualClock,
    delivery_rows,
    journal_in,
    node_of,
    plan_job,
    states_of,
)
from tests.builders.waiting import eventually

TITLE = "SPINENODE"
QUICK = Patience(connect_s=2, association_s=2, message_s=2, report_s=0.4)
HOUR_S = 3600.0


class Scene:
    """A job, its journal, a clock, a courier."""

    def __init__(
        self, data: Path, peer: DimsePeerSettings, *, objects: int = 3, **delivery: float
    ) -> None:
        self.engine = journal_in(data)
        self.clock, self.heard = VirtualClock(), Heard()
        self.courier = Courier(
            self.engine,
            node_of(data, peer, **delivery),
            clock=self.clock,
            emit=self.heard,
            open_destination=partial(destination_of, patience=QUICK),
        )
        self.job: PlannedJob = plan_job(self.engine, data, objects=objects)

    def attempt(self) -> float | None:
        return self.courier.attempt(self.job.group()).delay_s

    def states(self) -> list[str]:
        return states_of(self.engine, self.job)

    def rows(self) -> list[sa.Row]:
        return delivery_rows(self.engine, self.job)

    def attention(self) -> int:
        with reading(self.engine) as c:
            found = read_attention(c, Circumstances())
        return next(row.count for row in found if row.kind == "delivery_uncommitted")


def committing(pacs: FaultyPacs) -> DimsePeerSettings:
    return pacs.peer(can_commit=True)


def test_a_report_on_the_same_association_ends_the_delivery_within_the_attempt(
    tmp_path: Path,
) -> None:
    with faulty_pacs(commits="same") as pacs:
        scene = Scene(tmp_path, committing(pacs))
        assert scene.attempt() is None
        eventually(lambda: pacs.report_answers == [0x0000])
    assert [(row.state, row.confirmed_by) for row in scene.rows()] == [
        ("delivered", "commitment")
    ] * 3
    ((_, asked),) = pacs.asked
    assert sorted(asked) == list(scene.job.sop_instance_uids)
    assert pacs.finds == 0
    assert scene.heard.numbers() == [501, 502, 502, 502, 509]


def test_a_report_on_a_new_association_is_taken_by_the_listener(tmp_path: Path) -> None:
    with running_listener(tmp_path, ae_title=TITLE) as node, faulty_pacs(commits="new") as pacs:
        pacs.report_to = (TITLE, node.port)
        scene = Scene(tmp_path, committing(pacs))
        scene.attempt()
        eventually(lambda: scene.states() == ["delivered"] * 3)
        eventually(lambda: pacs.report_answers == [0x0000])
        assert scene.attempt() is None
    assert {row.confirmed_by for row in scene.rows()} == {"commitment"}
    assert pacs.received == list(scene.job.sop_instance_uids)
    assert (509, {"count": 3, "committed": 3, "failed": 0}) in node.told


AGAIN = (0x0112, 0x0110, 0x0213, 0x0131)  # no such instance, failure, resources, transaction
FOR_A_PERSON = (0x0119, 0x0122)  # class and instance conflict, SOP class not supported


def test_what_is_not_committed_is_sent_again_or_waits_for_a_person(tmp_path: Path) -> None:
    reasons = (*AGAIN, *FOR_A_PERSON)
    with faulty_pacs(commits="same") as pacs:
        scene = Scene(tmp_path, committing(pacs), objects=len(reasons) + 1)
        *bad, good = scene.job.sop_instance_uids
        pacs.uncommitted = dict(zip(bad, reasons, strict=True))
        delay_s = scene.attempt()
        assert [(row.state, row.last_error) for row in scene.rows()] == [
            *[("queued", f"uncommitted_{reason:04X}") for reason in AGAIN],
            *[("dead", f"uncommitted_{reason:04X}") for reason in FOR_A_PERSON],
            ("delivered", ""),
        ]
        # Sent again, though C-FIND would list it: what it has there it could not commit.
        pacs.uncommitted = {}
        while delay_s is not None:
            scene.clock.advance(delay_s)
            delay_s = scene.attempt()
    assert scene.states() == ["delivered"] * 4 + ["dead"] * 2 + ["delivered"]
    assert sorted(pacs.received) == sorted([*bad, good, *bad[: len(AGAIN)]])
    assert pacs.finds == 0


def test_a_report_that_does_not_come_is_told_and_asked_for_again(tmp_path: Path) -> None:
    with running_listener(tmp_path, ae_title=TITLE) as node, faulty_pacs(commits="never") as pacs:
        pacs.report_to = (TITLE, node.port)
        scene = Scene(tmp_path, committing(pacs), commit_deadline_s=HOUR_S)
        passed = 0.0
        while passed < HOUR_S:
            delay_s = scene.attempt()
            assert delay_s is not None
            assert len(pacs.asked) == 1
            assert scene.attention() == 0
            passed += delay_s
            scene.clock.advance(delay_s)
        scene.attempt()
        assert scene.attention() == 3
        (first, _), (second, _) = pacs.asked
        assert first != second
        pacs.report(first)  # of a request that another one has replaced
        assert scene.states() == ["sent"] * 3
        pacs.report(second)
        assert scene.states() == ["delivered"] * 3
        assert pacs.report_answers == [0x0000] * 2
        assert scene.attention() == 0
    assert pacs.received == list(scene.job.sop_instance_uids)


def test_without_a_report_it_waits_for_a_person_at_the_end_of_the_time_allowed(
    tmp_path: Path,
) -> None:
    with faulty_pacs(commits="never") as pacs:
        scene = Scene(tmp_path, committing(pacs), give_up_after_h=2, commit_deadline_s=3600)
        for _ in range(20):
            delay_s = scene.attempt()
            if delay_s is None:
                break
            scene.clock.advance(delay_s)
    assert [(row.state, row.last_error) for row in scene.rows()] == [
        ("dead", "commitment_overdue")
    ] * 3
    assert len(pacs.asked) == 2


def test_a_node_killed_before_it_knows_that_the_request_was_taken_asks_anew(tmp_path: Path) -> None:
    with faulty_pacs(commits="never") as pacs:
        scene = Scene(tmp_path, committing(pacs))
        scene.attempt()
        with scene.engine.begin() as c:  # as after the crash: the request is on record alone
            c.execute(sa.update(DELIVERY).values(commit_asked_at=None, next_attempt_at=None))
        pacs.commits = "same"
        assert scene.attempt() is None
    assert len(pacs.asked) == 2
    assert pacs.received == list(scene.job.sop_instance_uids)


def test_who_offers_no_commitment_is_asked_by_c_find(tmp_path: Path) -> None:
    with faulty_pacs() as pacs:
        scene = Scene(tmp_path, committing(pacs))
        assert scene.attempt() is None
    assert {row.confirmed_by for row in scene.rows()} == {"c_find"}


def test_a_peer_that_takes_objects_and_no_requests_keeps_taking_objects(tmp_path: Path) -> None:
    with faulty_pacs(commits="never") as pacs:
        scene = Scene(tmp_path, committing(pacs))
        pacs.action_status = 0x0213
        delay_s = scene.attempt()
        assert delay_s is not None
        assert [(row.state, row.last_error) for row in scene.rows()] == [
            ("sent", "status_0213")
        ] * 3
        pacs.action_status, pacs.commits = 0x0000, "same"
        scene.clock.advance(delay_s)
        assert scene.attempt() is None
    assert pacs.received == list(scene.job.sop_instance_uids)


# --- what others may send -------------------------------------------------------------------------


def reported(node: RunningListener, information: Dataset) -> int | None:
    """Status that the listener answers; None: it ended the association."""
    return next(iter(answers_to(node, [information])), None)


def answers_to(node: RunningListener, reports: Sequence[Dataset]) -> list[int]:
    """Statuses that the listener answers on one association, until it ends it."""
    assoc = AE("STRANGER").associate(
        HOST, node.port, [build_context(StorageCommitmentPushModel)], ae_title=TITLE
    )
    assert assoc.is_established
    statuses: list[int] = []
    for report in reports:
        answer, _ = assoc.send_n_event_report(
            report, 1, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1"
        )
        if "Status" not in answer:
            return statuses
        statuses.append(int(answer.Status))
    assoc.release()
    return statuses


def test_reports_that_nobody_asked_for_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_listener(tmp_path, ae_title=TITLE) as node, faulty_pacs(commits="never") as pacs:
        scene = Scene(tmp_path, committing(pacs))
        scene.attempt()
        invented = Dataset()
        invented.TransactionUID = "2.25.1"
        item = Dataset()
        item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
        item.ReferencedSOPInstanceUID = scene.job.sop_instance_uids[0]
        invented.ReferencedSOPSequence = [item]
        assert reported(node, invented) == 0x0000
        nothing = Dataset()
        nothing.PatientID = "1"
        assert reported(node, nothing) == 0x0115
        endless = Dataset()
        endless.TransactionUID = "2.25.2"
        endless.add_new(0x00091010, "UN", b"\0" * (2 << 20))
        assert reported(node, endless) is None
        # Each report has a thread: one association may not start any number of them.
        monkeypatch.setattr("app.node.listener.association.MOST_REPORTS", 5)
        assert answers_to(node, [invented] * 9) == [0x0000] * 5
    assert scene.states() == ["sent"] * 3


# --- a real PACS ----------------------------------------------------------------------------------


@needs_orthanc
def test_orthanc_commits_and_says_what_it_has_lost(tmp_path: Path) -> None:
    data = tmp_path / "node"
    with (
        running_listener(data, ae_title=TITLE) as node,
        running_orthanc(tmp_path, modalities={"node": (TITLE, node.port)}) as pacs,
    ):
        peer = DimsePeerSettings(
            name="pacs", ae_title=pacs.ae_title, host=HOST, port=pacs.dicom_port, can_commit=True
        )
        scene = Scene(data, peer)
        scene.attempt()
        eventually(lambda: scene.states() == ["delivered"] * 3)
        assert {row.confirmed_by for row in scene.rows()} == {"commitment"}
        # An object that it acknowledged, and has lost when it is asked to commit it.
        lost = plan_job(scene.engine, data, "b", objects=2)
        scene.courier.attempt(lost.group())
        eventually(lambda: states_of(scene.engine, lost) == ["delivered"] * 2)
        with scene.engine.begin() as c:
            c.execute(
                sa.update(DELIVERY)
                .where(DELIVERY.c.job_id == lost.job_id)
                .values(state="sent", commit_asked_at=None, confirmed_by="", next_attempt_at=None)
            )
        pacs.delete_instance(lost.sop_instance_uids[0])
        scene.courier.attempt(lost.group())
        eventually(lambda: states_of(scene.engine, lost) == ["queued", "delivered"])
        (row, _) = delivery_rows(scene.engine, lost)
        assert row.last_error.startswith("uncommitted_")
        scene.clock.advance(3600)
        scene.courier.attempt(lost.group())
        eventually(lambda: states_of(scene.engine, lost) == ["delivered"] * 2)
        assert pacs.count_instances() == 5
