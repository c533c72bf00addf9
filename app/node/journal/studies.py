"""Studies as people look for them: by patient, number, date, sender and state, page by page.

A page continues where another one ended, at a study and not at a number of rows: whatever arrives
meanwhile, no study is shown twice or left out, and the last page costs no more than the first.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from app.node.journal.patients import PatientAttributes
from app.node.journal.person_names import glob_of, like_of, name_pattern
from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.journal.study_rows import Place, StudyPage, StudyRow
from app.node.journal.tables import DELIVERY, JOB, PATIENT, SERIES, STUDY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.engine import Connection, RowMapping

    from app.node.journal.study_rows import Day, Wanted


def find_studies(
    c: Connection, wanted: Wanted, *, limit: int, place: Place | None = None
) -> StudyPage:
    """Find studies.

    Parameters
    ----------
    c : Connection
        Reading.
    wanted : Wanted
        All of it has to be met.
    limit : int
        Studies of a page.
    place : Place, optional
        Default: the last received ones.

    Returns
    -------
    StudyPage
        At most `limit` studies.
    """
    is_newer = place is not None and place.is_newer
    here = sa.tuple_(STUDY.c.arrived_at, STUDY.c.study_uid)
    query = sa.select(STUDY, *_PATIENT).select_from(_TABLES).where(*_conditions(c, wanted))
    if place is not None:
        there = sa.tuple_(sa.literal(place.arrived_at), sa.literal(place.study_uid))
        query = query.where(here > there if is_newer else here < there)
    direction = sa.asc if is_newer else sa.desc
    query = query.order_by(direction(STUDY.c.arrived_at), direction(STUDY.c.study_uid))
    found = list(c.execute(query.limit(limit + 1)).mappings())
    has_more, found = len(found) > limit, found[:limit]
    if is_newer:
        found.reverse()
    rows = _with_states(c, found)
    return StudyPage(
        rows=rows,
        newer=_beside(rows[:1], is_newer=True) if (has_more if is_newer else place) else None,
        older=_beside(rows[-1:], is_newer=False) if is_newer or has_more else None,
    )


def find_study(c: Connection, study_uid: str) -> StudyRow | None:
    """One study, or None."""
    return next(iter(studies_named(c, [study_uid])), None)


def studies_named(c: Connection, study_uids: Collection[str]) -> list[StudyRow]:
    """Studies of these UIDs, the last received first."""
    query = (
        sa.select(STUDY, *_PATIENT)
        .select_from(_TABLES)
        .where(STUDY.c.study_uid.in_(study_uids))
        .order_by(STUDY.c.arrived_at.desc(), STUDY.c.study_uid.desc())
    )
    return _with_states(c, list(c.execute(query).mappings()))


def known_by_uid(c: Connection, study_uids: Collection[str]) -> dict[str, StudyRow]:
    """Studies of these UIDs by UID."""
    return {row.study_uid: row for row in studies_named(c, study_uids)}


def studies_of_jobs(c: Connection, job_ids: Collection[str]) -> dict[str, StudyRow]:
    """Studies that jobs belong to, by job id."""
    query = sa.select(JOB.c.job_id, JOB.c.study_uid).where(JOB.c.job_id.in_(job_ids))
    owners = {str(job_id): str(uid) for job_id, uid in c.execute(query)}
    known = known_by_uid(c, set(owners.values()))
    return {job_id: known[uid] for job_id, uid in owners.items() if uid in known}


def senders_known(c: Connection) -> list[str]:
    """List the calling AE titles that sent the studies there are, in order."""
    query = sa.select(STUDY.c.calling_ae_title).distinct()
    return list(c.execute(query.order_by(STUDY.c.calling_ae_title).limit(_SENDERS)).scalars())


def _beside(rows: Sequence[StudyRow], *, is_newer: bool) -> Place | None:
    return next(
        (
            Place(arrived_at=row.arrived_at, study_uid=row.study_uid, is_newer=is_newer)
            for row in rows
        ),
        None,
    )


def _conditions(c: Connection, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.name:
        found.append(PATIENT.c.name_key.like(name_pattern(wanted.name), escape="\\"))
    for column in (PATIENT.c.patient_id, PATIENT.c.accession_number):
        text: str = getattr(wanted, column.name)
        if text:
            found.append(_is_like(c, column, text))
    if wanted.first is not None or wanted.last is not None:
        found.append(_is_between(wanted.first, wanted.last))
    if wanted.sender:
        found.append(STUDY.c.calling_ae_title == wanted.sender)
    if wanted.state:
        found.append(STATES[wanted.state])
    return found


def _is_like(c: Connection, column: sa.Column[str], text: str) -> sa.ColumnElement[bool]:
    """Compare letter by letter with regard to case; SQLite's LIKE has none for ASCII."""
    if not {"*", "?"} & set(text):
        return column == text
    if c.dialect.name == "sqlite":
        return column.op("GLOB", is_comparison=True)(glob_of(text))
    return column.like(like_of(text), escape="\\")


def _is_between(first: Day | None, last: Day | None) -> sa.ColumnElement[bool]:
    dated, arrived = PATIENT.c.study_date, STUDY.c.arrived_at
    is_dated = sa.func.coalesce(dated, "") != ""
    by_date, by_arrival = [is_dated], [~is_dated]
    if first is not None:
        by_date.append(dated >= first.digits)
        by_arrival.append(arrived >= first.begin)
    if last is not None:
        by_date.append(dated <= last.digits)
        by_arrival.append(arrived < last.end)
    return sa.or_(sa.and_(*by_date), sa.and_(*by_arrival))


def _with_states(c: Connection, found: Sequence[RowMapping]) -> list[StudyRow]:
    uids = [row["study_uid"] for row in found]
    later = JOB.alias("later")
    is_latest = ~sa.exists().where(
        later.c.series_uid == JOB.c.series_uid, later.c.created_at > JOB.c.created_at
    )
    of_jobs = sa.select(JOB.c.study_uid, JOB.c.state, sa.func.count())
    of_series = sa.select(SERIES.c.study_uid, SERIES.c.state, sa.func.count())
    of_deliveries = sa.select(JOB.c.study_uid, DELIVERY.c.state, sa.func.count()).join_from(
        JOB, DELIVERY, DELIVERY.c.job_id == JOB.c.job_id
    )
    series = _counted(c, of_series.where(SERIES.c.study_uid.in_(uids)), SERIES)
    jobs = _counted(c, of_jobs.where(JOB.c.study_uid.in_(uids), is_latest), JOB)
    deliveries = _counted(c, of_deliveries.where(JOB.c.study_uid.in_(uids)), JOB, DELIVERY)
    return [
        StudyRow(
            study_uid=uid,
            arrived_at=row["arrived_at"],
            calling_ae_title=row["calling_ae_title"],
            patient_changed_at=row["patient_changed_at"],
            patient=_patient(row),
            series=series.get(uid, {}),
            jobs=jobs.get(uid, {}),
            deliveries=deliveries.get(uid, {}),
        )
        for uid, row in zip(uids, found, strict=True)
    ]


def _counted(
    c: Connection, query: sa.Select[Any], table: sa.Table, of: sa.Table | None = None
) -> dict[str, dict[str, int]]:
    state = (table if of is None else of).c.state
    counted: dict[str, dict[str, int]] = {}
    for uid, name, count in c.execute(query.group_by(table.c.study_uid, state)):
        counted.setdefault(str(uid), {})[str(name)] = int(count)
    return counted


def _patient(row: RowMapping) -> PatientAttributes | None:
    if row["patient_name"] is None:
        return None
    return PatientAttributes(**{one.name: row[one.name] for one in fields(PatientAttributes)})


def _has_series(*states: SeriesState) -> sa.ColumnElement[bool]:
    return sa.exists().where(SERIES.c.study_uid == STUDY.c.study_uid, SERIES.c.state.in_(states))


def _has_job(*states: JobState) -> sa.ColumnElement[bool]:
    return sa.exists().where(JOB.c.study_uid == STUDY.c.study_uid, JOB.c.state.in_(states))


def _has_delivery(*states: DeliveryState) -> sa.ColumnElement[bool]:
    return (
        sa.exists()
        .where(JOB.c.study_uid == STUDY.c.study_uid)
        .where(DELIVERY.c.job_id == JOB.c.job_id)
        .where(DELIVERY.c.state.in_(states))
    )


_SENDERS: Final = 200
_TABLES: Final = STUDY.outerjoin(PATIENT, PATIENT.c.study_uid == STUDY.c.study_uid)
_PATIENT: Final = tuple(PATIENT.c[one.name] for one in fields(PatientAttributes))
STATES: Final[Mapping[str, sa.ColumnElement[bool]]] = {
    "receiving": _has_series(SeriesState.RECEIVING),
    "incomplete": _has_series(SeriesState.HELD),
    "working": _has_job(JobState.WAITING, JobState.QUEUED, JobState.RUNNING),
    "to_release": _has_delivery(DeliveryState.HELD),
    "sending": _has_delivery(DeliveryState.QUEUED, DeliveryState.SENT),
    "delivered": _has_delivery(DeliveryState.DELIVERED),
    "failed": sa.or_(
        _has_job(JobState.DEAD, JobState.REFUSED),
        _has_delivery(DeliveryState.DEAD, DeliveryState.PARKED),
    ),
    "without_job": ~sa.exists().where(JOB.c.study_uid == STUDY.c.study_uid),
    "changed_patient": STUDY.c.patient_changed_at.is_not(None),
}
"""State of a study as people ask for it -> where it holds; a study may be in several."""
