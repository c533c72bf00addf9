"""The supervisor starts what dies, gives up on what cannot run, and ends everybody."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

import pytest

from app.errors import ConfigurationError
from app.node.lifeline import beats_into, end_into
from app.node.reload import Reload
from app.node.serve import Child, Limits, supervise
from app.node.telemetry.logs import EventLog
from app.service_manager import ServiceManager
from app.settings import load_settings

READY = "import json; print(json.dumps({'event': 'ready', 'port': 7}), flush=True)"


def child(script, on_ready=lambda role, port: None):
    return Child("listener", [sys.executable, "-c", script], on_ready)


def supervised(children, *, until, seconds=20.0, hung_after_s=60.0, **options):
    """Run `supervise` in a thread until `until()`; exit code and log lines."""
    limits = Limits(grace_s=1.0, hung_after_s=hung_after_s)
    stop, stream, result = threading.Event(), io.StringIO(), []
    log = EventLog("serve", is_strict=True, stream=stream)
    thread = threading.Thread(
        target=lambda: result.append(
            supervise(children, stop=stop, emit=log, limits=limits, **options)
        )
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


BEATS = (
    "import sys, time; from app.node.lifeline import beats_into\n"
    "beat = beats_into(int(sys.argv[-1]))"
)


def test_a_process_that_is_stopped_is_killed_and_started_again_and_a_busy_one_is_not():
    pids, stopped = [], []
    one = child(
        f"{BEATS}; beat(); {READY}\nwhile True: beat(); time.sleep(0.05)",
        lambda role, port: pids.append(one.process.pid),
    )
    other = child(f"{BEATS}; beat(); {READY}\nwhile True: beat(); time.sleep(0.3)")

    def twice():
        if len(pids) == 1 and not stopped:
            stopped.append(pids[0])
            os.kill(pids[0], signal.SIGSTOP)
        return len(pids) == 2

    code, lines = supervised([one, other], until=twice, hung_after_s=1.0)
    assert code == 0
    assert len(set(pids)) == 2
    assert [(line["number"], line.get("code")) for line in lines] == [(704, None), (703, -9)]
    assert 1.0 <= lines[0]["silent_s"] < 2.5


def test_a_process_has_more_time_before_its_first_sign_of_life():
    one = child("pass")
    one.start()
    limits = Limits(grace_s=60.0, hung_after_s=5.0)
    assert not any(one.is_hung(1.0, limits) for _ in range(300))
    assert one.is_hung(1.0, limits)
    one.process.wait()


def test_a_process_that_ends_by_itself_may_finish_what_it_does():
    one = child("pass")
    one.start()
    beats_into(one._lifeline.descriptor)()
    end_into(one._lifeline.descriptor)()
    limits = Limits(grace_s=60.0, hung_after_s=5.0)
    assert not one.is_hung(1.0, limits)  # it has just beaten
    assert not any(one.is_hung(1.0, limits) for _ in range(80))
    assert one.is_hung(1.0, limits)
    one.process.wait()


def test_a_broken_journal_ends_the_node_even_if_it_was_ready_before():
    one = child(f"{READY}; import time; time.sleep(0.5); raise SystemExit(50)")
    code, lines = supervised([one], until=lambda: False)
    assert code == 50
    assert [(line["number"], line["code"]) for line in lines] == [(705, 50)]


def test_the_service_manager_hears_ready_alive_and_stopping(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(10)
        manager = ServiceManager(address=str(tmp_path / "notify"), watchdog_s=0.5)
        one = child(f"{READY}; import time; time.sleep(60)")
        states = []

        def often():
            states.append(heard.recv(64).decode())
            return states.count("WATCHDOG=1") >= 3 and "READY=1" in states

        supervised([one], until=often, manager=manager)
        heard.settimeout(0.1)
        with suppress(TimeoutError):
            while True:
                states.append(heard.recv(64).decode())
    assert [state for state in states if state != "WATCHDOG=1"] == ["READY=1", "STOPPING=1"]


SETTINGS = load_settings()
SAYS_READY_AGAIN_AT_SIGHUP = (
    "import os, signal; say = json.dumps({'event': 'ready', 'port': 8}) + chr(10); "
    "signal.signal(signal.SIGHUP, lambda *_: os.write(1, say.encode()))"
)


@pytest.mark.parametrize("is_usable", [True, False])
def test_new_settings_are_taken_by_new_processes_and_bad_ones_change_nothing(is_usable):
    starts, wanted, asked = [], threading.Event(), []
    one = child(
        f"{READY}; import time; time.sleep(60)",
        lambda role, port: starts.append(one.process.pid),
    )

    def read():
        asked.append(1)
        if not is_usable:
            raise ConfigurationError("app.yaml: a route names unknown peers: nobody")
        return SETTINGS

    def over():
        if starts and not asked:
            wanted.set()
        return len(starts) == 2 if is_usable else bool(asked)

    _, lines = supervised([one], until=over, reload=Reload(SETTINGS, wanted, read))
    assert [line["number"] for line in lines] == ([706] if is_usable else [707])
    assert len(set(starts)) == 1 + is_usable


def test_a_process_that_reads_anew_is_told_by_sighup_once_it_is_ready_and_stays():
    heard, wanted = [], threading.Event()
    wanted.set()  # before it is ready, when SIGHUP would end it
    one = child(
        f"import json, time; time.sleep(0.5); {SAYS_READY_AGAIN_AT_SIGHUP}; {READY}\n"
        "while True: time.sleep(60)",
        lambda role, port: heard.append((one.process.pid, port)),
    )
    one.reads_anew = True
    _, lines = supervised(
        [one], until=lambda: len(heard) == 2, reload=Reload(SETTINGS, wanted, lambda: SETTINGS)
    )
    assert [port for _, port in heard] == [7, 8]
    assert len({pid for pid, _ in heard}) == 1
    assert [line["number"] for line in lines] == [706]


def test_new_limits_and_a_new_log_level_hold_for_the_supervisor_too():
    heard, wanted = [], threading.Event()
    wanted.set()
    node = SETTINGS.node.model_copy(update={"hung_after_s": 0.3, "log_level": "error"})
    new = SETTINGS.model_copy(update={"node": node})
    one = child(
        f"{BEATS}; beat(); {SAYS_READY_AGAIN_AT_SIGHUP.replace('import os', 'import json, os')}; "
        f"{READY}; time.sleep(60); time.sleep(60)",
        lambda role, port: heard.append(port),
    )
    one.reads_anew = True
    _, lines = supervised(
        [one], until=lambda: len(heard) == 3, reload=Reload(SETTINGS, wanted, lambda: new)
    )
    assert [line["number"] for line in lines][:3] == [706, 704, 703]


@pytest.mark.parametrize("code", [2, 20])
def test_a_process_that_cannot_run_at_all_ends_the_others_with_its_code(code):
    other = child(f"{READY}; import time; time.sleep(60)")
    broken = child(f"raise SystemExit({code})")
    found, _ = supervised([other, broken], until=lambda: False)
    assert found == code
    assert other.process is not None
    assert other.process.poll() == -signal.SIGTERM


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(monkeypatch):
    monkeypatch.setattr("app.node.serve._KILL_AFTER_S", 0.2)
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
