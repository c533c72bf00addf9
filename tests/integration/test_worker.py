"""The real worker process, killed, frozen out, stopped and asked: no job is lost or done twice."""

from __future__ import annotations

import hashlib
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy.engine import Engine

from app.node.journal import jobs, overview
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.journal.lookout import LEAVING, UNUSABLE
from app.node.journal.processes import WORKER, Heartbeat, heartbeats
from tests.builders.journal_rows import insert
from tests.builders.mr_series import MadeSeries, make_series
from tests.builders.postgres import PostgresServer, can_run, postgres_server
from tests.builders.received import Inbox
from tests.builders.waiting import eventually
from tests.builders.worker_process import WorkerProcess

QUIET = {"completeness": {"quiet_s": 0.6, "query_after_s": 0.1}}
ENGINES = ["sqlite", "postgresql"]
MISSED_S = 3.0
"""With a lease of 2 s several signs of life are due within this time."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    if not can_run():
        pytest.skip("no PostgreSQL server here")
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> MadeSeries:
    return make_series(tmp_path_factory.mktemp("source"))


@dataclass
class Node:
    """A data folder with its journal, and the workers a test started."""

    data: Path
    engine: Engine
    database_url: str | None
    made: list[WorkerProcess]

    def worker(self, *child: str, node: dict[str, Any] | None = None, **options: Any) -> Any:
        """A started worker; `options` are those of `WorkerSettings`, `host` and `version`."""
        own = {name: options.pop(name) for name in ("host", "version") if name in options}
        worker = WorkerProcess(
            self.data,
            worker={"retry_after_s": 0.1, **options},
            node={**QUIET, "database_url": self.database_url, **(node or {})},
            child=child,
            options=own,
        )
        self.made.append(worker)
        return worker.start()

    @property
    def done(self) -> Path:
        """With ``--until`` this file: jobs are at work until it is there."""
        return self.data / "done"

    def plan(self, *job_ids: str, priority: int = 50) -> None:
        """Jobs of the series that is in the journal, as the intake makes them."""
        with transaction(self.engine) as c:
            objects = [
                (row.sop_instance_uid, row.digest)
                for row in c.exec_driver_sql("SELECT sop_instance_uid, digest FROM instance")
            ]
            for job_id in job_ids:
                new = jobs.NewJob(
                    job_id=job_id,
                    series_uid=f"1.2.3.{job_id}",
                    study_uid="1.2.3",
                    revision=1,
                    content_digest="c",
                    priority=priority,
                    inputs=tuple(objects),
                    created_at=time.time(),
                )
                insert(c, "series", series_uid=new.series_uid, state="accepted")
                jobs.create(c, new)

    def job(self, job_id: str) -> overview.JobRow:
        with reading(self.engine) as c:
            found = overview.find_job(c, job_id)
        assert found is not None
        return found

    def says(self, name: str) -> object:
        """What its only worker says about itself."""
        (heart,) = self.hearts()
        return heart.detail[name]

    def hearts(self) -> list[Heartbeat]:
        """Last signs of life of its workers."""
        with reading(self.engine) as c:
            return heartbeats(c, WORKER)

    def beat_of(self, process_id: str) -> float:
        """When a worker gave its last sign of life, epoch seconds."""
        (beat,) = (heart.beat for heart in self.hearts() if heart.process_id == process_id)
        return beat

    def is_in(self, state: str, *job_ids: str) -> Callable[[], bool]:
        return lambda: all(self.job(job_id).state == state for job_id in job_ids)


@pytest.fixture
def make_node(
    tmp_path: Path, source: MadeSeries, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Node]]:
    nodes: list[Node] = []

    def make(kind: str = "sqlite") -> Node:
        url = None if kind == "sqlite" else request.getfixturevalue("server").new_database()
        data = tmp_path / "node"
        data.mkdir()
        engine = open_journal(journal_url(data, url))
        Inbox(engine, data).receive(source.paths[:1])
        with transaction(engine) as c:
            c.exec_driver_sql("UPDATE series SET state = 'discarded'")
        nodes.append(Node(data, engine, url, []))
        return nodes[-1]

    yield make
    for node in nodes:
        for worker in node.made:
            worker.stop_if_running()
        node.engine.dispose()


Maker = Callable[..., Node]


def child_of(worker: WorkerProcess) -> psutil.Process:
    found: list[psutil.Process] = []

    def look() -> bool:
        found[:] = psutil.Process(worker.running.pid).children()
        return bool(found)

    eventually(look)
    return found[0]


@pytest.mark.parametrize("kind", ENGINES)
def test_a_received_series_becomes_two_segmentations_whose_delivery_is_held(
    make_node: Maker, source: MadeSeries, kind: str
):
    node = make_node(kind)
    peers = [{"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": 104}]
    worker = node.worker(node={"peers": peers, "routes": [{"destinations": ["pacs"]}]})
    with transaction(node.engine) as c:
        c.exec_driver_sql("UPDATE series SET state = 'receiving'")
    Inbox(node.engine, node.data).receive(source.paths)

    def the_job() -> overview.JobRow:
        with reading(node.engine) as c:
            (job,) = overview.list_jobs(c, overview.Window())
        return job

    eventually(lambda: node_has_job(node) and the_job().state == "succeeded")
    job = the_job()
    with reading(node.engine) as c:
        results = overview.results_of_job(c, job.job_id)
        deliveries = overview.deliveries_of_job(c, job.job_id)
    assert [file.kind for file in results] == ["segmentation", "segmentation"]
    for file in results:
        content = (node.data / file.path).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.digest, file.size_bytes)
    assert {row.sop_instance_uid for row in deliveries} == {row.sop_instance_uid for row in results}
    assert {row.state for row in deliveries} == {"held"}
    assert not (node.data / "work" / job.job_id).exists()
    assert [event["count"] for event in worker.events(301)] == [12]


def node_has_job(node: Node) -> bool:
    with reading(node.engine) as c:
        return bool(overview.list_jobs(c, overview.Window()))


@pytest.mark.parametrize("kind", ENGINES)
def test_a_worker_killed_in_the_middle_goes_on_after_its_restart_without_a_counted_attempt(
    make_node: Maker, kind: str
):
    node = make_node(kind)
    node.plan("a")
    worker = node.worker("--work", "60")
    eventually(lambda: node.job("a").step == "stub_step")
    child = child_of(worker)
    worker.kill()
    eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    first = steps(node, "seg:a:1") if kind == "sqlite" else {}
    worker = node.worker()
    eventually(node.is_in("succeeded", "a"))
    assert (node.job("a").attempts, node.job("a").run_number) == (0, 1)
    if kind == "sqlite":
        eventually(lambda: "settle" in steps(node, "seg:a:1"))
        assert set(first) == {"prepare"}
        assert steps(node, "seg:a:1")["prepare"] == first["prepare"], "repeated"


def steps(node: Node, workflow_id: str) -> dict[str, int]:
    """Steps the engine has a result of, and when each began, ms."""
    with sqlite3.connect(node.data / "queue.db", timeout=60) as engine:
        rows = engine.execute(
            "SELECT function_name, started_at_epoch_ms FROM operation_outputs"
            " WHERE workflow_uuid = ?",
            [workflow_id],
        ).fetchall()
    engine.close()
    return dict(rows)


@pytest.mark.parametrize("kind", ENGINES)
def test_jobs_of_a_worker_that_never_comes_back_are_taken_over_after_the_lease(
    make_node: Maker, kind: str
):
    node = make_node(kind)
    node.plan("a")
    gone = node.worker("--work", "60", lease_s=2, host="gone")
    eventually(lambda: node.job("a").step == "stub_step")
    other = node.worker(lease_s=2, host="other")
    gone.kill()
    eventually(node.is_in("succeeded", "a"))
    assert (node.job("a").worker_id, node.job("a").attempts) == ("other-0", 0)
    assert [event["count"] for event in other.events(320)] == [1]


def freeze_between_transactions(node: Node, worker: WorkerProcess) -> None:
    """Stop a worker where it holds no lock on a database: with one, nobody else could begin."""

    def is_frozen_without_a_lock() -> bool:
        worker.running.send_signal(signal.SIGSTOP)
        for name in ("journal.db", "queue.db"):
            database = sqlite3.connect(node.data / name, timeout=0.2, isolation_level=None)
            try:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
            except sqlite3.OperationalError:
                worker.running.send_signal(signal.SIGCONT)
                return False
            finally:
                database.close()
        return True

    eventually(is_frozen_without_a_lock)


def test_a_frozen_worker_that_wakes_up_after_its_job_was_taken_over_changes_nothing(
    make_node: Maker,
):
    node = make_node()
    node.plan("a")
    frozen = node.worker("--until", str(node.done), lease_s=2, grace_s=60, host="frozen")
    eventually(lambda: node.job("a").step == "stub_step")
    freeze_between_transactions(node, frozen)
    try:
        other = node.worker(lease_s=2, host="other")
        eventually(node.is_in("succeeded", "a"))
        done = node.job("a")
        last_beat = node.beat_of("frozen-0")
    finally:
        frozen.running.send_signal(signal.SIGCONT)
    eventually(lambda: node.beat_of("frozen-0") > last_beat)
    node.done.touch()  # now it has a result of its own, and settles it before it leaves
    assert frozen.terminate() == 0
    assert node.job("a") == done
    assert (done.worker_id, done.attempts) == ("other-0", 0)
    assert len(other.events(312)) == 1  # both write the same log


def test_two_workers_on_one_machine_have_different_names_and_share_the_jobs(make_node: Maker):
    node = make_node()
    names = [f"{n}" for n in range(6)]
    node.plan(*names)
    for _ in range(2):
        node.worker("--until", str(node.done), host="here")
    # One is not done before the other has begun, however long either takes to start.
    eventually(lambda: [node.job(name).step for name in names].count("stub_step") == 2)
    begun = {node.job(name).worker_id for name in names if node.job(name).step == "stub_step"}
    assert begun == {"here-0", "here-1"}
    node.done.touch()
    eventually(node.is_in("succeeded", *names))
    assert {node.job(name).worker_id for name in names} <= begun
    assert [heart.process_id for heart in node.hearts()] == ["here-0", "here-1"]


def test_sigterm_lets_a_running_job_finish_within_the_grace(make_node: Maker):
    node = make_node()
    node.plan("a", "b")
    worker = node.worker("--until", str(node.done), grace_s=60)
    eventually(lambda: node.job("a").step == "stub_step")
    worker.running.send_signal(signal.SIGTERM)
    eventually(lambda: node.says(LEAVING))
    assert node.job("a").state == "running"
    node.done.touch()
    assert worker.terminate() == 0
    assert node.job("a").state == "succeeded"
    assert node.job("b").state == "queued"
    assert node.says(LEAVING) is True  # it left, and is not lost: nobody is alarmed


def test_sigterm_with_a_short_grace_leaves_the_job_for_the_next_start(make_node: Maker):
    node = make_node()
    node.plan("a")
    worker = node.worker("--work", "3600", grace_s=0.5)
    eventually(lambda: node.job("a").step == "stub_step")
    assert worker.terminate() == 0  # its job takes an hour
    assert node.job("a").state == "running"
    node.worker()
    eventually(node.is_in("succeeded", "a"))
    assert node.job("a").attempts == 0


def test_cancelling_kills_the_inference_of_a_running_job_and_drops_a_queued_one(make_node: Maker):
    node = make_node()
    node.plan("busy-1", priority=10)
    node.plan("b")
    node.plan("c", priority=90)
    worker = node.worker()
    # Not merely "running": a job cancelled before it reaches the child leaves the child alone.
    eventually(lambda: node.job("busy-1").step == "stub_step")
    eventually(node.is_in("queued", "b", "c"))
    child = child_of(worker)
    with transaction(node.engine) as c:
        assert jobs.request_cancel(c, "b", 1.0)
        assert jobs.request_cancel(c, "busy-1", 1.0)
    eventually(node.is_in("cancelled", "busy-1"))
    assert not child.is_running()
    eventually(node.is_in("succeeded", "c"))
    assert node.job("b").state == "cancelled"
    eventually(lambda: [event["job"] for event in worker.events(311)] == ["busy-1", "c"])


def test_a_poison_job_dies_after_its_attempts_others_go_on_and_a_replay_starts_from_zero(
    make_node: Maker,
):
    node = make_node()
    node.plan("segv-1", priority=10)
    node.plan("b")
    node.worker(attempts=2)
    eventually(node.is_in("dead", "segv-1"))
    eventually(node.is_in("succeeded", "b"))
    dead = node.job("segv-1")
    assert (dead.attempts, dead.error_code, dead.error_message) == (2, "SPN-9400", "signal 11")
    with transaction(node.engine) as c:
        assert jobs.replay(c, "segv-1", 1.0)
    eventually(lambda: node.job("segv-1").run_number == 2 and node.is_in("dead", "segv-1")())
    assert node.job("segv-1").attempts == 2


def test_an_inference_process_that_never_comes_up_counts_against_no_job(make_node: Maker):
    node = make_node()
    node.plan("a")
    worker = node.worker("--refuse-start", attempts=1, lease_s=2)
    eventually(lambda: worker.events(314))
    assert (node.job("a").state, node.job("a").attempts) == ("running", 0)
    eventually(lambda: node.says(UNUSABLE) == "start, exit 20, SPN-2000")
    worker.kill()
    node.worker(attempts=1, lease_s=2)
    eventually(node.is_in("succeeded", "a"))
    eventually(lambda: node.says(UNUSABLE) == "")


def test_an_upgrade_to_other_steps_loses_neither_a_running_nor_a_queued_job(make_node: Maker):
    node = make_node()
    node.plan("a")
    node.plan("b", priority=90)
    old = node.worker("--work", "60", version="0", lease_s=2)
    eventually(lambda: node.job("a").step == "stub_step")
    eventually(node.is_in("queued", "b"))
    old.kill()
    node.worker(lease_s=2)
    eventually(node.is_in("succeeded", "a", "b"))
    assert (node.job("a").run_number, node.job("a").attempts) == (2, 0)


def test_losing_the_whole_database_of_the_engine_loses_no_job(make_node: Maker):
    node = make_node()
    node.plan("a")
    node.plan("b", priority=90)
    worker = node.worker("--work", "60")
    eventually(lambda: node.job("a").step == "stub_step")
    eventually(node.is_in("queued", "b"))
    worker.kill()
    for file in node.data.glob("queue.db*"):
        file.unlink()
    node.worker()
    eventually(node.is_in("succeeded", "a", "b"))


def test_a_write_lock_on_both_databases_while_a_job_ends_fails_no_attempt(make_node: Maker):
    node = make_node()
    node.plan("a")
    worker = node.worker("--until", str(node.done), lease_s=2)
    eventually(lambda: node.job("a").step == "stub_step")
    locks = [
        sqlite3.connect(node.data / name, timeout=60, isolation_level=None)
        for name in ("journal.db", "queue.db")
    ]
    for lock in locks:
        lock.execute("BEGIN IMMEDIATE")
    node.done.touch()
    (heart,) = node.hearts()  # its last beat: the next ones, and the job's end, wait for the locks
    eventually(lambda: time.time() - heart.beat > MISSED_S)
    for lock in locks:
        lock.execute("ROLLBACK")
        lock.close()
    eventually(node.is_in("succeeded", "a"))
    assert node.job("a").attempts == 0
    assert worker.events(314) == []


def test_a_crash_of_the_database_server_in_the_middle_of_a_job_fails_no_attempt(
    make_node: Maker, server: PostgresServer
):
    node = make_node("postgresql")
    node.plan("a")
    worker = node.worker("--until", str(node.done), lease_s=2)
    eventually(lambda: node.job("a").step == "stub_step")
    server.crash()
    node.done.touch()
    eventually(lambda: worker.events(321))  # it has noticed
    server.start()
    node.engine.dispose()
    eventually(node.is_in("succeeded", "a"))
    assert (node.job("a").attempts, node.job("a").run_number) == (0, 1)
    assert worker.running.poll() is None
