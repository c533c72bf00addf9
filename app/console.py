"""How a run tells what it is doing: a live display, JSON lines, or plain lines."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app.steps import STEP_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def plain_output() -> None:
    """Let standard output escape what its encoding cannot show, as standard error does."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def emit_json(document: dict[str, Any]) -> None:
    """Write one JSON line to standard output, at once."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


@contextmanager
def reporting(*, as_json: bool) -> Iterator[Callable[[str, str, float], None]]:
    """Progress callback for (case key, step, fraction).

    Parameters
    ----------
    as_json : bool
        JSON lines on standard output; else a live display where standard error is a terminal,
        one line per finished step elsewhere.
    """
    console = Console(stderr=True)
    if as_json:
        yield _json_lines
    elif console.is_terminal:
        display = Progress(
            TextColumn("{task.fields[series]}"),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
        )
        with display:
            yield _Live(display)
    else:
        yield _PlainLines()


def _json_lines(key: str, step: str, fraction: float) -> None:
    emit_json({"event": "progress", "key": key, "step": step, "fraction": round(fraction, 4)})


class _PlainLines:
    """One line per finished step; the last tile and the step's end say the same."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def __call__(self, key: str, step: str, fraction: float) -> None:
        if fraction >= 1.0 and (key, step) not in self._told:
            self._told.add((key, step))
            sys.stderr.write(f"{key}: {STEP_WORDS.get(step, step)}: done\n")


class _Live:
    """One bar per series and step."""

    def __init__(self, display: Progress) -> None:
        self._display = display
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __call__(self, key: str, step: str, fraction: float) -> None:
        task = self._tasks.get((key, step))
        if task is None:
            title = STEP_WORDS.get(step, step)
            task = self._display.add_task(title, total=1.0, series=key)
            self._tasks[key, step] = task
        self._display.update(task, completed=fraction)
