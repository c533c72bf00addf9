"""The same deliveries with the journal in PostgreSQL, where two workers really write at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.node.delivery.attempt import Courier
from app.node.delivery.circuit import FAILURES_ALLOWED, Breaker
from app.node.delivery.superseded import AWAIT_S
from app.node.journal.deliveries import due
from app.node.journal.delivery_decisions import resend
from app.node.journal.destinations import health_of
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.journal.replaced import withdraw_replaced
from app.node.journal.tables import JOB
from app.settings import DeliverySettings
from tests.builders.faulty_pacs import faulty_pacs
from tests.builders.journal_rows import insert
from tests.builders.planned_deliveries import (
    START,
    Heard,
    VirtualClock,
    delivery_rows,
    node_of,
    plan_job,
    states_of,
)
from tests.builders.postgres import PostgresServer, can_run, postgres_server

pytestmark = pytest.mark.skipif(not can_run(), reason="PostgreSQL is not installed (make peers)")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def engine(server: PostgresServer, tmp_path: Path) -> Iterator[Engine]:
    opened = open_journal(journal_url(tmp_path, server.new_database()))
    yield opened
    opened.dispose()


def all_at_once(function, times: int) -> None:
    """Call a function in threads that start together; raises what they raise."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(times)

    def call() -> None:
        barrier.wait()
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_objects_are_delivered_retried_and_sent_again(engine: Engine, tmp_path: Path) -> None:
    clock = VirtualClock()
    with faulty_pacs([0x0000, 0xA700]) as pacs:
        job = plan_job(engine, tmp_path)
        courier = Courier(engine, node_of(tmp_path, pacs.peer()), clock=clock)
        delay_s = courier.attempt(job.group()).delay_s
        assert delay_s is not None
        clock.advance(delay_s)
        assert courier.attempt(job.group()).is_finished
        with transaction(engine) as c:
            assert resend(c, delivery_rows(engine, job)[0].delivery_id, clock())
            (group,) = due(c, clock())
        assert courier.attempt(group).is_finished
    assert states_of(engine, job) == ["delivered"] * 2
    assert len(pacs.received) == 4


def test_four_workers_with_the_same_attempt_end_in_one_delivery(
    engine: Engine, tmp_path: Path
) -> None:
    with faulty_pacs() as pacs:
        job = plan_job(engine, tmp_path, objects=3)
        courier = Courier(engine, node_of(tmp_path, pacs.peer()), clock=VirtualClock())
        all_at_once(lambda: courier.attempt(job.group()), 4)
        assert sorted(pacs.held) == list(job.sop_instance_uids)
    assert states_of(engine, job) == ["delivered"] * 3


def test_what_is_replaced_waits_and_is_withdrawn_unless_an_attempt_was_counted(
    engine: Engine, tmp_path: Path
) -> None:
    clock = VirtualClock()
    with faulty_pacs([0xA700, 0xA700]) as pacs:
        courier = Courier(engine, node_of(tmp_path, pacs.peer()), clock=clock)
        tried, untried = (plan_job(engine, tmp_path, name) for name in "ab")
        assert not courier.attempt(tried.group()).is_finished
        with transaction(engine) as c:
            insert(c, "job", job_id="newer", revision=2, created_at=START, state="running")
        assert courier.attempt(untried.group()).delay_s == AWAIT_S
        with transaction(engine) as c:
            ended = {"state": "succeeded", "finished_at": START}
            c.execute(JOB.update().where(JOB.c.job_id == "newer").values(ended))
            assert withdraw_replaced(c, "newer", START) == 2
        assert (states_of(engine, tried), states_of(engine, untried)) == (
            ["queued"] * 2, ["discarded"] * 2,
        )  # fmt: skip
        clock.advance(AWAIT_S)
        assert courier.attempt(tried.group()).is_finished
        assert len(pacs.received) == 2
    assert states_of(engine, tried) == ["discarded"] * 2


def test_the_first_failures_of_a_destination_in_eight_workers_are_all_counted(
    engine: Engine,
) -> None:
    clock, heard = VirtualClock(), Heard()
    breaker = Breaker(engine, "pacs", DeliverySettings(), clock=clock, emit=heard)
    all_at_once(lambda: breaker.note_failure("unreachable"), 8)
    with reading(engine) as c:
        assert health_of(c, "pacs").consecutive_failures == 8
    all_at_once(lambda: breaker.note_failure("unreachable"), 8)
    assert FAILURES_ALLOWED == 10
    assert heard.numbers() == [506]


def test_of_eight_workers_one_gets_the_trial(engine: Engine) -> None:
    clock = VirtualClock(START)
    breaker = Breaker(engine, "pacs", DeliverySettings(), clock=clock, emit=Heard())
    for _ in range(FAILURES_ALLOWED):
        breaker.note_failure("unreachable")
    clock.advance(901)
    waits: list[float] = []
    all_at_once(lambda: waits.append(breaker.wait_s("key")), 8)
    assert waits.count(0.0) == 1
