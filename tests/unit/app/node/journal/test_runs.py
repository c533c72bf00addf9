from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.node.journal import jobs, overview, runs
from app.node.journal.engine import reading, transaction
from app.node.journal.states import JobState
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Engine]:
    engine = empty_journal(tmp_path)
    with transaction(engine) as c:
        insert(c, "series", state="accepted")
    yield engine
    engine.dispose()


def row(engine: Engine, job_id: str = "j1") -> overview.JobRow:
    with reading(engine) as c:
        found = overview.find_job(c, job_id)
    assert found is not None
    return found


def begun(engine: Engine, **values: object) -> runs.RunningJob:
    with transaction(engine) as c:
        insert(c, "job", **values)
        job = runs.begin(c, "j1", 1, worker_id="w1", now=10.0)
    assert job is not None
    return job


def ended(state: JobState, **values: object) -> runs.RunEnd:
    plain = {"job_id": "j1", "run_number": 1, "state": state, "finished_at": 20.0}
    return runs.RunEnd(**{**plain, **values})


@pytest.mark.parametrize("state", ["waiting", "queued", "running"])
def test_a_run_begins_from_any_state_before_its_end_and_keeps_its_first_start(
    journal: Engine, state: str
):
    job = begun(journal, state=state, clock=7.0, attempts=1)
    assert (job.clock, job.attempts) == (7.0, 1)
    with transaction(journal) as c:
        assert runs.senders(c, "j1") == ("SCANNER", "SPINENODE")
        assert runs.begin(c, "j1", 1, worker_id="w2", now=99.0)
    assert (row(journal).worker_id, row(journal).started_at) == ("w2", 10.0)


@pytest.mark.parametrize("state", ["succeeded", "refused", "dead", "cancelled"])
def test_a_run_that_is_over_does_not_begin(journal: Engine, state: str):
    with transaction(journal) as c:
        insert(c, "job", state=state)
        assert runs.begin(c, "j1", 1, worker_id="w1", now=10.0) is None


def test_a_run_that_was_replaced_changes_nothing_any_more(journal: Engine):
    begun(journal)
    with transaction(journal) as c:
        assert jobs.requeue(c, jobs.at_engine(c)[0])
        assert runs.begin(c, "j1", 1, worker_id="old", now=30.0) is None
        assert runs.begin(c, "j1", 2, worker_id="new", now=31.0) is not None
        assert not runs.is_wanted(c, "j1", 1)
        runs.note_progress(c, "j1", 1, step="postprocess", fraction=0.9)
        runs.note_attempt(c, "j1", 1, attempts=3, error_code="SPN-9400")
        assert not runs.finish(c, ended(JobState.SUCCEEDED))
    job = row(journal)
    assert (job.state, job.step, job.attempts, job.worker_id) == ("running", "", 0, "new")


def test_a_success_that_a_person_cancelled_in_the_last_moment_is_none(journal: Engine):
    begun(journal)
    with transaction(journal) as c:
        jobs.request_cancel(c, "j1", 15.0)
        assert not runs.is_wanted(c, "j1", 1)
        assert not runs.finish(c, ended(JobState.SUCCEEDED))
        assert runs.finish(c, ended(JobState.CANCELLED))
    assert row(journal).state == "cancelled"


def test_a_superseded_run_keeps_the_reason_of_its_cancelling(journal: Engine):
    begun(journal)
    with transaction(journal) as c:
        jobs.request_cancel(c, "j1", 15.0, code=jobs.SUPERSEDED)
        runs.finish(c, ended(JobState.CANCELLED))
    assert row(journal).error_code == jobs.SUPERSEDED


def test_the_end_is_written_once_with_its_record(journal: Engine):
    begun(journal)
    with transaction(journal) as c:
        assert runs.finish(c, ended(JobState.SUCCEEDED, record={"status": "ok"}))
        assert not runs.finish(c, ended(JobState.DEAD))
    assert (row(journal).state, row(journal).record) == ("succeeded", {"status": "ok"})
    assert row(journal).finished_at == 20.0


def test_attempts_are_a_number_and_not_a_sum_so_that_writing_twice_counts_once(journal: Engine):
    begun(journal)
    with transaction(journal) as c:
        runs.note_attempt(c, "j1", 1, attempts=1, error_code="SPN-9400")
        runs.note_attempt(c, "j1", 1, attempts=1, error_code="SPN-9400")
    assert (row(journal).attempts, row(journal).error_code) == (1, "SPN-9400")


def a_file(name: str, kind: str = "segmentation") -> runs.ResultFile:
    return runs.ResultFile(
        name=name, kind=kind, path=f"results/j1/{name}", digest="d" * 64, size_bytes=5
    )


def test_results_of_a_later_run_take_the_place_of_the_earlier_ones(journal: Engine):
    with transaction(journal) as c:
        insert(c, "job")
        runs.keep_results(c, "j1", [a_file("a.dcm"), a_file("b.dcm")])
        runs.keep_results(c, "j1", [a_file("a.dcm")])
        assert [file.name for file in overview.results_of_job(c, "j1")] == ["a.dcm"]


def test_a_revision_replaces_the_segmentations_of_the_nearest_job_that_made_any(journal: Engine):
    with transaction(journal) as c:
        insert(c, "job", state="succeeded")
        runs.keep_results(c, "j1", [a_file("a.dcm"), a_file("a.png", "overlay")])
        insert(c, "job", job_id="j2", state="cancelled", predecessor_job_id="j1")
        insert(c, "job", job_id="j3", predecessor_job_id="j2")
        assert [earlier.file.name for earlier in runs.results_replaced(c, "j3")] == ["a.dcm"]
        assert runs.results_replaced(c, "j1") == []
