"""Deliveries: planned once, every round with its own number, moved only from what was read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.node.journal.deliveries import DeliveryGroup, due, plan, withhold
from app.node.journal.delivery_decisions import discard, release, resend
from app.node.journal.destinations import health_of, note_failure, open_breaker
from app.node.journal.engine import reading, transaction
from app.node.journal.parcels import advance, count_attempt, note, parcels_asked, parcels_of
from app.node.journal.states import DELIVERY_MOVES, DeliveryEvent, DeliveryState
from tests.builders.planned_deliveries import (
    START,
    PlannedJob,
    delivery_rows,
    journal_in,
    plan_job,
    states_of,
)

ENDS = {
    DeliveryState.DELIVERED: DeliveryEvent.CONFIRM,
    DeliveryState.PARKED: DeliveryEvent.PARK,
    DeliveryState.DEAD: DeliveryEvent.GIVE_UP,
    DeliveryState.DISCARDED: DeliveryEvent.DISCARD,
    DeliveryState.DECLINED: DeliveryEvent.DECLINE,
}


class Desk:
    """A journal with one planned job."""

    def __init__(self, data: Path, **choices: object) -> None:
        self.engine = journal_in(data)
        self.job = plan_job(self.engine, data, **choices)

    def due(self, now: float = START) -> list[DeliveryGroup]:
        with reading(self.engine) as c:
            return due(c, now)

    def act(self, action, identifier: str, now: float = START) -> bool:
        with transaction(self.engine) as c:
            return action(c, identifier, now)

    def force(self, state: DeliveryState, group: DeliveryGroup | None = None) -> None:
        """Bring every object of a group to its end."""
        with transaction(self.engine) as c:
            for parcel in parcels_of(c, group or self.job.group()):
                assert advance(c, parcel, ENDS[state])


@pytest.mark.parametrize(("choice", "state"), [("auto", "queued"), ("hold", "held")])
def test_each_object_goes_to_each_destination_once(tmp_path: Path, choice: str, state: str) -> None:
    desk = Desk(tmp_path, destinations=["pacs", "archive", "pacs"], release=choice)
    for name in ("pacs", "archive"):
        assert states_of(desk.engine, desk.job, name) == [state] * 2


def test_what_is_withheld_is_held_back_as_it_is_planned_and_never_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    one, other = desk.job.sop_instance_uids
    with transaction(desk.engine) as c:
        assert withhold(c, {one: "withheld: a"}, planned_at=START) == 1
    rows = {row.sop_instance_uid: row for row in delivery_rows(desk.engine, desk.job)}
    assert (rows[one].state, rows[one].last_error) == ("held", "withheld: a")
    assert rows[one].released_at is None
    assert rows[other].state == "queued"
    assert desk.act(release, desk.job.job_id)
    with transaction(desk.engine) as c:  # a repeat of the job, planned at another time
        assert withhold(c, {one: "withheld: a"}, planned_at=START + 99) == 0
    assert states_of(desk.engine, desk.job) == ["queued"] * 2


def test_planning_again_changes_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.force(DeliveryState.DELIVERED)
    before = delivery_rows(desk.engine, desk.job)
    with transaction(desk.engine) as c:
        again = plan(
            c,
            desk.job.job_id,
            desk.job.sop_instance_uids,
            destinations=["pacs"],
            release="auto",
            now=START + 99,
        )
    assert again == 0
    assert delivery_rows(desk.engine, desk.job) == before


def test_an_object_planned_later_gets_a_generation_whose_workflow_has_not_run(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    desk.force(DeliveryState.DELIVERED)
    with transaction(desk.engine) as c:
        plan(c, desk.job.job_id, ["2.25.9"], destinations=["pacs"], release="auto", now=START)
    assert desk.due() == [desk.job.group(generation=2)]


def test_a_group_is_due_until_its_first_attempt_and_again_when_it_is_a_minute_late(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    assert desk.due() == [desk.job.group()]
    with transaction(desk.engine) as c:
        for parcel in parcels_of(c, desk.job.group()):
            note(c, parcel, next_attempt_at=START + 900)
    assert desk.due(START + 900) == []
    assert desk.due(START + 961) == [desk.job.group()]


def test_objects_held_delivered_parked_dead_or_discarded_are_not_due(tmp_path: Path) -> None:
    for number, state in enumerate(ENDS):
        desk = Desk(tmp_path / str(number))
        desk.force(state)
        assert desk.due() == []
    assert Desk(tmp_path / "held", release="hold").due() == []


def test_releasing_one_object_and_then_the_rest_gives_two_generations(tmp_path: Path) -> None:
    desk = Desk(tmp_path, release="hold")
    first, _ = delivery_rows(desk.engine, desk.job)
    assert desk.act(release, first.delivery_id)
    (group,) = desk.due()
    desk.force(DeliveryState.DELIVERED, group)
    assert desk.act(release, desk.job.job_id)
    (later,) = desk.due()
    assert later.generation == group.generation + 1
    assert not desk.act(release, desk.job.job_id)


def test_sending_again_starts_from_the_first_attempt_with_the_whole_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with transaction(desk.engine) as c:
        count_attempt(c, desk.job.group(), parcels_of(c, desk.job.group()), START)
        for parcel in parcels_of(c, desk.job.group()):
            advance(c, parcel, DeliveryEvent.GIVE_UP, last_error="status_C000", last_status=0xC000)
    assert desk.act(resend, desk.job.job_id, START + 1e6)
    for row in delivery_rows(desk.engine, desk.job):
        assert (row.state, row.attempts, row.generation) == ("queued", 0, 2)
        assert (row.released_at, row.last_error, row.last_status) == (START + 1e6, "", None)
        assert row.next_attempt_at is None


def test_sending_again_leaves_what_is_held(tmp_path: Path) -> None:
    desk = Desk(tmp_path, release="hold")
    assert not desk.act(resend, desk.job.job_id)
    assert states_of(desk.engine, desk.job) == ["held"] * 2


def test_sending_again_ends_the_pause_of_that_destination_only(tmp_path: Path) -> None:
    desk = Desk(tmp_path, destinations=["pacs", "archive"])
    with transaction(desk.engine) as c:
        for name in ("pacs", "archive"):
            note_failure(c, name, START, "unreachable")
            open_breaker(c, name, START + 900)
    row, _ = delivery_rows(desk.engine, desk.job, "pacs")
    assert desk.act(resend, row.delivery_id, START + 1)
    with reading(desk.engine) as c:
        assert health_of(c, "pacs").open_until == START + 1
        assert health_of(c, "archive").open_until == START + 900


def test_discarding_stops_what_is_open_and_leaves_what_is_delivered(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with transaction(desk.engine) as c:
        first, _ = parcels_of(c, desk.job.group())
        advance(c, first, DeliveryEvent.CONFIRM)
    assert desk.act(discard, desk.job.job_id)
    assert states_of(desk.engine, desk.job) == ["delivered", "discarded"]
    assert not desk.act(discard, desk.job.job_id)
    assert not desk.act(discard, "no such delivery")


def test_a_move_from_a_state_that_no_longer_holds_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path, objects=1)
    with transaction(desk.engine) as c:
        (seen,) = parcels_of(c, desk.job.group())
        assert advance(c, seen, DeliveryEvent.CONFIRM)
        assert not advance(c, seen, DeliveryEvent.RETRY)
    assert states_of(desk.engine, desk.job) == ["delivered"]


def test_a_move_of_an_earlier_generation_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path, objects=1)
    with reading(desk.engine) as c:
        (seen,) = parcels_of(c, desk.job.group())
    desk.act(resend, desk.job.job_id)
    with transaction(desk.engine) as c:
        assert not advance(c, seen, DeliveryEvent.GIVE_UP)
    assert states_of(desk.engine, desk.job) == ["queued"]


def test_an_event_that_the_state_does_not_know_raises(tmp_path: Path) -> None:
    desk = Desk(tmp_path, objects=1)
    with transaction(desk.engine) as c:
        (seen,) = parcels_of(c, desk.job.group())
        for event, what in DELIVERY_MOVES.items():
            for state in set(DeliveryState).difference(what.origins):
                with pytest.raises(ValueError, match="knows no"):
                    advance(c, replace(seen, state=state), event)


def test_a_parcel_says_how_the_object_is_found_at_the_destination(tmp_path: Path) -> None:
    desk = Desk(tmp_path, objects=1)
    with reading(desk.engine) as c:
        (parcel,) = parcels_of(c, desk.job.group())
    job: PlannedJob = desk.job
    assert (parcel.study_uid, parcel.series_uid) == (job.study_uid, job.series_uid)
    assert parcel.sop_instance_uid == job.sop_instance_uids[0]
    assert tmp_path / parcel.path == job.paths[0]
    assert (parcel.attempts, parcel.released_at) == (0, START)


def test_a_request_for_commitment_finds_what_still_waits_for_it(tmp_path: Path) -> None:
    engine = journal_in(tmp_path)
    job = plan_job(engine, tmp_path, destinations=("a", "b"), objects=2)
    with transaction(engine) as c:
        for destination in ("a", "b"):
            for parcel in parcels_of(c, job.group(destination)):
                advance(c, parcel, DeliveryEvent.ACKNOWLEDGE, commit_uid=f"2.25.{ord(destination)}")
        (last, _) = parcels_of(c, job.group("a"))
        advance(c, last, DeliveryEvent.CONFIRM)
        asked = parcels_asked(c, "2.25.97")
        assert {group: len(parcels) for group, parcels in asked.items()} == {job.group("a"): 1}
        assert len(parcels_asked(c, "2.25.98")[job.group("b")]) == 2
        assert parcels_asked(c, "2.25.99") == {}
        # What is sent anew no earlier request can confirm.
        resend(c, job.job_id, START + 1)
        assert parcels_asked(c, "2.25.98") == {}
