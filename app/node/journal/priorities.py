"""One job before all others: a person raises its priority.

The engine gives a workflow its priority when it takes it, and has no way to change it. So the run
gets a new number and is given to the engine again; the workflow of the old number finds that its
run is over (`app.node.journal.runs.begin`) and does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.node.journal.moves import move
from app.node.journal.states import JobEvent
from app.node.journal.tables import JOB

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

NEXT: Final = 5
"""Before ``urgent`` (10); several of them keep the order in which they were raised."""


def run_next(c: Connection, job_id: str, now: float) -> bool:  # noqa: ARG001 - as every action
    """Have a job that waits begin before every other one.

    Parameters
    ----------
    c : Connection
        A transaction.
    job_id : str
        Which job.
    now : float
        Epoch seconds; not written.

    Returns
    -------
    bool
        False where the job is unknown, does not wait, or was raised before.
    """
    anew = {"priority": NEXT, "run_number": JOB.c.run_number + 1}
    return move(c, JobEvent.HASTEN, JOB.c.job_id == job_id, JOB.c.priority > NEXT, **anew) > 0
