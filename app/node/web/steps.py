"""How far a job is, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from app.node.journal.states import JobState
from app.node.journal.tallies import seconds_by_step
from app.steps import STEP_WORDS

if TYPE_CHECKING:
    from app.node.journal.rows import JobRow

Place = Literal["done", "now", "next"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a job.

    Attributes
    ----------
    name : str
        As in the run's record.
    place : str
        ``done``, ``now`` (or where it ended), ``next``.
    seconds : float or None
        How long it took, where the record tells.
    """

    name: str
    place: Place
    seconds: float | None


def steps_of(row: JobRow) -> list[Step]:
    """Lay out the steps of a job.

    Parameters
    ----------
    row : JobRow
        Any state.

    Returns
    -------
    list of Step
        In the order of the pipeline; a step that the pipeline does not list comes last.
    """
    seconds = seconds_by_step(row.record)
    names = [*STEP_WORDS, *([row.step] if row.step and row.step not in STEP_WORDS else [])]
    reached = names.index(row.step) if row.step else -1
    if row.state == JobState.SUCCEEDED:
        reached = len(names)
    return [
        Step(name, _place(number, reached), seconds.get(name)) for number, name in enumerate(names)
    ]


def _place(number: int, reached: int) -> Place:
    if number == reached:
        return "now"
    return "done" if number < reached else "next"
