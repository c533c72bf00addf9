"""What may be deleted: only what no unfinished work and no unconfirmed delivery still needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from app.node.journal.states import DeliveryState, InstanceState, JobState, SeriesState
from app.node.journal.tables import DELIVERY, INSTANCE, JOB, RESULT, SERIES

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

FINISHED_JOBS: Final = (JobState.SUCCEEDED, JobState.REFUSED, JobState.CANCELLED)
"""A dead job waits for a person, who needs its images."""

FINISHED_DELIVERIES: Final = (
    DeliveryState.DELIVERED,
    DeliveryState.DISCARDED,
    DeliveryState.DECLINED,
)
_NOTHING: Final = "{}"
"""A JSON column without content."""


_NEEDED_BY_NOTHING: Final = (
    ~sa.exists().where(JOB.c.series_uid == SERIES.c.series_uid, JOB.c.state.not_in(FINISHED_JOBS)),
    ~sa.exists()
    .where(JOB.c.series_uid == SERIES.c.series_uid)
    .where(DELIVERY.c.job_id == JOB.c.job_id)
    .where(DELIVERY.c.state.not_in(FINISHED_DELIVERIES)),
)
"""No job of the series is unfinished, and none of its deliveries unconfirmed."""


def expired_series(
    connection: Connection, state: SeriesState, before: float, limit: int
) -> list[str]:
    """Series of a state without activity since `before` that nothing needs any more.

    Parameters
    ----------
    connection : Connection
        A writing transaction: the answer must still hold when the files go.
    state : SeriesState
        ``ACCEPTED``, ``REJECTED`` or ``DISCARDED``.
    before : float
        Epoch seconds.
    limit : int
        At most this many.

    Returns
    -------
    list of str
        Series Instance UIDs that still have files.
    """
    has_files = sa.exists().where(
        INSTANCE.c.series_uid == SERIES.c.series_uid, INSTANCE.c.state != InstanceState.DELETED
    )
    query = (
        sa.select(SERIES.c.series_uid)
        .where(SERIES.c.state == state, SERIES.c.last_activity_at < before)
        .where(has_files, *_NEEDED_BY_NOTHING)
        .order_by(SERIES.c.last_activity_at)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def forget_texts(connection: Connection, before: float, limit: int) -> int:
    """Forget what people wrote and what was decided about series that nothing needs any more.

    Identifiers, digests, states and times stay, of jobs and results, too: that nothing is done
    twice depends on them.

    Parameters
    ----------
    connection : Connection
        A transaction.
    before : float
        Series without activity since then, epoch seconds.
    limit : int
        At most this many.

    Returns
    -------
    int
        How many series.
    """
    has_texts = sa.or_(
        SERIES.c.description != "", SERIES.c.decision != _NOTHING, SERIES.c.completeness != _NOTHING
    )
    ended = (SeriesState.ACCEPTED, SeriesState.REJECTED, SeriesState.DISCARDED)
    query = (
        sa.select(SERIES.c.series_uid)
        .where(SERIES.c.state.in_(ended), SERIES.c.last_activity_at < before)
        .where(has_texts, *_NEEDED_BY_NOTHING)
        .order_by(SERIES.c.last_activity_at)
        .limit(limit)
    )
    uids = list(connection.execute(query).scalars())
    connection.execute(
        SERIES.update()
        .where(SERIES.c.series_uid.in_(uids))
        .values(description="", decision=_NOTHING, completeness=_NOTHING)
    )
    connection.execute(
        JOB.update()
        .where(JOB.c.series_uid.in_(uids))
        .values(record=_NOTHING, step="", fraction=0.0)
    )
    return len(uids)


def expired_strays(connection: Connection, before: float, limit: int) -> list[str]:
    """Find objects that belong to no series row (quarantined, own results), by spool path.

    Parameters
    ----------
    connection : Connection
        A writing transaction.
    before : float
        Received before, epoch seconds.
    limit : int
        At most this many.

    Returns
    -------
    list of str
        Paths relative to the spool.
    """
    known = sa.exists().where(SERIES.c.series_uid == INSTANCE.c.series_uid)
    query = (
        sa.select(INSTANCE.c.path)
        .where(INSTANCE.c.received_at < before, INSTANCE.c.state != InstanceState.DELETED, ~known)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def paths_of_series(connection: Connection, series_uid: str) -> list[str]:
    """Spool paths of all objects of a series whose files are still there."""
    query = sa.select(INSTANCE.c.path).where(
        INSTANCE.c.series_uid == series_uid, INSTANCE.c.state != InstanceState.DELETED
    )
    return list(connection.execute(query).scalars())


def mark_deleted(connection: Connection, paths: list[str]) -> None:
    """Remember that the files are gone; the rows stay."""
    connection.execute(
        INSTANCE.update().where(INSTANCE.c.path.in_(paths)).values(state=InstanceState.DELETED)
    )


def expired_results(connection: Connection, before: float, limit: int) -> list[str]:
    """Jobs finished before `before` whose result files nobody waits for.

    Parameters
    ----------
    connection : Connection
        A writing transaction.
    before : float
        Epoch seconds.
    limit : int
        At most this many.

    Returns
    -------
    list of str
        Job ids that still have result rows with files.
    """
    undelivered = sa.exists().where(
        DELIVERY.c.job_id == JOB.c.job_id, DELIVERY.c.state.not_in(FINISHED_DELIVERIES)
    )
    has_files = sa.exists().where(RESULT.c.job_id == JOB.c.job_id, RESULT.c.path != "")
    query = (
        sa.select(JOB.c.job_id)
        .where(JOB.c.state == JobState.SUCCEEDED, JOB.c.finished_at < before)
        .where(has_files, ~undelivered)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def forget_result_files(connection: Connection, job_id: str) -> list[str]:
    """Take the paths out of the rows of a job, which keep name and digest.

    Returns
    -------
    list of str
        Paths relative to the data folder that were there.
    """
    query = sa.select(RESULT.c.path).where(RESULT.c.job_id == job_id, RESULT.c.path != "")
    paths = list(connection.execute(query).scalars())
    connection.execute(RESULT.update().where(RESULT.c.job_id == job_id).values(path=""))
    return paths
