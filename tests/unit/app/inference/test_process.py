from __future__ import annotations

import os
import subprocess
import sys

from app.inference.process import resident_bytes

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
        assert 60 < resident_bytes(parent.pid) / 2**20 < 200
        parent.communicate("go\n")


def test_a_process_that_is_gone_holds_nothing():
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert resident_bytes(ended.pid) == 0
    assert resident_bytes(os.getpid()) > 0
