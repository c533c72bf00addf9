from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.node.archive.spool import Spool
from app.node.journal import jobs, overview
from app.node.journal.deliveries import DeliveryGroup
from app.node.journal.engine import reading, transaction
from app.node.journal.jobs import JobRun
from app.node.journal.priorities import run_next
from app.node.journal.processes import Heartbeat, beat, heartbeats
from app.node.work.engine import Ticket
from app.node.work.queue import delivery_id, segment_id
from app.node.work.reconcile import VERSION_KEY, Reconciler
from app.node.work.workfolder import WorkFolders
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal


@dataclass
class QueueDouble:
    """An engine that keeps tickets."""

    version: str = "2"
    known: dict[str, Ticket] = field(default_factory=dict)
    submitted: list[str] = field(default_factory=list)
    cleaned: list[float] = field(default_factory=list)

    def submit_segmentation(self, run: JobRun) -> None:
        self._submit(segment_id(run))

    def submit_delivery(self, group: DeliveryGroup) -> None:
        self._submit(delivery_id(group))

    def tickets(self, ids: Sequence[str]) -> dict[str, Ticket]:
        return {key: self.known[key] for key in ids if key in self.known}

    def forget(self, ids: Sequence[str]) -> None:
        for key in ids:
            del self.known[key]

    def forget_finished(self, before: float, limit: int) -> int:
        self.cleaned.append(before)
        return limit if len(self.cleaned) % 3 else 0

    def has(self, key: str, status: str, version: str = "2") -> None:
        self.known[key] = Ticket(
            workflow_id=key, status=status, version=version, executor_id="old-0"
        )

    def _submit(self, key: str) -> None:
        self.submitted.append(key)
        if key not in self.known:
            self.has(key, "ENQUEUED")


@dataclass
class Bench:
    engine: Engine
    queue: QueueDouble
    reconciler: Reconciler
    now: list[float]

    def job(self) -> tuple[str, int, int]:
        with reading(self.engine) as c:
            job = overview.find_job(c, "j1")
        assert job is not None
        return job.state, job.run_number, job.attempts

    def insert(self, table: str, **values: object) -> None:
        with transaction(self.engine) as c:
            insert(c, table, **values)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    engine, queue, now = empty_journal(tmp_path), QueueDouble(), [1e6]
    reconciler = Reconciler(
        engine=engine,
        queue=queue,  # type: ignore[arg-type]
        folders=WorkFolders(tmp_path, Spool(tmp_path / "spool")),
        attempts=2,
        clock=lambda: now[0],
        monotonic=lambda: now[0],
    )
    yield Bench(engine, queue, reconciler, now)
    engine.dispose()


def test_a_waiting_job_is_submitted_then_noted(bench: Bench):
    bench.insert("job")
    bench.reconciler.submit_jobs()
    bench.reconciler.submit_jobs()
    assert bench.queue.submitted == ["seg:j1:1"]
    assert bench.job() == ("queued", 1, 0)


def test_a_job_that_a_person_raised_is_given_to_the_engine_again_before_all_others(bench: Bench):
    bench.insert("job")
    bench.reconciler.submit_jobs()
    with transaction(bench.engine) as c:
        assert run_next(c, "j1", 0.0)
        (run,) = jobs.waiting(c)
    assert (run.priority, min(jobs.PRIORITIES.values())) == (5, 10)
    bench.reconciler.submit_jobs()
    bench.reconciler.reconcile_jobs()
    assert bench.queue.submitted == ["seg:j1:1", "seg:j1:2"]
    assert bench.job() == ("queued", 2, 0)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_job_the_engine_does_not_know_is_submitted_again_under_its_id(bench: Bench, state: str):
    bench.insert("job", state=state)
    bench.reconciler.reconcile_jobs()
    assert bench.queue.submitted == ["seg:j1:1"]
    assert bench.job() == (state, 1, 0)


@pytest.mark.parametrize("status", ["ENQUEUED", "PENDING", "DELAYED"])
def test_a_job_on_its_way_is_left_alone(bench: Bench, status: str):
    bench.insert("job", state="running")
    bench.queue.has("seg:j1:1", status)
    bench.reconciler.reconcile_jobs()
    assert (bench.queue.submitted, bench.job()) == ([], ("running", 1, 0))


@pytest.mark.parametrize("status", ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"])
@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_job_the_engine_gave_up_starts_again_until_its_attempts_are_used_up(
    bench: Bench, status: str, state: str
):
    bench.insert("job", state=state)
    bench.queue.has("seg:j1:1", status)
    bench.reconciler.reconcile_jobs()
    assert bench.job() == ("waiting", 2, 1)
    bench.reconciler.submit_jobs()
    bench.queue.has("seg:j1:2", status)
    bench.reconciler.reconcile_jobs()
    assert bench.job() == ("dead", 2, 2)


def test_a_dropped_job_that_was_to_be_cancelled_is_cancelled(bench: Bench):
    bench.insert("job", state="running", cancel_requested=1)
    bench.queue.has("seg:j1:1", "ERROR")
    bench.reconciler.reconcile_jobs()
    assert bench.job()[0] == "cancelled"


def test_a_job_of_another_version_starts_again_once_no_worker_of_that_version_is_left(
    bench: Bench,
):
    bench.insert("job", state="running")
    bench.queue.has("seg:j1:1", "PENDING", version="1")
    with transaction(bench.engine) as c:
        beat(c, Heartbeat(process_id="old", role="worker", beat=1.0, detail={VERSION_KEY: "1"}))
        beat(c, Heartbeat(process_id="new", role="worker", beat=1.0, detail={VERSION_KEY: "2"}))
    bench.reconciler.reconcile_jobs()
    assert bench.job() == ("running", 1, 0)
    bench.reconciler.silent = frozenset({"old"})
    bench.reconciler.reconcile_jobs()
    assert bench.job() == ("waiting", 2, 0)
    assert bench.queue.known == {}


def test_an_open_delivery_is_submitted_once_a_minute_at_most(bench: Bench):
    bench.insert("delivery")
    for _ in range(3):
        bench.reconciler.submit_deliveries()
    assert bench.queue.submitted == ["del:j1:pacs:1"]
    bench.now[0] += 61
    bench.reconciler.submit_deliveries()
    assert len(bench.queue.submitted) == 2


def test_a_delivery_whose_workflow_ended_too_early_gets_a_new_start(bench: Bench):
    bench.insert("delivery")
    bench.queue.has("del:j1:pacs:1", "ERROR")
    bench.reconciler.submit_deliveries()
    assert bench.queue.known["del:j1:pacs:1"].status == "ENQUEUED"


def test_inputs_that_a_crash_left_behind_are_removed_after_an_hour(bench: Bench):
    bench.insert("job", state="running")
    bench.insert("job", job_id="j2", state="succeeded")
    bench.insert("job", job_id="j3", state="succeeded")
    for number, name in enumerate(("j1", "j2", "j3")):
        folder = bench.reconciler.folders.source(name)
        folder.mkdir(parents=True)
        age = 100 if number == 2 else 4000
        os.utime(folder.parent, (bench.now[0] - age, bench.now[0] - age))
    bench.reconciler.sweep_inputs()
    assert [bench.reconciler.folders.source(n).exists() for n in ("j1", "j2", "j3")] == [
        True,
        False,
        True,
    ]


def test_only_a_worker_silent_for_7_days_is_forgotten(bench: Bench):
    now, week = bench.now[0], 7 * 86_400
    beats = {"gone": now - week - 1, "silent": now - week + 1, "alive": now - week - 1}
    with transaction(bench.engine) as c:
        for name, at in beats.items():
            beat(c, Heartbeat(process_id=name, role="worker", beat=at))
    bench.reconciler.silent = frozenset({"gone", "silent"})
    bench.reconciler.forget_workers()
    with reading(bench.engine) as c:
        assert [heart.process_id for heart in heartbeats(c)] == ["alive", "silent"]


def test_finished_workflows_older_than_7_days_are_forgotten_in_batches_every_hour(bench: Bench):
    for seconds in (0, 10, 3600):
        bench.now[0] += seconds
        bench.reconciler.tick()
    week = 7 * 86_400
    assert bench.queue.cleaned == [1e6 - week] * 3 + [1e6 + 3610 - week] * 3
