from __future__ import annotations

import os
import subprocess
import sys

from app.node.inference.vitals import usage_of

HOARDER = "hoard = b'x' * (60 * 1024 * 1024); print('ready', flush=True); input()"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"


def test_the_memory_of_a_child_counts_with_that_of_its_parent():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, HOARDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        assert 60 < usage_of(parent.pid).resident_bytes / 2**20 < 200
        parent.communicate("go\n")


def test_a_process_that_is_gone_holds_nothing():
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert usage_of(ended.pid).resident_bytes == 0
    assert usage_of(os.getpid()).resident_bytes > 0
