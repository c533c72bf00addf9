"""The disk without power, the full disk and the clock that the campaign preloads."""

from __future__ import annotations

import errno
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.benchmarks.campaign.disturbance import Disturbance, compiler

pytestmark = pytest.mark.skipif(not compiler(), reason="there is no C compiler")

UNLUCKY = 1
"""Seed with which nothing that was not synchronised has reached the disk."""


def unlucky() -> random.Random:
    return random.Random(UNLUCKY)  # noqa: S311 - for repeatability


WRITER = """
import os, sqlite3, sys
data = sys.argv[1]

def write(name, text, sync=True):
    with open(f"{data}/{name}", "w") as file:
        file.write(text)
        file.flush()
        if sync:
            os.fsync(file.fileno())

def sync_names(name=""):
    handle = os.open(f"{data}/{name}", os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)

write("old", "old")
os.mkdir(f"{data}/folder")
write("folder/deep", "deep")
sync_names("folder")
write("never synchronised", "x", sync=False)
write("renamed later", "renamed")
connection = sqlite3.connect(f"{data}/db", isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA synchronous=FULL")
connection.execute("CREATE TABLE t (n)")
connection.execute("INSERT INTO t VALUES (1)")
sync_names()
write("old", "new", sync=False)
write("without a name", "x")
os.rename(f"{data}/renamed later", f"{data}/renamed")
os.unlink(f"{data}/folder/deep")
connection.execute("INSERT INTO t VALUES (2)")
os.kill(os.getpid(), 9)
"""


def run(disturbance: Disturbance, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, str(disturbance.data)],
        env={**os.environ, **disturbance.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_power_loss_leaves_what_was_synchronised_and_nothing_else(tmp_path: Path) -> None:
    disturbance = Disturbance(tmp_path / "tools", tmp_path / "data", keeps=True)
    (tmp_path / "data" / "from before").write_text("before")
    disturbance = Disturbance(tmp_path / "tools", tmp_path / "data", keeps=True)
    assert run(disturbance, WRITER).returncode == -9
    disturbance.lose_power(unlucky())
    data = tmp_path / "data"
    plain = [path for path in data.iterdir() if path.is_file() and path.name[:2] != "db"]
    assert {path.name: path.read_text() for path in plain} == {
        "from before": "before",
        "old": "old",
        "never synchronised": "",
        "renamed later": "renamed",
    }
    assert (data / "folder" / "deep").read_text() == "deep"
    with closing(sqlite3.connect(data / "db")) as connection:
        assert connection.execute("SELECT n FROM t").fetchall() == [(1,), (2,)]


def test_what_is_there_after_a_power_loss_is_there_after_the_next_one(tmp_path: Path) -> None:
    disturbance = Disturbance(tmp_path / "tools", tmp_path / "data", keeps=True)
    run(disturbance, WRITER)
    disturbance.lose_power(unlucky())
    disturbance.lose_power(unlucky())
    assert (tmp_path / "data" / "folder" / "deep").read_text() == "deep"
    assert disturbance.losses == 2


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_does_so_in_its_folder_alone(tmp_path: Path, error: int) -> None:
    disturbance = Disturbance(tmp_path / "tools", tmp_path / "data")
    program = (
        "import json, pathlib, sys\n"
        "def told(path):\n"
        "    try:\n"
        "        path.write_text('x')\n"
        "    except OSError as error:\n"
        "        return error.errno\n"
        "    return 0\n"
        "data = pathlib.Path(sys.argv[1])\n"
        "print(json.dumps([told(data / 'new'), told(data / 'old'), told(data.parent / 'aside')]))"
    )
    (tmp_path / "data" / "old").write_text("")
    disturbance.refuse(error)
    assert json.loads(run(disturbance, program).stdout) == [error, error, 0]
    disturbance.refuse(0)
    assert json.loads(run(disturbance, program).stdout) == [0, 0, 0]


def test_a_clock_that_is_set_shows_in_the_time_of_day_alone(tmp_path: Path) -> None:
    disturbance = Disturbance(tmp_path / "tools", tmp_path / "data")
    program = "import json, time; print(json.dumps([time.time(), time.monotonic()]))"
    disturbance.set_clock(-3600.5)
    day, monotonic = json.loads(run(disturbance, program).stdout)
    assert day == pytest.approx(time.time() - 3600.5, abs=5)
    assert monotonic == pytest.approx(time.monotonic(), abs=5)
