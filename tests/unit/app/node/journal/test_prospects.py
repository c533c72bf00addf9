"""Place in the queue and expected end, from running times of which the answer is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.node.journal.engine import reading, transaction
from app.node.journal.overview import find_job
from app.node.journal.priorities import NEXT, run_next
from app.node.journal.processes import Heartbeat, beat
from app.node.journal.prospects import LATEST, Prospect, prospect_of
from app.node.journal.runs import begin
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal

NOW = 10_000.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Engine]:
    engine = empty_journal(tmp_path)
    with transaction(engine) as c:
        for number, created in enumerate((10.0, 20.0, 30.0), 1):
            insert(c, "job", job_id=f"w{number}", state="queued", created_at=created)
        insert(c, "job", job_id="urgent", state="waiting", created_at=40.0, priority=10)
        insert(c, "job", job_id="runs", state="running", created_at=1.0, started_at=NOW - 20)
    yield engine
    engine.dispose()


def finish(journal: Engine, *seconds: float, state: str = "succeeded") -> None:
    with transaction(journal) as c:
        for number, duration_s in enumerate(seconds):
            record = json.dumps({"duration_s": duration_s})
            insert(
                c, "job", job_id=f"{state}{number}", state=state, finished_at=float(number),
                record=record,
            )  # fmt: skip


def work(journal: Engine, count: int, **detail: object) -> None:
    with transaction(journal) as c:
        for number in range(count):
            heart = Heartbeat(process_id=f"w{number}", role="worker", beat=NOW - 5, detail=detail)
            beat(c, heart)


def prospect(journal: Engine, job_id: str) -> Prospect | None:
    with reading(journal) as c:
        row = find_job(c, job_id)
        assert row is not None
        return prospect_of(c, row, now=NOW, lease_s=30.0)


def after(journal: Engine, job_id: str) -> tuple[float, float]:
    told = prospect(journal, job_id)
    assert told is not None
    assert told.earliest_end is not None
    assert told.latest_end is not None
    return told.earliest_end - NOW, told.latest_end - NOW


def test_places_follow_priority_then_age(journal: Engine):
    places = {name: prospect(journal, name) for name in ("urgent", "w1", "w2", "w3", "runs")}
    assert [told.position if told else 0 for told in places.values()] == [1, 2, 3, 4, None]


def test_one_worker_ends_one_job_after_the_other(journal: Engine):
    work(journal, 1)
    finish(journal, *[100.0] * 9)
    assert after(journal, "runs") == (80.0, 80.0)
    assert after(journal, "urgent") == (180.0, 180.0)
    assert after(journal, "w3") == (480.0, 480.0)


def test_two_workers_end_two_at_a_time(journal: Engine):
    work(journal, 2)
    finish(journal, *[100.0] * 9)
    # One is free now: it takes `urgent`; the other one takes w1 in 80 s, w2 follows in 100 s.
    assert after(journal, "urgent") == (100.0, 100.0)
    assert after(journal, "w1") == (180.0, 180.0)
    assert after(journal, "w2") == (200.0, 200.0)


def test_the_bounds_are_those_of_four_of_five_jobs(journal: Engine):
    work(journal, 1)
    finish(journal, *[float(n) for n in range(50, 161, 10)][:11])  # 50 ... 150: deciles 60, 140
    assert after(journal, "runs") == (40.0, 120.0)


@pytest.mark.parametrize(
    ("told_workers", "times", "obstacle"),
    [
        ((0, {}), 9, "no_worker"),
        ((1, {"leaving": True}), 9, "no_worker"),
        ((1, {"models_unusable": "digest"}), 9, "no_worker"),
        ((1, {}), 4, "too_few_jobs"),
        ((1, {}), 0, "too_few_jobs"),
    ],
)
def test_what_nobody_knows_is_said(
    journal: Engine, told_workers: tuple[int, dict[str, object]], times: int, obstacle: str
):
    workers, detail = told_workers
    work(journal, workers, **detail)
    finish(journal, *[100.0] * times)
    finish(journal, *[100.0] * 9, state="refused")
    told = prospect(journal, "w1")
    assert told is not None
    assert (told.obstacle, told.earliest_end, told.position) == (obstacle, None, 2)


def test_a_job_that_takes_longer_than_the_others_has_no_end_in_sight(journal: Engine):
    work(journal, 1)
    finish(journal, *[15.0] * 9)
    told = prospect(journal, "runs")
    assert told is not None
    assert (told.obstacle, told.latest_end) == ("takes_longer", None)


def test_only_the_latest_jobs_count_and_a_finished_one_has_no_prospect(journal: Engine):
    work(journal, 1)
    finish(journal, *[9000.0] * 20, *[100.0] * LATEST)
    assert after(journal, "runs") == (80.0, 80.0)
    assert prospect(journal, "succeeded0") is None


def test_a_raised_job_is_first_and_its_old_run_is_over(journal: Engine):
    with transaction(journal) as c:
        assert run_next(c, "w3", NOW)
        assert not run_next(c, "w3", NOW)
        assert not run_next(c, "runs", NOW)
        assert not run_next(c, "unknown", NOW)
        row = find_job(c, "w3")
        assert row is not None
        assert (row.state, row.priority, row.run_number) == ("waiting", NEXT, 2)
        assert begin(c, "w3", 1, worker_id="x", now=NOW) is None
        assert begin(c, "w3", 2, worker_id="x", now=NOW) is not None
