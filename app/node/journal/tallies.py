"""Counts over the journal: what metrics and the health of the node are made of. Read only.

Nothing here names a patient, a series or an object.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from app.node.journal.arrival_statements import OBJECTS
from app.node.journal.associations import OUTCOMES, REJECTED_CONTEXTS
from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.journal.tables import (
    COUNTER,
    DELIVERY,
    DESTINATION,
    JOB,
    PROCESS,
    SERIES,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

FORGOTTEN_AFTER_S: Final = 86400.0
"""A process that has been silent for a day was replaced, not lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """How much of what there is.

    Attributes
    ----------
    objects : dict
        Listener's counter: outcome -> objects offered.
    associations, rejected_contexts : dict
        Listener's counters: outcome of an association that is over, reason of a rejected
        presentation context -> number.
    series, jobs : dict
        State -> number; every state is named.
    deliveries : dict
        (destination, state) -> number.
    oldest_waiting_at : float or None
        When the oldest job that waits for a worker was made, epoch seconds.
    """

    objects: dict[str, int]
    associations: dict[str, int]
    rejected_contexts: dict[str, int]
    series: dict[str, int]
    jobs: dict[str, int]
    deliveries: dict[tuple[str, str], int]
    oldest_waiting_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """One process that reports; `detail` holds what it says of itself (no patient data)."""

    process_id: str
    role: str
    beat: float
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRow:
    """What sending to a destination was like; times are epoch seconds.

    `objects_taken`: groups of results that it said it takes, with blanks between; None: not asked.
    """

    name: str
    consecutive_failures: int
    open_until: float | None
    last_success_at: float | None
    last_failure_at: float | None
    last_error: str
    failures: int = 0
    confirmed_by: str = ""
    confirmed_at: float | None = None
    echo_at: float | None = None
    echo_error: str = ""
    objects_taken: str | None = None


def read_tallies(connection: Connection) -> Tallies:
    """Count everything, in one snapshot.

    Parameters
    ----------
    connection : Connection
        Reading.

    Returns
    -------
    Tallies
        Complete: states without a row count 0.
    """
    counters: dict[str, dict[str, int]] = {}
    for name, label, value in connection.execute(sa.select(COUNTER)):
        counters.setdefault(str(name), {})[str(label)] = int(value)
    deliveries = connection.execute(
        sa.select(DELIVERY.c.destination, DELIVERY.c.state, sa.func.count()).group_by(
            DELIVERY.c.destination, DELIVERY.c.state
        )
    )
    waiting = sa.select(sa.func.min(JOB.c.created_at)).where(
        JOB.c.state.in_((JobState.WAITING, JobState.QUEUED))
    )
    return Tallies(
        objects=counters.get(OBJECTS, {}),
        associations=counters.get(OUTCOMES, {}),
        rejected_contexts=counters.get(REJECTED_CONTEXTS, {}),
        series=_by_state(connection, SERIES, [str(state) for state in SeriesState]),
        jobs=_by_state(connection, JOB, [str(state) for state in JobState]),
        deliveries={(str(name), str(state)): int(count) for name, state, count in deliveries},
        oldest_waiting_at=connection.execute(waiting).scalar(),
    )


def deliveries_by_state(tallies: Tallies, destination: str) -> dict[str, int]:
    """Deliveries of one destination; every state is named."""
    return {
        str(state): tallies.deliveries.get((destination, str(state)), 0) for state in DeliveryState
    }


def list_processes(connection: Connection, now: float) -> list[ProcessRow]:
    """List the processes that reported within a day, by role, the freshest first."""
    query = (
        sa.select(PROCESS)
        .where(PROCESS.c.beat > now - FORGOTTEN_AFTER_S)
        .order_by(PROCESS.c.role, PROCESS.c.beat.desc())
    )
    return [
        ProcessRow(
            process_id=row.process_id, role=row.role, beat=row.beat, detail=_plain(row.detail)
        )
        for row in connection.execute(query)
    ]


def list_destinations(connection: Connection) -> dict[str, DestinationRow]:
    """Every destination that was ever tried, by name."""
    rows = connection.execute(sa.select(DESTINATION)).mappings()
    return {row["name"]: DestinationRow(**row) for row in rows}


def step_durations(
    connection: Connection, after: float, limit: int
) -> list[tuple[float, str, int, dict[str, float]]]:
    """How long the steps of finished jobs took.

    Parameters
    ----------
    connection : Connection
        Reading.
    after : float
        Only jobs finished at or after this time, epoch seconds.
    limit : int
        At most this many, the earliest first.

    Returns
    -------
    list of (finished_at, job_id, run_number, seconds by step)
        From the run's record.
    """
    query = (
        sa.select(JOB.c.finished_at, JOB.c.job_id, JOB.c.run_number, JOB.c.record)
        .where(JOB.c.finished_at >= after)
        .order_by(JOB.c.finished_at, JOB.c.job_id)
        .limit(limit)
    )
    return [
        (row.finished_at, row.job_id, row.run_number, seconds_by_step(_plain(row.record)))
        for row in connection.execute(query)
    ]


def seconds_by_step(record: dict[str, Any]) -> dict[str, float]:
    """Seconds of every step, summed over the series of a run's record."""
    total: dict[str, float] = {}
    for entry in record.get("series") or ():
        durations = entry.get("durations_s") if isinstance(entry, dict) else None
        for step, seconds in (durations or {}).items():
            total[step] = total.get(step, 0.0) + float(seconds)
    return total


def _by_state(connection: Connection, table: sa.Table, states: list[str]) -> dict[str, int]:
    query = sa.select(table.c.state, sa.func.count()).group_by(table.c.state)
    counted = {str(state): int(count) for state, count in connection.execute(query)}
    return dict.fromkeys(states, 0) | counted


def _plain(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
