"""What docs/architecture.md says of its tasks is so: the example lies in the files it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MOST = {
    "write one more object": 4,
    "send results by another protocol": 3,
    "score one more metric": 2,
    "measure something more": 2,
    "let TLS ask for more": 3,
    "answer one more exit code": 3,
    "add a step": 3,
    "hold results against one more rule": 2,
    "let something need a person": 3,
    "tell one more event": 2,
    "show one more page": 3,
    "refuse a series": 3,
    "add a setting": 2,
}
"""Task -> files of the product that may change for it."""

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def rows() -> list[tuple[str, set[str], list[str]]]:
    (section,) = re.findall(r"<!-- tasks -->\n(.*?)<!-- /tasks -->", PAGE, re.DOTALL)
    found = []
    for line in section.splitlines()[2:]:
        task, files, examples = (cell.strip() for cell in line.strip("|").split(" | "))
        named = set(re.findall(r"`((?:app|operators)/[\w/]+\.py)`", files))
        found.append((task, named, re.findall(r"`([^`]+)`", examples)))
    return found


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    packages = ("app", "operators", "spine_node")
    return {
        path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
        for package in packages
        for path in (ROOT / package).rglob("*.py")
    }


def test_every_task_has_its_limit() -> None:
    assert len(rows()) == len(MOST) >= 10


@pytest.mark.parametrize(("task", "named", "examples"), rows(), ids=[task for task, *_ in rows()])
def test_the_example_of_a_task_lies_in_the_files_it_names_and_in_no_other(
    task: str, named: set[str], examples: list[str], sources: dict[str, str]
) -> None:
    (most,) = (count for start, count in MOST.items() if task.startswith(start))
    assert 1 <= len(named) <= most
    for example in examples:
        found = {place for place, text in sources.items() if example in text}
        assert found, example
        assert found <= named, example
