"""Series between arrival and work: what is here of them, and every move the worker makes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from app.node.journal import jobs
from app.node.journal.facts import ArrivalFacts
from app.node.journal.moves import move
from app.node.journal.states import InstanceState, SeriesEvent, SeriesState
from app.node.journal.tables import INSTANCE, JOB, SERIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesMark:
    """A series as it was at one moment; two equal marks mean that nothing arrived in between.

    Attributes
    ----------
    revision : int
        Raised when objects arrive after a job was made.
    last_instance_at, last_activity_at : float
        Epoch seconds of the last new object, and of the last object or association end.
    expected_count : int or None
        Last number a peer gave, with `expected_source` ``c_find`` or ``c_find_growing``.
    is_broken_off : bool
        The last association that brought objects ended without a release.
    is_forced : bool
        A person said: run it as it is.
    """

    series_uid: str
    study_uid: str
    state: str
    revision: int
    calling_ae_title: str
    called_ae_title: str
    modality: str
    last_instance_at: float
    last_activity_at: float
    expected_count: int | None
    expected_source: str | None
    is_broken_off: bool
    is_forced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldObject:
    """One object of a series; of several contents under one UID the newest.

    Attributes
    ----------
    path : str
        Relative to the spool.
    facts : ArrivalFacts
        What its header says.
    """

    sop_instance_uid: str
    digest: str
    path: str
    facts: ArrivalFacts


def in_state(c: Connection, state: SeriesState) -> list[SeriesMark]:
    """Series in a state, the one that was active first before the others."""
    columns = [SERIES.c[name] for name in SeriesMark.__slots__ if name in SERIES.c]
    query = sa.select(*columns).where(SERIES.c.state == state).order_by(SERIES.c.last_activity_at)
    return [_mark(row) for row in c.execute(query).mappings()]


def arriving_siblings(c: Connection, study_uid: str, *, besides: str) -> set[str]:
    """Other series of a study that are still arriving."""
    query = (
        sa.select(SERIES.c.series_uid)
        .where(SERIES.c.study_uid == study_uid, SERIES.c.series_uid != besides)
        .where(SERIES.c.state == SeriesState.RECEIVING)
    )
    return set(c.execute(query).scalars())


def contents(c: Connection, series_uid: str) -> list[HeldObject]:
    """Objects of a series, in order of their UIDs.

    Parameters
    ----------
    c : Connection
        For reading.
    series_uid : str
        Series Instance UID.

    Returns
    -------
    list of HeldObject
        One per SOP Instance UID: where it came again with other bytes, the newest counts.
    """
    columns = (INSTANCE.c.sop_instance_uid, INSTANCE.c.digest, INSTANCE.c.path, INSTANCE.c.facts)
    query = (
        sa.select(*columns)
        .where(INSTANCE.c.series_uid == series_uid, INSTANCE.c.state == InstanceState.STORED)
        .order_by(INSTANCE.c.received_at, INSTANCE.c.digest)
    )
    newest = {row.sop_instance_uid: row for row in c.execute(query)}
    return [
        HeldObject(
            sop_instance_uid=uid,
            digest=row.digest,
            path=row.path,
            facts=ArrivalFacts.from_json(row.facts),
        )
        for uid, row in sorted(newest.items())
    ]


def siblings(c: Connection, study_uid: str, *, besides: str) -> list[HeldObject]:
    """Objects of all other series of a study, as `contents` gives them."""
    query = sa.select(SERIES.c.series_uid).where(
        SERIES.c.study_uid == study_uid, SERIES.c.series_uid != besides
    )
    return [held for uid in c.execute(query).scalars() for held in contents(c, uid)]


def note_readiness(c: Connection, series_uid: str, readiness: Mapping[str, Any]) -> None:
    """Keep the verdict on completeness, for the page."""
    _update(c, series_uid, completeness=json.dumps(readiness))


def note_peer_count(c: Connection, series_uid: str, count: int) -> bool:
    """Keep the number a peer gave.

    Returns
    -------
    bool
        Whether the peer gave a smaller number before: it receives while it forwards, and no
        number it gives for this series proves anything.
    """
    known = c.execute(
        sa.select(SERIES.c.expected_count, SERIES.c.expected_source).where(
            SERIES.c.series_uid == series_uid
        )
    ).one_or_none()
    before, source = known if known is not None else (None, None)
    is_growing = source == "c_find_growing" or (before is not None and before < count)
    _update(
        c,
        series_uid,
        expected_count=count,
        expected_source="c_find_growing" if is_growing else "c_find",
    )
    return is_growing


def hold(c: Connection, mark: SeriesMark, readiness: Mapping[str, Any]) -> bool:
    """Receiving -> held, unless something arrived since `mark`."""
    return _move_from(c, mark, SeriesEvent.HOLD, completeness=json.dumps(readiness))


def reject(
    c: Connection, mark: SeriesMark, readiness: Mapping[str, Any], decision: Mapping[str, Any]
) -> bool:
    """Receiving -> rejected with the selection's reasons, unless something arrived since."""
    return _move_from(
        c,
        mark,
        SeriesEvent.REJECT,
        completeness=json.dumps(readiness),
        decision=json.dumps(decision),
    )


def accept(
    c: Connection,
    mark: SeriesMark,
    readiness: Mapping[str, Any],
    decision: Mapping[str, Any],
) -> bool:
    """Receiving -> accepted, unless something arrived since.

    Returns
    -------
    bool
        True: make its job in the same transaction; False: leave that without a job.
    """
    return _move_from(
        c,
        mark,
        SeriesEvent.ACCEPT,
        completeness=json.dumps(readiness),
        decision=json.dumps(decision),
        is_forced=0,
    )


def force(c: Connection, series_uid: str, now: float) -> bool:
    """Run a series as it is: by a person, for one that is held, discarded or still arriving.

    Parameters
    ----------
    c : Connection
        A transaction.
    series_uid : str
        Series Instance UID.
    now : float
        Epoch seconds.

    Returns
    -------
    bool
        False where the series is unknown, rejected by the selection (which a person cannot
        overrule: the pipeline itself would refuse it) or has its job already.
    """
    this = SERIES.c.series_uid == series_uid
    return move(c, SeriesEvent.FORCE, this, is_forced=1, last_activity_at=now) > 0


def discard(c: Connection, series_uid: str, now: float) -> bool:
    """Do not run a series: by a person; its jobs that are not finished are cancelled.

    Parameters
    ----------
    c : Connection
        A transaction.
    series_uid : str
        Series Instance UID.
    now : float
        Epoch seconds.

    Returns
    -------
    bool
        False where the series is unknown or discarded already.
    """
    this = SERIES.c.series_uid == series_uid
    if not move(c, SeriesEvent.DISCARD, this, is_forced=0, last_activity_at=now):
        return False
    own = sa.select(JOB.c.job_id).where(JOB.c.series_uid == series_uid)
    for job_id in c.execute(own).scalars().all():
        jobs.request_cancel(c, job_id, now)
    return True


def _move_from(c: Connection, mark: SeriesMark, event: SeriesEvent, **values: object) -> bool:
    """Move a series that is as it was; the update itself waits for a writer that is before us."""
    as_it_was = (
        SERIES.c.series_uid == mark.series_uid,
        SERIES.c.state == mark.state,
        SERIES.c.revision == mark.revision,
        SERIES.c.last_instance_at == mark.last_instance_at,
    )
    return move(c, event, *as_it_was, **values) > 0


def _update(c: Connection, series_uid: str, **values: object) -> None:
    c.execute(sa.update(SERIES).where(SERIES.c.series_uid == series_uid).values(**values))


def _mark(row: Mapping[str, Any] | Any) -> SeriesMark:  # noqa: ANN401 - a row of SQLAlchemy
    values = dict(row)
    for flag in ("is_broken_off", "is_forced"):
        values[flag] = bool(values[flag])
    return SeriesMark(**values)
