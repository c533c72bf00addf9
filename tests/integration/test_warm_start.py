"""A process forked from a warm one is like one started by itself, and is seen to end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.node_processes import ENVIRONMENT, ROOT
from tests.builders.stub_inference_child import COMMAND
from tests.builders.warm_start import WarmParent, WarmProcess, warm_parent

PYTHON = (sys.executable, "-m")
LONG_S = 60.0


@pytest.fixture(scope="module")
def parent() -> Iterator[WarmParent]:
    with warm_parent(ROOT, {**ENVIRONMENT, "NO_COLOR": "1"}) as warm:
        yield warm


def started(parent: WarmParent, log: Path, *words: str) -> WarmProcess:
    with log.open("wb") as file:
        return parent.start((*PYTHON, *words), file.fileno())


def test_it_runs_the_main_of_a_module_with_its_arguments(parent: WarmParent, tmp_path: Path):
    process = started(parent, tmp_path / "log", "app.cli.main", "listener", "--help")
    with process.stdout as told:
        assert "--config" in told.read()
    process.wait(LONG_S)
    assert process.poll() is not None


def test_what_it_says_on_standard_error_goes_to_its_log(parent: WarmParent, tmp_path: Path):
    missing = tmp_path / "missing.yaml"
    words = ("app.cli.main", "listener", "--child", "--config", str(missing))
    process = started(parent, tmp_path / "log", *words)
    with process.stdout as told:
        assert told.read() == ""
    process.wait(LONG_S)
    assert "SPN-8000" in (tmp_path / "log").read_text()


def test_one_that_is_killed_is_gone_and_the_others_are_not(parent: WarmParent, tmp_path: Path):
    waiting = (COMMAND[-1], "--hang-at-start")
    one, other = (started(parent, tmp_path / name, *waiting) for name in ("one", "other"))
    assert one.poll() is None
    one.kill()
    one.wait(LONG_S)
    assert other.poll() is None
    os.kill(other.pid, 0)
    other.kill()
    other.wait(LONG_S)
    for process in (one, other):
        process.stdout.close()
