from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.node.journal import jobs, overview
from app.node.journal.engine import reading, transaction
from tests.builders.arrival_facts import slice_facts
from tests.builders.journal_rows import insert
from tests.builders.journals import SERIES_UID, STUDY_UID, arrival, arrive, empty_journal

NEW = jobs.NewJob(
    job_id="j1",
    series_uid=SERIES_UID,
    study_uid=STUDY_UID,
    revision=1,
    content_digest="c" * 64,
    priority=50,
    inputs=(("1.2.3.1.1", "0" * 64), ("1.2.3.1.2", "1".rjust(64, "0"))),
    created_at=100.0,
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Engine]:
    engine = empty_journal(tmp_path)
    yield engine
    engine.dispose()


def row(engine: Engine, job_id: str = "j1") -> overview.JobRow:
    with reading(engine) as c:
        found = overview.find_job(c, job_id)
    assert found is not None
    return found


def test_the_same_work_is_made_once(journal: Engine):
    with transaction(journal) as c:
        assert jobs.create(c, NEW)
        assert not jobs.create(c, NEW)
        assert [run.job_id for run in jobs.waiting(c)] == ["j1"]
    assert row(journal).inputs == 2


def test_a_newer_content_names_its_predecessor_and_cancels_it(journal: Engine):
    with transaction(journal) as c:
        jobs.create(c, NEW)
        newer = replace(NEW, job_id="j2", revision=2, content_digest="d" * 64, created_at=200.0)
        assert jobs.create(c, newer)
    assert row(journal, "j2").predecessor_job_id == "j1"
    old = row(journal)
    assert (old.state, old.error_code) == ("cancelled", jobs.SUPERSEDED)


def test_the_same_work_that_was_cancelled_is_run_again(journal: Engine):
    with transaction(journal) as c:
        jobs.create(c, NEW)
        jobs.request_cancel(c, "j1", 1.0)
        assert jobs.create(c, NEW)
    assert (row(journal).state, row(journal).run_number) == ("waiting", 2)


def test_waiting_jobs_come_urgent_first_then_by_age(journal: Engine):
    with transaction(journal) as c:
        for name, priority, at in (("a", 50, 3.0), ("b", 50, 2.0), ("c", 10, 9.0)):
            insert(c, "job", job_id=name, priority=priority, created_at=at)
        assert [run.job_id for run in jobs.waiting(c)] == ["c", "b", "a"]


def test_a_job_that_was_cancelled_before_the_engine_took_it_is_not_queued(journal: Engine):
    with transaction(journal) as c:
        jobs.create(c, NEW)
        (run,) = jobs.waiting(c)
        jobs.request_cancel(c, "j1", 1.0)
        assert not jobs.mark_queued(c, run)


@pytest.mark.parametrize(
    ("state", "answer", "after", "asked"),
    [
        ("waiting", True, "cancelled", False),
        ("queued", True, "cancelled", False),
        ("running", True, "running", True),
        ("succeeded", False, "succeeded", False),
        ("dead", False, "dead", False),
    ],
)
def test_cancel_ends_what_has_not_begun_and_asks_what_runs(
    journal: Engine, state: str, after: str, *, answer: bool, asked: bool
):
    with transaction(journal) as c:
        insert(c, "job", state=state)
        assert jobs.request_cancel(c, "j1", 5.0) is answer
        assert not jobs.request_cancel(c, "j1", 6.0)
    assert (row(journal).state, row(journal).cancel_requested) == (after, asked)


@pytest.mark.parametrize("state", ["succeeded", "refused", "dead", "cancelled"])
def test_replay_runs_a_finished_job_under_the_next_number_with_the_clock_of_the_first(
    journal: Engine, state: str
):
    with transaction(journal) as c:
        insert(c, "job", state=state, attempts=3, error_code="SPN-9400", clock=7.0)
        assert jobs.replay(c, "j1", 900.0)
        assert not jobs.replay(c, "j1", 901.0)
        assert not jobs.replay(c, "unknown", 901.0)
    job = row(journal)
    assert (job.state, job.run_number, job.attempts, job.error_code) == ("waiting", 2, 0, None)


def test_requeue_keeps_the_attempts_and_a_wish_to_cancel(journal: Engine):
    with transaction(journal) as c:
        insert(c, "job", state="running", attempts=2)
        insert(c, "job", job_id="j2", state="running", cancel_requested=1)
        first, second = jobs.at_engine(c)
        assert jobs.requeue(c, first)
        assert not jobs.requeue(c, first)
        assert not jobs.requeue(c, second)
    assert (row(journal).state, row(journal).attempts) == ("waiting", 2)


def test_inputs_are_fixed_by_content_and_tell_what_retention_removed(journal: Engine):
    arrive(journal, arrival(0, slice_facts(0)), arrival(1, slice_facts(1)))
    arrive(journal, arrival(1, slice_facts(1), digest="f" * 64))
    with transaction(journal) as c:
        jobs.create(c, NEW)
        assert [(item.path, item.is_held) for item in jobs.inputs(c, "j1")] == [
            ("series/aa/0.dcm", True),
            ("series/aa/1.dcm", True),
        ]
        c.exec_driver_sql("UPDATE instance SET state = 'deleted' WHERE digest LIKE '%1'")
        assert [item.is_held for item in jobs.inputs(c, "j1")] == [True, False]
