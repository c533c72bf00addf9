"""The engine itself, in this process: idempotent submission, order, history, take-over of nothing.

One test function, because the engine lives once per process and its start costs a second.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from app.node.journal.deliveries import DeliveryGroup
from app.node.journal.jobs import JobRun
from app.node.work.outcomes import Outcome, Settled, done
from app.node.work.queue import JobQueue, engine_url, segment_id
from app.node.work.workflows import Tools, Workflows
from tests.builders.waiting import eventually


@dataclass
class DeskDouble:
    """Begins whatever it is asked to; notes the order."""

    begun: list[str] = field(default_factory=list)

    def begin(self, job_id: str, run_number: int) -> object:
        self.begun.append(f"{job_id}:{run_number}")
        return SimpleNamespace(job_id=job_id, run_number=run_number, attempts=0)

    def request_of(self, job: object) -> object:
        return job

    def is_wanted(self, _job_id: str, _run_number: int) -> bool:
        return True


@dataclass
class SupervisorDouble:
    """Works on nothing before `may_work` is set."""

    may_work: threading.Event = field(default_factory=threading.Event)
    is_asked: threading.Event = field(default_factory=threading.Event)

    async def start(self) -> None:
        """Nothing to start."""

    async def run(self, job: SimpleNamespace, _note: object) -> dict[str, object]:
        self.is_asked.set()
        assert await asyncio.to_thread(self.may_work.wait, 600)
        return {"exit_code": 0, "job": job.job_id}


@dataclass
class SettlementDouble:
    settled: list[tuple[str, Outcome]] = field(default_factory=list)

    def settle(self, job_id: str, _run: int, attempts: int, outcome: Outcome) -> Settled:
        self.settled.append((job_id, outcome))
        return Settled(delay_s=None, attempts=attempts)


@dataclass
class CourierDouble:
    delays: list[float | None]
    groups: list[DeliveryGroup] = field(default_factory=list)

    def attempt(self, group: DeliveryGroup) -> object:
        self.groups.append(group)
        return SimpleNamespace(delay_s=self.delays.pop(0))


def run_of(job_id: str, priority: int = 50) -> JobRun:
    return JobRun(job_id=job_id, run_number=1, priority=priority, state="waiting")


def kinds_of_content(database: Path) -> list[tuple[str]]:
    with sqlite3.connect(database) as stored:
        kinds = stored.execute("SELECT DISTINCT serialization FROM workflow_status").fetchall()
    stored.close()
    return kinds


def nothing_begins_while_the_worker_leaves(queue: JobQueue, desk: DeskDouble) -> None:
    """After `Workflows.drain`: no job that waits is called running."""
    late = run_of("late")
    queue.submit_segmentation(late)
    eventually(lambda: queue.tickets([segment_id(late)])[segment_id(late)].status == "PENDING")
    time.sleep(0.3)
    assert "late:1" not in desk.begun


def test_what_is_submitted_twice_runs_once_urgent_first_and_is_forgotten_when_old(tmp_path: Path):
    desk, settlement, supervisor = DeskDouble(), SettlementDouble(), SupervisorDouble()
    courier = CourierDouble([0.1, 0.1, None])
    threads = ThreadPoolExecutor(4)
    tools = Tools(
        desk=desk,  # type: ignore[arg-type]
        settlement=settlement,  # type: ignore[arg-type]
        supervisor=supervisor,  # type: ignore[arg-type]
        courier=courier,  # type: ignore[arg-type]
        journal_threads=threads,
        courier_threads=threads,
    )
    queue = JobQueue(engine_url(tmp_path, None), "tester-0")
    workflows = Workflows(tools)
    queue.start()
    try:
        first, batch, urgent = run_of("first"), run_of("batch", 90), run_of("urgent", 10)
        queue.submit_segmentation(first)
        assert supervisor.is_asked.wait(180)  # the one place is taken: the others wait
        for run in (batch, run_of("normal"), urgent, urgent, batch):
            queue.submit_segmentation(run)
        group = DeliveryGroup(job_id="urgent", destination="pacs", generation=1)
        queue.submit_delivery(group)
        queue.submit_delivery(group)
        supervisor.may_work.set()
        eventually(lambda: len(settlement.settled) == 4)
        eventually(lambda: courier.groups == [group] * 3)
        order = [name for name, _ in settlement.settled]
        assert order == ["first", "urgent", "normal", "batch"]
        assert settlement.settled[0][1] == done({"exit_code": 0, "job": "first"})

        ids = [segment_id(batch), "del:urgent:pacs:1", "seg:unknown:1"]
        eventually(lambda: {t.status for t in queue.tickets(ids).values()} == {"SUCCESS"})
        assert set(queue.tickets(ids)) == set(ids[:2])
        queue.submit_segmentation(batch)
        time.sleep(0.6)
        assert len(settlement.settled) == 4

        assert queue.take_over(["somebody-0"]) == 0
        assert queue.forget_finished(time.time() - 3600) == 0
        assert queue.forget_finished(time.time() + 1) == 5
        assert queue.tickets(ids) == {}
        queue.submit_segmentation(batch)
        eventually(lambda: len(settlement.settled) == 5)
        workflows.drain(5.0)
        nothing_begins_while_the_worker_leaves(queue, desk)
    finally:
        queue.stop()
        threads.shutdown()
    assert kinds_of_content(tmp_path / "queue.db") == [("portable_json",)]
