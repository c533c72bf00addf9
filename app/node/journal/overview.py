"""What the page shows of the journal: rows of studies, series, jobs and deliveries, read only.

Nothing here decides or changes anything. Long tables are cut by an index before their wide
columns are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from app.node.journal.row_queries import delivery_rows, job_rows, row_of, series_rows
from app.node.journal.rows import DeliveryRow, JobRow, ResultRow, SeriesRow, StrayRow, Window
from app.node.journal.states import InstanceState
from app.node.journal.tables import DELIVERY, INSTANCE, JOB, RESULT, SERIES

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.engine import Connection

_IN_QUARANTINE: Final = INSTANCE.c.state == sa.literal_column(f"'{InstanceState.QUARANTINED}'")
"""A literal, so that SQLite can see that the partial index answers it."""


def list_series(connection: Connection, window: Window) -> list[SeriesRow]:
    """Series of the studies that were active last, grouped by study.

    Parameters
    ----------
    connection : Connection
        Reading.
    window : Window
        `limit` and `offset` count studies.

    Returns
    -------
    list of SeriesRow
        The study that was active last comes first; within a study by time of arrival.
    """
    chosen = sa.true() if not window.states else SERIES.c.state.in_(window.states)
    last = sa.func.max(SERIES.c.last_activity_at)
    studies = list(
        connection.execute(
            sa.select(SERIES.c.study_uid)
            .where(chosen)
            .group_by(SERIES.c.study_uid)
            .order_by(last.desc(), SERIES.c.study_uid)
            .limit(window.limit)
            .offset(window.offset)
        ).scalars()
    )
    rows = series_rows(connection, chosen & SERIES.c.study_uid.in_(studies))
    place = {study: number for number, study in enumerate(studies)}
    return sorted(rows, key=lambda row: (place[row.study_uid], row.first_instance_at))


def page_of_series(connection: Connection, window: Window) -> list[SeriesRow]:
    """List series, those of the study that was active last first, in pages of bounded length.

    Parameters
    ----------
    connection : Connection
        Reading.
    window : Window
        `limit` and `offset` count series: a study of hundreds goes on over several pages.

    Returns
    -------
    list of SeriesRow
        Within a study by time of arrival.
    """
    chosen = sa.true() if not window.states else SERIES.c.state.in_(window.states)
    active = (
        sa.select(SERIES.c.study_uid, sa.func.max(SERIES.c.last_activity_at).label("at"))
        .where(chosen)
        .group_by(SERIES.c.study_uid)
        .subquery()
    )
    uids = list(
        connection.execute(
            sa.select(SERIES.c.series_uid)
            .join(active, active.c.study_uid == SERIES.c.study_uid)
            .where(chosen)
            .order_by(
                active.c.at.desc(),
                SERIES.c.study_uid,
                SERIES.c.first_instance_at,
                SERIES.c.series_uid,
            )
            .limit(window.limit)
            .offset(window.offset)
        ).scalars()
    )
    place = {uid: number for number, uid in enumerate(uids)}
    rows = series_rows(connection, SERIES.c.series_uid.in_(uids))
    return sorted(rows, key=lambda row: place[row.series_uid])


def find_series(connection: Connection, series_uid: str) -> SeriesRow | None:
    """One series, or None."""
    return next(iter(series_rows(connection, SERIES.c.series_uid == series_uid)), None)


def list_jobs(connection: Connection, window: Window) -> list[JobRow]:
    """Jobs, the newest first."""
    chosen = sa.true() if not window.states else JOB.c.state.in_(window.states)
    return job_rows(connection, chosen, window)


def jobs_of_series(connection: Connection, series_uid: str) -> list[JobRow]:
    """Every job of a series, the newest first."""
    return job_rows(connection, JOB.c.series_uid == series_uid, Window())


def series_of_study(connection: Connection, study_uid: str, *, limit: int) -> list[SeriesRow]:
    """Series of a study by time of arrival."""
    query = (
        sa.select(SERIES.c.series_uid)
        .where(SERIES.c.study_uid == study_uid)
        .order_by(SERIES.c.first_instance_at, SERIES.c.series_uid)
        .limit(limit)
    )
    uids = list(connection.execute(query).scalars())
    rows = series_rows(connection, SERIES.c.series_uid.in_(uids))
    return sorted(rows, key=lambda row: uids.index(row.series_uid))


def jobs_of_study(connection: Connection, study_uid: str, window: Window) -> list[JobRow]:
    """Jobs of a study, the newest first."""
    return job_rows(connection, JOB.c.study_uid == study_uid, window)


def find_job(connection: Connection, job_id: str) -> JobRow | None:
    """One job, or None."""
    return next(iter(job_rows(connection, JOB.c.job_id == job_id, Window(limit=1))), None)


def successor_of(connection: Connection, job_id: str) -> str | None:
    """Give the job whose results replace those of this one, or None."""
    query = sa.select(JOB.c.job_id).where(JOB.c.predecessor_job_id == job_id)
    return connection.execute(query.order_by(JOB.c.created_at.desc()).limit(1)).scalar()


def results_of_job(connection: Connection, job_id: str) -> list[ResultRow]:
    """Files of a job by name."""
    query = sa.select(RESULT).where(RESULT.c.job_id == job_id).order_by(RESULT.c.name)
    return [row_of(ResultRow, dict(row)) for row in connection.execute(query).mappings()]


def list_deliveries(
    connection: Connection, window: Window, *, destination: str | None = None
) -> list[DeliveryRow]:
    """Deliveries, the newest first; of one destination where it is given."""
    chosen = sa.true() if not window.states else DELIVERY.c.state.in_(window.states)
    there = sa.true() if destination is None else DELIVERY.c.destination == destination
    return delivery_rows(connection, chosen & there, window)


def deliveries_of_job(connection: Connection, job_id: str) -> list[DeliveryRow]:
    """Every delivery of a job."""
    rows = delivery_rows(connection, DELIVERY.c.job_id == job_id, Window(limit=1000))
    return sorted(rows, key=lambda row: (row.destination, row.name or ""))


def deliveries_of_study(
    connection: Connection, study_uid: str, window: Window
) -> list[DeliveryRow]:
    """Deliveries of a study, the newest first."""
    own = JOB.alias("own")
    jobs = sa.select(own.c.job_id).where(own.c.study_uid == study_uid)
    return delivery_rows(connection, DELIVERY.c.job_id.in_(jobs), window)


def find_delivery(connection: Connection, delivery_id: str) -> DeliveryRow | None:
    """One delivery, or None."""
    chosen = DELIVERY.c.delivery_id == delivery_id
    return next(iter(delivery_rows(connection, chosen, Window(limit=1))), None)


def series_named(connection: Connection, uids: Collection[str]) -> list[SeriesRow]:
    """Series of these UIDs, the last active first."""
    rows = series_rows(connection, SERIES.c.series_uid.in_(uids))
    return sorted(rows, key=lambda row: (-row.last_activity_at, row.series_uid))


def jobs_named(connection: Connection, ids: Collection[str]) -> list[JobRow]:
    """Jobs of these ids, the newest first."""
    return job_rows(connection, JOB.c.job_id.in_(ids), Window(limit=len(ids)))


def deliveries_named(connection: Connection, ids: Collection[str]) -> list[DeliveryRow]:
    """Deliveries of these ids, the newest first."""
    return delivery_rows(connection, DELIVERY.c.delivery_id.in_(ids), Window(limit=len(ids)))


def quarantined_at(connection: Connection, paths: Collection[str]) -> list[StrayRow]:
    """Objects in quarantine at these spool paths, the newest first."""
    query = (
        sa.select(INSTANCE)
        .where(_IN_QUARANTINE, INSTANCE.c.path.in_(paths))
        .order_by(INSTANCE.c.received_at.desc(), INSTANCE.c.path)
    )
    return [row_of(StrayRow, dict(row)) for row in connection.execute(query).mappings()]
