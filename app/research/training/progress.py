"""How a training tells where it is: a live display, JSON lines, or a line now and then."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from app.console import emit_json
from app.research.training.sources import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY = 50
"""Steps, or images, per line where nobody watches."""


@contextmanager
def telling(*, as_json: bool) -> Iterator[Listener]:
    """Give a training somebody to tell.

    Parameters
    ----------
    as_json : bool
        JSON lines on standard output; else a live display where standard error is a terminal,
        a line per 50 steps elsewhere.
    """
    console = Console(stderr=True)
    if as_json:
        yield Listener(_json_data, _json_step, _json_note)
    elif console.is_terminal:
        display = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[detail]}"),
            TimeRemainingColumn(),
            console=console,
        )
        with display:
            live = _Live(display)
            yield Listener(live.data, live.step, live.note)
    else:
        yield Listener(_plain_data, _plain_step, _plain_note)


def _json_data(what: str, done: int, total: int) -> None:
    emit_json({"event": "data", "what": what, "done": done, "total": total})


def _json_step(fold: int, step: int, steps: int, entropy: float, dice: float) -> None:
    losses = {"cross_entropy": round(entropy, 4), "dice_loss": round(dice, 4)}
    emit_json({"event": "step", "fold": fold, "step": step, "steps": steps, **losses})


def _json_note(text: str) -> None:
    emit_json({"event": "note", "text": text})


def _plain_note(text: str) -> None:
    sys.stderr.write(f"note: {text}\n")


def _plain_data(what: str, done: int, total: int) -> None:
    if done == total:
        sys.stderr.write(f"{what}: {total} ready\n")
    elif done % EVERY == 0:
        sys.stderr.write(f"{what}: {done} of {total}\n")


def _plain_step(fold: int, step: int, steps: int, entropy: float, dice: float) -> None:
    if step % EVERY == 0 or step == steps:
        sys.stderr.write(
            f"fold {fold}, step {step}/{steps}: cross-entropy {entropy:.3f}, Dice loss {dice:.3f}\n"
        )


class _Live:
    """One bar for each kind of data and each fold."""

    def __init__(self, display: Progress) -> None:
        self._display = display
        self._tasks: dict[str, TaskID] = {}

    def data(self, what: str, done: int, total: int) -> None:
        """Move the bar of the data."""
        self._move(what, done, total, "")

    def step(self, fold: int, step: int, steps: int, entropy: float, dice: float) -> None:
        """Move the bar of the fold."""
        detail = f"cross-entropy {entropy:.3f}, Dice loss {dice:.3f}"
        self._move(f"fold {fold}", step, steps, detail)

    def note(self, text: str) -> None:
        """Write a line above the bars."""
        self._display.console.print(f"note: {text}", markup=False, highlight=False)

    def _move(self, name: str, done: int, total: int, detail: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._display.add_task(name, total=total, detail=detail)
        self._display.update(self._tasks[name], completed=done, detail=detail)
