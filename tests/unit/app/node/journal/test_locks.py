"""A lock is held by whoever lives: it is free at the moment its process ends, however it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.node.journal.locks import holding, is_held

HOLDER = (
    "import sys, time; from pathlib import Path; from app.node.journal.locks import holding\n"
    "with holding(Path(sys.argv[1]), 'listener') as is_ours:\n"
    "    print(is_ours, flush=True); time.sleep(60)"
)

LOOKER = (
    "import sys; from pathlib import Path; from app.node.journal.locks import is_held\n"
    "print(flush=True)\nwhile True: is_held(Path(sys.argv[1]), 'worker')"
)


def test_one_holds_it_another_does_not_and_a_look_takes_nothing(tmp_path: Path):
    assert is_held(tmp_path, "listener") is None
    with holding(tmp_path, "listener") as first:
        assert first
        assert is_held(tmp_path, "listener") is True
        with holding(tmp_path, "listener") as second, holding(tmp_path, "other") as other:
            assert (second, other) == (False, True)
        assert is_held(tmp_path, "listener") is True
    assert is_held(tmp_path, "listener") is False


def test_a_process_killed_by_sigkill_gives_it_back(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert is_held(tmp_path, "listener") is True
        holder.kill()
    assert is_held(tmp_path, "listener") is False


@pytest.mark.parametrize("looks", [200])
def test_whoever_looks_keeps_nobody_from_taking_it(tmp_path: Path, looks: int):
    with holding(tmp_path, "worker"):
        pass
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            LOOKER,
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
    ) as looker:
        assert looker.stdout is not None
        looker.stdout.readline()
        taken = 0
        for _ in range(looks):
            with holding(tmp_path, "worker") as is_ours:
                taken += is_ours
        looker.kill()
    assert taken >= looks * 0.95
