"""The tables of moves say everything: each state is reachable, and none is a trap."""

from __future__ import annotations

import pytest

from app.node.journal.states import (
    DELIVERY_MOVES,
    JOB_MOVES,
    SERIES_MOVES,
    DeliveryEvent,
    DeliveryState,
    InstanceState,
    JobEvent,
    JobState,
    SeriesEvent,
    SeriesState,
)
from tests.builders.state_diagrams import BEGINNINGS

KINDS = [
    ("series", SERIES_MOVES, SeriesEvent, SeriesState),
    ("job", JOB_MOVES, JobEvent, JobState),
    ("delivery", DELIVERY_MOVES, DeliveryEvent, DeliveryState),
]


@pytest.mark.parametrize(("kind", "table", "events", "states"), KINDS)
def test_every_event_has_its_row_and_stays_within_its_kind(kind, table, events, states):
    assert set(table) == set(events), kind
    for event, move in table.items():
        assert type(event) is events
        assert move.origins
        assert all(type(state) is states for state in (*move.origins, move.target))


@pytest.mark.parametrize(("kind", "table", "events", "states"), KINDS)
def test_every_state_is_reached_and_none_is_a_trap(kind, table, events, states):
    reached, frontier = set(), {states(name) for name in BEGINNINGS[kind]}
    while frontier:
        reached |= frontier
        frontier = {m.target for m in table.values() if reached.intersection(m.origins)} - reached
    assert reached == set(states)
    for state in states:
        assert any(state in m.origins and m.target != state for m in table.values()), state


def test_only_a_running_job_succeeds():
    assert [m.origins for m in JOB_MOVES.values() if m.target == "succeeded"] == [("running",)]


def test_nothing_becomes_delivered_without_having_been_sent_or_queued():
    (move,) = (m for m in DELIVERY_MOVES.values() if m.target == "delivered")
    assert set(move.origins) == {"queued", "sent"}


def test_an_object_is_stored_quarantined_or_deleted():
    assert {str(state) for state in InstanceState} == {"stored", "quarantined", "deleted"}
