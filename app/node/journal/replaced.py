"""Results that a later run of their series replaces: what was not sent of them must not go out.

A later run is one of the same or a newer content that has results, or is on its way to some; a
correction by a person counts from the moment it is made. What was sent already stays where it is:
that is a person's task (`app.node.journal.attention`).

Whoever is replaced waits until the later results are there, and is withdrawn then. A later run that
comes to nothing gives back what waited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from app.node.journal.moves import move
from app.node.journal.states import DeliveryEvent, DeliveryState, JobState
from app.node.journal.tables import DELIVERY, JOB, LEVEL_CORRECTION

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

REPLACED_BY: Final = "replaced_by_revision_"
"""Begins the cause of what is not sent because there is something newer; its revision follows."""

MINE: Final = JOB.alias("mine")
LATER: Final = JOB.alias("later")
_OPEN: Final = (JobState.WAITING, JobState.QUEUED, JobState.RUNNING)


def ended_at(job: sa.FromClause) -> sa.ColumnElement[Any]:
    """When a job ended, or was made."""
    return sa.func.coalesce(job.c.finished_at, job.c.created_at)


IS_LATER: Final = sa.and_(
    LATER.c.series_uid == MINE.c.series_uid,
    LATER.c.job_id != MINE.c.job_id,
    LATER.c.revision >= MINE.c.revision,
    sa.or_(
        sa.and_(LATER.c.state == JobState.SUCCEEDED, ended_at(LATER) > ended_at(MINE)),
        sa.and_(LATER.c.state.in_(_OPEN), LATER.c.created_at > MINE.c.created_at),
    ),
)
"""Whether `LATER` replaces `MINE`."""

_IS_CORRECTED: Final = sa.exists().where(
    LEVEL_CORRECTION.c.series_uid == MINE.c.series_uid,
    LEVEL_CORRECTION.c.content_digest == MINE.c.content_digest,
    LEVEL_CORRECTION.c.at > MINE.c.created_at,
)


def is_replaced() -> sa.ColumnElement[bool]:
    """Whether something newer than a row of `DELIVERY` exists or is being made."""
    is_later = sa.exists().where(IS_LATER)
    return sa.exists().where(MINE.c.job_id == DELIVERY.c.job_id, sa.or_(is_later, _IS_CORRECTED))


def is_superseded() -> sa.ColumnElement[bool]:
    """Whether what replaces a row of `DELIVERY` has results."""
    has_results = sa.exists().where(IS_LATER, LATER.c.state == JobState.SUCCEEDED)
    return sa.exists().where(MINE.c.job_id == DELIVERY.c.job_id, has_results)


def replacing_revision() -> sa.ScalarSelect[int | None]:
    """Revision of what replaces the object of a row of `DELIVERY`; null: nothing does."""
    latest = sa.select(sa.func.max(LATER.c.revision)).where(IS_LATER).scalar_subquery()
    corrected = sa.case((_IS_CORRECTED, MINE.c.revision))
    return (
        sa.select(sa.func.coalesce(latest, corrected))
        .where(MINE.c.job_id == DELIVERY.c.job_id)
        .scalar_subquery()
    )


def withdraw_replaced(c: Connection, job_id: str, now: float) -> int:
    """Do not send what is still held, or was never tried, of the results that a job has replaced.

    Where an attempt was made, the object may be at its destination: the next attempt asks
    (`app.node.delivery.superseded`), so that an object that is there does not pass for withdrawn.

    Parameters
    ----------
    c : Connection
        The transaction that also says that the job succeeded.
    job_id : str
        Which job.
    now : float
        Epoch seconds.

    Returns
    -------
    int
        Deliveries withdrawn; they say by which revision they were replaced.
    """
    series = sa.select(JOB.c.series_uid).where(JOB.c.job_id == job_id).scalar_subquery()
    others = sa.select(JOB.c.job_id).where(JOB.c.series_uid == series, JOB.c.job_id != job_id)
    revision = sa.select(JOB.c.revision).where(JOB.c.job_id == job_id)
    number = c.execute(revision).scalar_one()
    is_untried = sa.or_(DELIVERY.c.state == DeliveryState.HELD, DELIVERY.c.attempts == 0)
    theirs = (DELIVERY.c.job_id.in_(others), is_replaced(), is_untried)
    return move(c, DeliveryEvent.WITHDRAW, *theirs, **withdrawn_by(number, now))


def withdrawn_by(revision: int, now: float) -> dict[str, str | float | None]:
    """Give the columns of a delivery that is withdrawn at a time because of a revision."""
    cause = f"{REPLACED_BY}{revision}"
    return {"released_at": now, "next_attempt_at": None, "last_error": cause}
