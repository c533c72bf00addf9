"""Threads that hang are named, those that get on or wait for an outage are not."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from app.node.inference.supervisor import Supervisor
from app.node.journal.engine import BUSY_TIMEOUT_S, journal_url, open_journal, transaction
from app.node.telemetry.logs import silent
from app.node.work.loops import Loops
from app.node.work.vigil import LIMITS_S, Vigil, WatchedPool
from app.settings import WorkerSettings
from tests.builders.waiting import eventually


def test_work_is_overdue_after_its_limit_and_a_sign_gives_it_the_whole_limit_again():
    now = [0.0]
    vigil = Vigil({"intake": 5.0}, lambda: now[0])
    with vigil.doing("intake"):
        now[0] = 5.0
        assert vigil.overdue() == ()
        vigil.sign()
        now[0] = 10.0
        assert vigil.overdue() == ()
        now[0] = 10.1
        assert vigil.overdue() == ("intake",)
        vigil.forgive()
        assert vigil.overdue() == ()
        now[0] = 20.0
    assert vigil.overdue() == ()
    with vigil.doing("without limit"):
        now[0] = 1e9
        assert vigil.overdue() == ()


def test_a_thread_that_never_comes_back_is_overdue_and_its_neighbours_are_not():
    vigil, ended = Vigil({"scan": 0.1, "peer": 60.0}), threading.Event()
    scans, peers = WatchedPool(2, "scan", vigil), WatchedPool(1, "peer", vigil)
    hanging, asking = scans.submit(ended.wait), peers.submit(ended.wait)
    assert scans.submit(pow, 2, 3).result(10) == 8
    eventually(lambda: vigil.overdue() == ("scan",))
    ended.set()
    assert hanging.result(10)
    assert asking.result(10)
    assert vigil.overdue() == ()
    scans.shutdown()
    peers.shutdown()


def test_a_loop_that_waits_for_a_locked_journal_is_overdue_until_the_lock_is_gone(tmp_path: Path):
    engine, stop, turns = open_journal(journal_url(tmp_path, None)), threading.Event(), []

    def turn() -> None:
        with transaction(engine) as c:
            c.exec_driver_sql("DELETE FROM process")
        turns.append(1)

    vigil = Vigil({"intake": 0.2})
    loops = Loops(vigil, silent)
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        loops.start("intake", turn, 0.01, stop)
        eventually(lambda: vigil.overdue() == ("intake",))
        assert not turns
        other.execute("ROLLBACK")
        eventually(lambda: turns and not vigil.overdue())
    stop.set()
    loops.leave()
    eventually(lambda: not vigil.overdue())
    loops.check()
    engine.dispose()
    # With the real limit that wait, which ends in an error of its own, is long over before.
    assert LIMITS_S["intake"] >= 4 * BUSY_TIMEOUT_S


def test_the_supervisors_thread_answers_unless_it_hangs():
    supervisor = Supervisor(("none",), WorkerSettings())
    ended, answers = threading.Event(), []
    supervisor.knock(lambda: answers.append(1))
    eventually(lambda: answers == [1])
    supervisor.knock(lambda: ended.wait(20) and None)
    supervisor.knock(lambda: answers.append(2))
    assert answers == [1]
    ended.set()
    eventually(lambda: answers == [1, 2])
    supervisor._loop.call_soon_threadsafe(supervisor._loop.stop)
    supervisor._thread.join(10)
