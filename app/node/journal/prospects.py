"""When a job will probably be done: from its place in the queue and how long others took.

A guess with its bounds: nine of ten of the latest jobs took longer than the one and shorter than
the other. How large an image is, nobody knows beforehand, and a raised job goes before others.
"""

from __future__ import annotations

import heapq
import json
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from app.node.journal import tallies
from app.node.journal.lookout import LEAVING, UNUSABLE
from app.node.journal.states import JobState
from app.node.journal.tables import JOB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from app.node.journal.rows import JobRow

LATEST: Final = 30
"""Jobs whose running times count."""

FEWEST: Final = 5
"""Fewer than this say nothing about the next one."""

_DECILES: Final = 10
_WAITING: Final = (JobState.WAITING, JobState.QUEUED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What can be said of the end of an unfinished job; times are epoch seconds.

    Attributes
    ----------
    position : int or None
        In the queue, from 1; None: it runs.
    workers : int
        At work now.
    based_on : int
        Finished jobs whose running times count.
    earliest_end, latest_end : float or None
        Between them the job ends in about four of five cases; None: nothing can be said.
    obstacle : str
        Why nothing can be said: ``no_worker``, ``too_few_jobs``, ``takes_longer`` (than nine of
        ten of the latest jobs); else empty.
    """

    position: int | None
    workers: int
    based_on: int
    earliest_end: float | None = None
    latest_end: float | None = None
    obstacle: str = ""


def prospect_of(c: Connection, row: JobRow, *, now: float, lease_s: float) -> Prospect | None:
    """Guess when a job will be done.

    Parameters
    ----------
    c : Connection
        Reading.
    row : JobRow
        Which job.
    now : float
        Epoch seconds.
    lease_s : float
        A worker that was silent for longer is not at work, s.

    Returns
    -------
    Prospect or None
        None where the job is over.
    """
    if row.state not in {*_WAITING, JobState.RUNNING}:
        return None
    is_running = row.state == JobState.RUNNING
    ahead = 0 if is_running else _ahead(c, row)
    position = None if is_running else ahead + 1
    times, workers = _running_times(c), _workers(c, now, lease_s)
    about = Prospect(position=position, workers=workers, based_on=len(times))
    if not workers:
        return replace(about, obstacle="no_worker")
    if len(times) < FEWEST:
        return replace(about, obstacle="too_few_jobs")
    deciles = statistics.quantiles(times, n=_DECILES, method="inclusive")
    short_s, long_s = deciles[0], deciles[-1]
    if is_running:
        since_s = max(0.0, now - (row.started_at if row.started_at is not None else now))
        if since_s >= long_s:
            return replace(about, obstacle="takes_longer")
        bounds = (max(short_s - since_s, 0.0), long_s - since_s)
    else:
        begun = [max(0.0, now - at) for at in _begun(c)]
        bounds = (
            _ends_after(short_s, begun, ahead, workers),
            _ends_after(long_s, begun, ahead, workers),
        )
    return replace(about, earliest_end=now + bounds[0], latest_end=now + bounds[1])


def _ends_after(each_s: float, begun: Sequence[float], ahead: int, workers: int) -> float:
    """Seconds until a job ends if every job takes `each_s` and the next free worker takes it."""
    left = sorted(max(each_s - since_s, 0.0) for since_s in begun)[:workers]
    free_after = [0.0] * (workers - len(left)) + left
    heapq.heapify(free_after)
    for _ in range(ahead):
        heapq.heapreplace(free_after, free_after[0] + each_s)
    return free_after[0] + each_s


def _ahead(c: Connection, row: JobRow) -> int:
    """Jobs that begin before this one, in about the engine's order."""
    here = sa.tuple_(sa.literal(row.priority), sa.literal(row.created_at), sa.literal(row.job_id))
    there = sa.tuple_(JOB.c.priority, JOB.c.created_at, JOB.c.job_id)
    query = sa.select(sa.func.count()).where(JOB.c.state.in_(_WAITING), there < here)
    return int(c.execute(query).scalar_one())


def _begun(c: Connection) -> list[float]:
    query = sa.select(JOB.c.started_at).where(
        JOB.c.state == JobState.RUNNING, JOB.c.started_at.is_not(None)
    )
    return list(c.execute(query).scalars())


def _running_times(c: Connection) -> list[float]:
    """Seconds that the latest successful runs took, as their records say."""
    query = (
        sa.select(JOB.c.record)
        .where(JOB.c.state == JobState.SUCCEEDED, JOB.c.finished_at.is_not(None))
        .order_by(JOB.c.finished_at.desc())
        .limit(LATEST)
    )
    told = (_duration_of(record) for record in c.execute(query).scalars())
    return [seconds for seconds in told if seconds is not None]


def _duration_of(record: str) -> float | None:
    try:
        document: Any = json.loads(record)
    except ValueError:
        return None
    seconds = document.get("duration_s") if isinstance(document, dict) else None
    return float(seconds) if isinstance(seconds, int | float) and seconds > 0 else None


def _workers(c: Connection, now: float, lease_s: float) -> int:
    return sum(
        process.role == "worker"
        and now - process.beat <= lease_s
        and not process.detail.get(LEAVING)
        and not process.detail.get(UNUSABLE)
        for process in tallies.list_processes(c, now)
    )
