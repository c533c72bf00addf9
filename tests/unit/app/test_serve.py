"""The supervisor starts what dies, gives up on what cannot run, and ends everybody."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time

import pytest

from app.serve import Child, supervise
from app.telemetry.logs import EventLog

READY = "import json; print(json.dumps({'event': 'ready', 'port': 7}), flush=True)"


def child(script, on_ready=lambda role, port: None):
    return Child("listener", [sys.executable, "-c", script], on_ready)


def supervised(children, *, until, seconds=20.0):
    """Run `supervise` in a thread until `until()`; exit code and log lines."""
    stop, stream, result = threading.Event(), io.StringIO(), []
    log = EventLog("serve", is_strict=True, stream=stream)
    thread = threading.Thread(
        target=lambda: result.append(supervise(children, stop=stop, emit=log, grace_s=1.0))
    )
    thread.start()
    deadline = time.monotonic() + seconds
    try:
        while thread.is_alive() and not until() and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        stop.set()
        thread.join(20)
    return result[0], [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_process_killed_by_sigkill_is_started_again():
    pids, killed = [], []
    one = child(
        f"{READY}; import time; time.sleep(60)",
        lambda role, port: pids.append(one.process.pid),
    )

    def twice():
        if len(pids) == 1 and not killed:
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)
        return len(pids) == 2

    code, lines = supervised([one], until=twice)
    assert code == 0
    assert len(set(pids)) == 2
    assert {(line["number"], line["code"]) for line in lines} == {(703, -9)}


@pytest.mark.parametrize("code", [2, 20])
def test_a_process_that_cannot_run_at_all_ends_the_others_with_its_code(code):
    other = child(f"{READY}; import time; time.sleep(60)")
    broken = child(f"raise SystemExit({code})")
    found, _ = supervised([other, broken], until=lambda: False)
    assert found == code
    assert other.process is not None
    assert other.process.poll() == -signal.SIGTERM


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(monkeypatch):
    monkeypatch.setattr("app.serve._KILL_AFTER_S", 0.2)
    deaf = child(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"{READY}; time.sleep(60)"
    )
    code, _ = supervised([deaf], until=deaf.was_ready.is_set)
    assert code == 0
    assert deaf.process is not None
    assert deaf.process.poll() == -signal.SIGKILL


def test_quick_deaths_wait_longer_and_longer_up_to_30_s():
    one = child("pass")
    delays = []
    for _ in range(9):
        one.started_at = time.monotonic()
        delays.append(one.plan_restart())
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
