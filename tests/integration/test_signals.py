"""A process that is stopped and continued is not a process that was asked to end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil

from tests.builders.waiting import eventually

SCRIPT = """
import time
from app.signals import stop_requests
with stop_requests() as stop:
    print("ready", flush=True)
    print("asked" if stop.wait(300) else "alive", flush=True)
"""


def test_a_frozen_process_goes_on_when_it_wakes_up_and_ends_when_it_is_asked():
    with subprocess.Popen((sys.executable, "-c", SCRIPT), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        watched = psutil.Process(process.pid)
        for _ in range(3):
            process.send_signal(signal.SIGSTOP)
            eventually(lambda: watched.status() == psutil.STATUS_STOPPED)
            process.send_signal(signal.SIGCONT)
            eventually(lambda: watched.status() != psutil.STATUS_STOPPED)
            time.sleep(0.2)  # whatever it would do about it
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == b"asked\n"
        assert process.wait(60) == 0
