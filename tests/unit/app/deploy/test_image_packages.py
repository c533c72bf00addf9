"""The list of packed packages follows requirements as pip does, except into what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.deploy.image_packages import LEFT_OUT, main, needed_packages, unneeded_packages

ROOT = Path(__file__).resolve().parents[4]


@dataclass
class Installed:
    name: str
    version: str = "1"
    requires: Sequence[str] = field(default_factory=list)


def world() -> list[Any]:
    return [
        Installed("Root_Lib", "2.0", ["mid[fast]>=1", "gone; python_version < '3'"]),
        Installed("mid", "3.1", ["base", "quick; extra == 'fast'", "slow; extra == 'slow'"]),
        Installed("base"),
        Installed("quick"),
        Installed("slow"),
        Installed("heavy", "9", ["base", "only-by-heavy"]),
        Installed("only-by-heavy"),
        Installed("loop-a", "1", ["loop-b"]),
        Installed("loop-b", "1", ["loop-a"]),
    ]


def test_extras_are_followed_where_asked_and_other_pythons_are_not() -> None:
    kept = needed_packages(["root-lib"], world(), left_out=())
    assert kept == {"base": "1", "mid": "3.1", "quick": "1", "root-lib": "2.0"}


def test_what_only_a_left_out_package_wants_is_left_out_with_it() -> None:
    kept = needed_packages(["mid", "heavy"], world(), left_out=["HEAVY"])
    assert kept == {"base": "1", "mid": "3.1"}


def test_a_circle_of_requirements_ends() -> None:
    assert needed_packages(["loop-a"], world(), left_out=()) == {"loop-a": "1", "loop-b": "1"}


def test_the_unneeded_are_all_others() -> None:
    assert unneeded_packages(["mid[fast]"], world()) == [
        "heavy",
        "loop-a",
        "loop-b",
        "only-by-heavy",
        "root-lib",
        "slow",
    ]


def test_of_this_installation_torch_is_kept_and_nothing_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main([str(ROOT / "pyproject.toml")])
    lines = capsys.readouterr().out.splitlines()
    names = {line.split("==")[0] for line in lines}
    assert {"torch", "holoscan-cu13", "monai-deploy-app-sdk", "highdicom", "dbos"} <= names
    assert names.isdisjoint(LEFT_OUT)
    main([str(ROOT / "pyproject.toml"), "--unneeded"])
    unneeded = set(capsys.readouterr().out.split())
    assert "spine-node" not in unneeded  # it is not on its own wish list, yet stays
    assert unneeded.isdisjoint(names)
    assert {"pytest", "mypy"} & unneeded
