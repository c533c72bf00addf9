"""One run of a job, as its worker writes it down: begun, on its way, ended.

Every write names the run's number, so that a worker that was taken for dead and wakes up again
changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from app.node.journal.moves import move
from app.node.journal.states import JobEvent, JobState
from app.node.journal.tables import JOB, RESULT, SERIES
from app.steps import overall
from operators.dicom.identity.result_kinds import REPLACED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection

_LONGEST_CHAIN: Final = 100

_ENDS: Final = {
    JobState.SUCCEEDED: JobEvent.SUCCEED,
    JobState.REFUSED: JobEvent.REFUSE,
    JobState.DEAD: JobEvent.FAIL,
    JobState.CANCELLED: JobEvent.STOP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """What a worker needs to know of the job it has begun.

    Attributes
    ----------
    attempts : int
        Failures of this run so far that were the job's own.
    clock : float
        Epoch seconds to be written into the results.
    content_digest : str
        Of what it works on.
    """

    job_id: str
    run_number: int
    series_uid: str
    study_uid: str
    attempts: int
    clock: float
    content_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """One file a job made; `path` is relative to the data folder.

    `kind` is a group of `operators.dicom.identity.result_kinds`.
    """

    name: str
    kind: str
    path: str
    digest: str
    size_bytes: int
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    series_uid: str = ""


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """A result that a new one may replace, and the stack of the series that it shows."""

    file: ResultFile
    stack: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended.

    Attributes
    ----------
    state : JobState
        ``SUCCEEDED``, ``REFUSED``, ``DEAD`` or ``CANCELLED``.
    record : dict or None
        `app.run.record.ResultRecord` as plain data; None leaves what is there.
    error_code, error_message : str or None
        Free of patient data.
    """

    job_id: str
    run_number: int
    state: JobState
    finished_at: float
    record: Mapping[str, Any] | None = None
    error_code: str | None = None
    error_message: str | None = None


def begin(
    c: Connection, job_id: str, run_number: int, *, worker_id: str, now: float
) -> RunningJob | None:
    """Begin a run, or go on with one whose worker was lost.

    Parameters
    ----------
    c : Connection
        A transaction.
    job_id, run_number : str, int
        Which run.
    worker_id : str
        Who runs it.
    now : float
        Epoch seconds.

    Returns
    -------
    RunningJob or None
        None where the run is over, cancelled, or replaced by a later one.
    """
    started = sa.func.coalesce(JOB.c.started_at, now)
    this = _is(job_id, run_number)
    if not move(c, JobEvent.BEGIN, *this, worker_id=worker_id, started_at=started):
        return None
    row = c.execute(sa.select(JOB).where(JOB.c.job_id == job_id)).one()
    return RunningJob(**{name: getattr(row, name) for name in RunningJob.__slots__})


def is_wanted(c: Connection, job_id: str, run_number: int) -> bool:
    """Whether the run is still to go on: nobody cancelled or replaced it."""
    wanted = sa.select(JOB.c.job_id).where(
        JOB.c.job_id == job_id,
        JOB.c.run_number == run_number,
        JOB.c.state == JobState.RUNNING,
        JOB.c.cancel_requested == 0,
    )
    return c.execute(wanted).first() is not None


def note_progress(
    c: Connection, job_id: str, run_number: int, *, step: str, fraction: float
) -> None:
    """How far a run is, for the page; a repeated attempt shows once it gets further."""
    row = c.execute(
        sa.select(JOB.c.step, JOB.c.fraction).where(
            JOB.c.job_id == job_id, JOB.c.run_number == run_number
        )
    ).first()
    if row is not None and overall(step, fraction) >= overall(row.step, row.fraction):
        c.execute(_running(job_id, run_number).values(step=step[:32], fraction=fraction))


def note_attempt(
    c: Connection, job_id: str, run_number: int, *, attempts: int, error_code: str
) -> None:
    """Keep how often this run has failed; writing the same number again does no harm."""
    c.execute(_running(job_id, run_number).values(attempts=attempts, error_code=error_code))


def note_drop(c: Connection, job_id: str, run_number: int) -> int | None:
    """Count a run whose workflow ended without settling it.

    Returns
    -------
    int or None
        Attempts so far; None where the run is over, or was to be cancelled and now is.
    """
    this = _is(job_id, run_number)
    move(c, JobEvent.STOP, *this, JOB.c.cancel_requested != 0)
    if not move(c, JobEvent.DROP, *this, attempts=JOB.c.attempts + 1):
        return None
    return c.execute(sa.select(JOB.c.attempts).where(JOB.c.job_id == job_id)).scalar()


def finish(c: Connection, end: RunEnd) -> bool:
    """Move from running to the end.

    Parameters
    ----------
    c : Connection
        A transaction.
    end : RunEnd
        How.

    Returns
    -------
    bool
        False where the run is over already; for a success also where it was to be cancelled.
    """
    fence = [*_is(end.job_id, end.run_number)]
    if end.state is JobState.SUCCEEDED:
        fence.append(JOB.c.cancel_requested == 0)
    values: dict[str, object] = {
        "finished_at": end.finished_at,
        # Why a newer content of its series cancelled it is known before the end is.
        "error_code": sa.func.coalesce(end.error_code, JOB.c.error_code)
        if end.state is JobState.CANCELLED
        else end.error_code,
        "error_message": end.error_message,
    }
    if end.record is not None:
        values["record"] = json.dumps(end.record)
    return move(c, _ENDS[end.state], *fence, **values) > 0


def keep_results(c: Connection, job_id: str, files: Sequence[ResultFile]) -> None:
    """Write down the files of a job in place of those of an earlier run."""
    c.execute(sa.delete(RESULT).where(RESULT.c.job_id == job_id))
    if files:
        c.execute(sa.insert(RESULT), [{"job_id": job_id, **asdict(file)} for file in files])


def senders(c: Connection, job_id: str) -> tuple[str, str]:
    """Give the calling and called AE title of a job's series, for the route of its results."""
    row = c.execute(
        sa.select(SERIES.c.calling_ae_title, SERIES.c.called_ae_title)
        .join(JOB, JOB.c.series_uid == SERIES.c.series_uid)
        .where(JOB.c.job_id == job_id)
    ).one()
    return row.calling_ae_title, row.called_ae_title


def study_of(c: Connection, job_id: str) -> str:
    """Give the Study Instance UID of a job."""
    return str(c.execute(sa.select(JOB.c.study_uid).where(JOB.c.job_id == job_id)).scalar_one())


def results_replaced(c: Connection, job_id: str) -> list[EarlierResult]:
    """Objects of all earlier jobs of the series that new ones replace, the latest job first.

    Of a series with several stacks the latest job may have made those of one stack only.
    """
    found: list[EarlierResult] = []
    current: str | None = job_id
    for _ in range(_LONGEST_CHAIN):
        current = c.execute(
            sa.select(JOB.c.predecessor_job_id).where(JOB.c.job_id == current)
        ).scalar()
        if current is None:
            break
        record = c.execute(sa.select(JOB.c.record).where(JOB.c.job_id == current)).scalar()
        stacks = _stacks_of(json.loads(record or "{}"))
        rows = c.execute(
            sa.select(RESULT)
            .where(RESULT.c.job_id == current, RESULT.c.kind.in_(REPLACED))
            .order_by(RESULT.c.name)
        ).mappings()
        files = [ResultFile(**{name: row[name] for name in ResultFile.__slots__}) for row in rows]
        found += [EarlierResult(file, stacks.get(file.name, {})) for file in files]
    return found


def _stacks_of(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Stack that each file of a record shows, by name; records of older versions say none."""
    return {
        name: entry.get("stack") or {}
        for entry in record.get("series", ())
        for name in entry.get("files", ())
    }


def _running(job_id: str, run_number: int) -> sa.Update:
    return sa.update(JOB).where(*_is(job_id, run_number), JOB.c.state == JobState.RUNNING)


def _is(job_id: str, run_number: int) -> tuple[sa.ColumnElement[bool], ...]:
    return JOB.c.job_id == job_id, JOB.c.run_number == run_number
