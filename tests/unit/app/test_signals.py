from __future__ import annotations

import signal
import subprocess
import sys
import time

IGNORING = (
    "import threading\n"
    "early = threading.Event()\n"
    "threading.Thread(target=early.wait, daemon=True).start()\n"
    "from app.signals import ignore_stop_requests\n"
    "ignore_stop_requests()\n"
    "print('ready', flush=True)\n"
    "input()\n"
    "print('worked on', flush=True)\n"
)


def test_stop_requests_are_ignored_in_all_threads():
    with subprocess.Popen(
        [sys.executable, "-c", IGNORING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        said, _ = process.communicate("go on\n")
    assert (process.returncode, said) == (0, "worked on\n")


def test_a_process_dies_with_the_parent_that_is_killed():
    inner = "from app.signals import die_with_parent as d; d(); print('up', flush=True); input()"
    outer = (
        "import subprocess, sys, time\n"
        "process = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=subprocess.PIPE)\n"
        "time.sleep(3600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", outer, inner], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        parent.kill()
        # The grandchild holds the other end of this pipe: it ends when the grandchild does.
        assert parent.stdout.read() == ""
