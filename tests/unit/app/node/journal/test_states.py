"""The transition tables say everything: each state is named, reachable, and ends somewhere."""

from __future__ import annotations

import pytest

from app.node.journal.states import (
    MOVES,
    DeliveryState,
    InstanceState,
    JobState,
    SeriesState,
    origins_of,
)

KINDS = [SeriesState, JobState, DeliveryState]
FIRST = {SeriesState: "receiving", JobState: "waiting", DeliveryState: "held"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_has_a_row_and_stays_within_its_kind(kind):
    assert set(MOVES[kind]) == set(kind)
    for targets in MOVES[kind].values():
        assert all(type(target) is kind for target in targets)


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_is_reached_from_the_first_one_and_none_is_a_trap(kind):
    reached, frontier = set(), {kind(FIRST[kind])}
    while frontier:
        reached |= frontier
        frontier = {target for state in frontier for target in MOVES[kind][state]} - reached
    assert reached == set(kind)
    assert all(MOVES[kind].values())


def test_only_a_running_job_succeeds():
    assert origins_of(JobState.SUCCEEDED) == ("running",)


def test_nothing_becomes_delivered_without_having_been_sent_or_queued():
    assert set(origins_of(DeliveryState.DELIVERED)) == {"queued", "sent"}


def test_an_object_is_stored_quarantined_or_deleted():
    assert {str(state) for state in InstanceState} == {"stored", "quarantined", "deleted"}
