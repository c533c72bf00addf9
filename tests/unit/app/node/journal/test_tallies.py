"""Counts over the journal."""

from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from app.node.journal import tallies
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.journal.states import DeliveryState, JobState, SeriesState
from tests.builders.filled_journal import NOW, PACS, RESEARCH, fill


@pytest.fixture
def connection(tmp_path: Path):
    engine = open_journal(journal_url(tmp_path, None))
    fill(engine)
    with transaction(engine) as opened:
        yield opened


def test_every_state_is_counted_and_named(connection: Connection):
    counts = tallies.read_tallies(connection)
    assert counts.series == dict.fromkeys(map(str, SeriesState), 1)
    assert counts.jobs == dict.fromkeys(map(str, JobState), 1)
    assert counts.objects == {"stored": 4100, "duplicate": 210, "refused_A700": 3}
    assert counts.oldest_waiting_at == NOW - 90
    at_pacs = tallies.deliveries_by_state(counts, PACS)
    assert set(at_pacs) == set(DeliveryState)
    assert (at_pacs["delivered"], at_pacs["parked"]) == (1, 0)


def test_an_empty_journal_counts_zero(tmp_path: Path):
    with transaction(open_journal(journal_url(tmp_path, None))) as connection:
        counts = tallies.read_tallies(connection)
    assert set(counts.jobs.values()) == {0}
    assert counts.oldest_waiting_at is None


def test_a_process_silent_for_a_day_is_forgotten(connection: Connection):
    assert len(tallies.list_processes(connection, NOW)) == 3
    assert tallies.list_processes(connection, NOW + tallies.FORGOTTEN_AFTER_S) == []


def test_destinations_tell_failures_and_pauses(connection: Connection):
    known = tallies.list_destinations(connection)
    assert known[PACS].last_success_at == NOW - 900
    assert (known[RESEARCH].consecutive_failures, known[RESEARCH].open_until) == (6, NOW + 75)


def test_seconds_are_summed_over_the_series_of_a_run():
    entries = [{"durations_s": {"a": 1.0, "b": 2}}, {"durations_s": {"a": 0.5}}, {}, None]
    assert tallies.seconds_by_step({"series": entries}) == {"a": 1.5, "b": 2.0}
    assert tallies.seconds_by_step({}) == {}


def test_step_times_come_in_the_order_in_which_jobs_finished(connection: Connection):
    rows = tallies.step_durations(connection, NOW - 1200, 2)
    assert [(job, run) for _, job, run, _ in rows] == [("j-succeeded", 1), ("j-refused", 1)]
    assert rows[0][3]["segment_semantic"] == 21.4
