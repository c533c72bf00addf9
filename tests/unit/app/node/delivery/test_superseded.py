"""Queued results of a job that is replaced: they wait, are withdrawn, or are found to be there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.errors import PeerRefusedError
from app.node.delivery.superseded import AWAIT_S
from app.node.journal.delivery_decisions import hurry
from app.node.journal.destinations import health_of, note_failure, open_breaker
from app.node.journal.engine import transaction
from app.node.journal.replaced import withdraw_replaced
from app.node.journal.tables import JOB
from app.node.peers.destination import Locatable
from tests.builders.journal_rows import insert
from tests.builders.planned_deliveries import START, delivery_rows, states_of
from tests.unit.app.node.delivery.test_attempt import LOST, Desk, PlainPeer

CAUSE = "replaced_by_revision_2"


def replace(desk: Desk, state: str = "waiting") -> None:
    """A newer content of the same series has come."""
    with transaction(desk.engine) as c:
        insert(c, "job", job_id="newer", revision=2, created_at=START, state=state)


def end(desk: Desk, state: str) -> int:
    """The newer job ends; as its worker does, a success withdraws what it replaces."""
    ended = {"state": state, "finished_at": desk.clock()}
    with transaction(desk.engine) as c:
        c.execute(sa.update(JOB).where(JOB.c.job_id == "newer").values(ended))
        return withdraw_replaced(c, "newer", desk.clock()) if state == "succeeded" else 0


def try_in_vain(desk: Desk, fault: int | None = None) -> None:
    """One attempt that fails, at an object (`fault`) or before."""
    desk.peer.is_up = lambda: fault is not None
    desk.peer.script = [LOST] if fault is None else [fault]
    assert desk.courier.attempt(desk.job.group()).delay_s is not None
    desk.peer.script, desk.peer.is_up = [], lambda: True


def causes(desk: Desk) -> set[str]:
    return {row.last_error for row in delivery_rows(desk.engine, desk.job)}


def test_what_was_never_tried_is_withdrawn_by_the_result_that_replaces_it(tmp_path: Path):
    desk = Desk(tmp_path, PlainPeer())
    replace(desk)
    assert end(desk, "succeeded") == 2
    assert states_of(desk.engine, desk.job) == ["discarded"] * 2
    assert causes(desk) == {CAUSE}
    assert desk.courier.attempt(desk.job.group()).is_finished
    assert not desk.peer.offered


def test_what_is_being_replaced_waits_and_goes_out_where_nothing_comes_of_it(tmp_path: Path):
    desk = Desk(tmp_path, PlainPeer())
    replace(desk)
    for _ in range(3):
        assert desk.courier.attempt(desk.job.group()).delay_s == AWAIT_S
        desk.clock.advance(AWAIT_S)
    assert [row.attempts for row in delivery_rows(desk.engine, desk.job)] == [0, 0]
    end(desk, "dead")
    desk.finish()
    assert states_of(desk.engine, desk.job) == ["delivered"] * 2
    assert set(desk.peer.offered.values()) == {1}


def test_what_waits_for_its_replacement_beyond_the_time_allowed_waits_for_a_person(tmp_path: Path):
    desk = Desk(tmp_path, PlainPeer())
    replace(desk)
    desk.clock.advance(73 * 3600)
    assert desk.courier.attempt(desk.job.group()).is_finished
    assert (states_of(desk.engine, desk.job), causes(desk)) == (["dead"] * 2, {CAUSE})
    assert not desk.peer.offered


def test_a_destination_that_pauses_is_not_tried_for_what_waits_for_its_replacement(tmp_path: Path):
    desk = Desk(tmp_path, PlainPeer())
    desk.peer.is_up = lambda: pytest.fail("spoken with")
    replace(desk)
    with transaction(desk.engine) as c:
        note_failure(c, "pacs", START - 9, "unreachable")
        open_breaker(c, "pacs", START - 1)
    assert desk.courier.attempt(desk.job.group()).delay_s == AWAIT_S
    with transaction(desk.engine) as c:  # the one trial is left to others
        assert health_of(c, "pacs").open_until == START - 1


def test_an_object_that_arrived_without_our_knowing_is_delivered_and_the_others_are_withdrawn(
    tmp_path: Path,
):
    desk = Desk(tmp_path, PlainPeer())
    replace(desk, "refused")
    try_in_vain(desk, fault=LOST)
    (arrived,) = desk.peer.offered
    desk.peer.held.add(arrived)
    end(desk, "succeeded")
    assert "discarded" not in states_of(desk.engine, desk.job)
    desk.clock.advance(60)
    desk.finish()
    states = {row.sop_instance_uid: row.state for row in delivery_rows(desk.engine, desk.job)}
    assert states.pop(arrived) == "delivered"
    assert list(states.values()) == ["discarded"]
    assert desk.peer.offered.total() == 1


def test_what_was_tried_at_a_peer_that_is_down_waits_for_its_answer_and_is_withdrawn(
    tmp_path: Path,
):
    desk = Desk(tmp_path, PlainPeer())
    replace(desk, "cancelled")
    try_in_vain(desk)
    assert end(desk, "succeeded") == 0
    desk.clock.advance(60)
    desk.peer.is_up = lambda: False
    assert desk.courier.attempt(desk.job.group()).delay_s is not None
    assert (states_of(desk.engine, desk.job), causes(desk)) == (["queued"] * 2, {"unreachable"})
    desk.peer.is_up = lambda: True
    desk.clock.advance(3600)
    desk.finish()
    assert (states_of(desk.engine, desk.job), causes(desk)) == (["discarded"] * 2, {CAUSE})
    assert not desk.peer.offered


class Dumb(PlainPeer):
    """Takes objects, and refuses every question."""

    reason = "query_refused"

    def holds(self, objects: Sequence[Locatable]) -> frozenset[str]:
        raise PeerRefusedError(reasons=(self.reason,))


@pytest.mark.parametrize(
    ("reason", "states"), [("query_refused", ["discarded"]), ("rejected_permanent", ["queued"])]
)
def test_a_peer_that_answers_no_question_is_taken_not_to_hold_it(
    tmp_path: Path, reason: str, states: list[str]
):
    desk = Desk(tmp_path, Dumb(), objects=1)
    desk.peer.reason = reason  # type: ignore[attr-defined]
    replace(desk, "cancelled")
    try_in_vain(desk, fault=0xA700)
    end(desk, "succeeded")
    desk.clock.advance(60)
    desk.courier.attempt(desk.job.group())
    assert states_of(desk.engine, desk.job) == states


def test_what_is_being_sent_when_it_is_replaced_goes_out(tmp_path: Path):
    """Its attempt is counted: the object may be on its way, and a person is told where it is."""

    class Slow(PlainPeer):
        def store(self, files, on_reply) -> None:  # type: ignore[no-untyped-def]
            replace(desk)
            assert end(desk, "succeeded") == 0
            super().store(files, on_reply)

    desk = Desk(tmp_path, Slow())
    desk.finish()
    assert states_of(desk.engine, desk.job) == ["delivered"] * 2


def test_what_is_replaced_between_the_look_and_the_count_is_not_sent(tmp_path: Path):
    peer = PlainPeer()
    desk = Desk(tmp_path, peer)

    def arrive_at_the_first_write() -> None:
        peer.step = lambda: None
        replace(desk, "running")

    peer.step = arrive_at_the_first_write
    delay_s = desk.courier.attempt(desk.job.group()).delay_s
    assert delay_s == pytest.approx(0.2)
    assert not peer.offered
    assert desk.courier.attempt(desk.job.group()).delay_s == AWAIT_S


def test_a_person_in_a_hurry_gets_nothing_out_that_is_replaced(tmp_path: Path):
    desk = Desk(tmp_path, PlainPeer())
    replace(desk)
    assert desk.courier.attempt(desk.job.group()).delay_s == AWAIT_S
    with transaction(desk.engine) as c:
        assert hurry(c, "pacs", desk.clock())
    assert desk.courier.attempt(desk.job.group(generation=2)).delay_s == AWAIT_S
    assert not desk.peer.offered
