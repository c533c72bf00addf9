from __future__ import annotations

from pathlib import Path

from app.node.journal.engine import transaction
from app.node.journal.processes import (
    Heartbeat,
    PulseWatch,
    beat,
    beat_period_s,
    forget,
    heartbeats,
)
from tests.builders.journals import empty_journal


def worker(name: str, at: float = 1.0) -> Heartbeat:
    return Heartbeat(process_id=name, role="worker", beat=at, detail={"pid": 7})


def test_a_heartbeat_is_one_row_per_process(tmp_path: Path):
    engine = empty_journal(tmp_path)
    with transaction(engine) as c:
        beat(c, worker("a", 1.0))
        beat(c, worker("a", 2.0))
        beat(c, Heartbeat(process_id="l", role="listener", beat=2.0))
        assert heartbeats(c, "worker") == [worker("a", 2.0)]
        assert len(heartbeats(c)) == 2
        forget(c, "a")
        assert heartbeats(c, "worker") == []
    engine.dispose()


def test_a_process_is_silent_after_the_lease_of_the_watcher_not_by_its_own_clock():
    watch = PulseWatch(lease_s=30)
    hearts = [worker("dead", 1e9), worker("alive", 5.0)]
    assert watch.silent(hearts, 100.0) == []
    assert watch.silent([hearts[0], worker("alive", 4.0)], 129.0) == []
    assert watch.silent([hearts[0], worker("alive", 4.0)], 131.0) == ["dead"]


def test_after_an_outage_everybody_gets_the_whole_lease_again():
    watch = PulseWatch(lease_s=30)
    watch.silent([worker("a")], 0.0)
    watch.contact_lost()
    assert watch.silent([worker("a")], 100.0) == []
    assert watch.silent([worker("a")], 131.0) == ["a"]


def test_a_process_that_speaks_again_is_alive():
    watch = PulseWatch(lease_s=30)
    watch.silent([worker("a", 1.0)], 0.0)
    assert watch.silent([worker("a", 1.0)], 40.0) == ["a"]
    assert watch.silent([worker("a", 2.0)], 41.0) == []


def test_a_process_reports_six_times_within_the_lease_and_at_least_every_5_s():
    assert [beat_period_s(lease_s) for lease_s in (1.5, 3.0, 30.0, 3600.0)] == [0.25, 0.5, 5, 5]
