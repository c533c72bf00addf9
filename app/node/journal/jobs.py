"""Jobs: made once per content and models, given to the engine, cancelled or run again by a person.

What a worker writes while it runs one is `app.node.journal.runs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from app.node.journal.moves import move
from app.node.journal.states import InstanceState, JobEvent, JobState
from app.node.journal.tables import INSTANCE, JOB, JOB_INPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

PRIORITIES: Final = {"urgent": 10, "normal": 50, "batch": 90}
"""The engine takes the lowest number first; 0 would be its "none given"."""

SUPERSEDED: Final = "superseded"
"""Error code of a job that was cancelled because its series has a newer content."""

_FRESH: Final = {
    "run_number": JOB.c.run_number + 1,
    "cancel_requested": 0,
    "worker_id": None,
    "step": "",
    "fraction": 0.0,
    "error_code": None,
    "error_message": None,
}
"""A job before its next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be made.

    Attributes
    ----------
    job_id : str
        Hash of series, content, models and parameters: the same work has the same id.
    inputs : tuple of (str, str)
        SOP Instance UID and digest of every object it works on.
    created_at : float
        Epoch seconds; also the time written into its results, whenever it runs.
    """

    job_id: str
    series_uid: str
    study_uid: str
    revision: int
    content_digest: str
    priority: int
    inputs: tuple[tuple[str, str], ...]
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One run of a job: what the engine's workflow is named after."""

    job_id: str
    run_number: int
    priority: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInput:
    """One object of a job; `path` is relative to the spool, `is_held` False once deleted."""

    sop_instance_uid: str
    digest: str
    path: str
    is_held: bool


def create(c: Connection, new: NewJob) -> bool:
    """Make a job, unless it exists.

    Parameters
    ----------
    c : Connection
        The transaction that accepts the series.
    new : NewJob
        What to do.

    Returns
    -------
    bool
        False where the same work exists and was not cancelled. Older jobs of the series that are
        not finished are cancelled: they work on a content that is no longer all.
    """
    state = c.execute(sa.select(JOB.c.state).where(JOB.c.job_id == new.job_id)).scalar()
    if state is not None:
        return state == JobState.CANCELLED and replay(c, new.job_id, new.created_at)
    predecessor = c.execute(
        sa.select(JOB.c.job_id)
        .where(JOB.c.series_uid == new.series_uid)
        .order_by(JOB.c.revision.desc(), JOB.c.created_at.desc())
        .limit(1)
    ).scalar()
    c.execute(
        sa.insert(JOB).values(
            job_id=new.job_id,
            series_uid=new.series_uid,
            study_uid=new.study_uid,
            revision=new.revision,
            predecessor_job_id=predecessor,
            content_digest=new.content_digest,
            state=JobState.WAITING,
            priority=new.priority,
            created_at=new.created_at,
            clock=new.created_at,
        )
    )
    c.execute(
        sa.insert(JOB_INPUT),
        [
            {"job_id": new.job_id, "sop_instance_uid": uid, "digest": digest}
            for uid, digest in new.inputs
        ],
    )
    older = sa.select(JOB.c.job_id).where(
        JOB.c.series_uid == new.series_uid, JOB.c.job_id != new.job_id
    )
    for job_id in c.execute(older).scalars().all():
        request_cancel(c, job_id, new.created_at, code=SUPERSEDED)
    return True


def waiting(c: Connection) -> list[JobRun]:
    """Jobs that the engine has not got yet, in the order they are to run."""
    return _runs(c, (JobState.WAITING,))


def at_engine(c: Connection) -> list[JobRun]:
    """Jobs that the engine should know: queued and running ones."""
    return _runs(c, (JobState.QUEUED, JobState.RUNNING))


def mark_queued(c: Connection, run: JobRun) -> bool:
    """Move from waiting to queued, after the engine took it."""
    return move(c, JobEvent.ENQUEUE, *_is(run)) > 0


def inputs(c: Connection, job_id: str) -> list[JobInput]:
    """Objects that a job works on, fixed when it was made."""
    query = (
        sa.select(INSTANCE)
        .join(
            JOB_INPUT,
            (JOB_INPUT.c.sop_instance_uid == INSTANCE.c.sop_instance_uid)
            & (JOB_INPUT.c.digest == INSTANCE.c.digest),
        )
        .where(JOB_INPUT.c.job_id == job_id)
        .order_by(INSTANCE.c.sop_instance_uid)
    )
    return [
        JobInput(
            sop_instance_uid=row.sop_instance_uid,
            digest=row.digest,
            path=row.path,
            is_held=row.state == InstanceState.STORED,
        )
        for row in c.execute(query)
    ]


def request_cancel(c: Connection, job_id: str, now: float, *, code: str | None = None) -> bool:
    """Cancel a job: at once before it runs, else its worker stops it within a second.

    Parameters
    ----------
    c : Connection
        A transaction.
    job_id : str
        Which job.
    now : float
        Epoch seconds.
    code : str, optional
        Why, where it was not a person.

    Returns
    -------
    bool
        False where the job is unknown, finished, or its cancelling was requested before.
    """
    if move(c, JobEvent.CANCEL, JOB.c.job_id == job_id, finished_at=now, error_code=code):
        return True
    asked = c.execute(
        sa.update(JOB)
        .where(JOB.c.job_id == job_id, JOB.c.state == JobState.RUNNING)
        .where(JOB.c.cancel_requested == 0)
        .values(cancel_requested=1, error_code=code)
    )
    return asked.rowcount > 0


def replay(c: Connection, job_id: str, now: float) -> bool:  # noqa: ARG001 - as every action
    """Run a finished job again from its start: by a person.

    Parameters
    ----------
    c : Connection
        A transaction.
    job_id : str
        Which job.
    now : float
        Epoch seconds; not written: results keep the time of the first run and so stay the same.

    Returns
    -------
    bool
        False where the job is unknown or not finished.
    """
    anew = {"attempts": 0, "started_at": None, "finished_at": None, **_FRESH}
    return move(c, JobEvent.REPLAY, JOB.c.job_id == job_id, **anew) > 0


def requeue(c: Connection, run: JobRun) -> bool:
    """Give a job to the engine again, under a new number: the engine lost or dropped this run."""
    return move(c, JobEvent.REQUEUE, *_is(run), JOB.c.cancel_requested == 0, **_FRESH) > 0


def _is(run: JobRun) -> tuple[sa.ColumnElement[bool], ...]:
    return JOB.c.job_id == run.job_id, JOB.c.run_number == run.run_number


def _runs(c: Connection, states: Sequence[JobState]) -> list[JobRun]:
    query = (
        sa.select(JOB.c.job_id, JOB.c.run_number, JOB.c.priority, JOB.c.state)
        .where(JOB.c.state.in_(states))
        .order_by(JOB.c.priority, JOB.c.created_at, JOB.c.job_id)
    )
    return [JobRun(**row) for row in c.execute(query).mappings()]
