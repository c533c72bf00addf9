"""Levels that a person has given: kept with the content of a series, whatever runs on it later.

A correction makes no result by itself. The job whose result it corrects is run again, and since
its content now has another id, goes on as another job that names its results as replaced, as after
an update (`app.node.journal.renewal`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from app.node.journal import jobs
from app.node.journal.states import JobState
from app.node.journal.tables import JOB, LEVEL_CORRECTION
from operators.anatomy.named_vertebrae import NamedVertebra
from operators.errors import NamesRejectedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from app.node.journal.rows import JobRow

OBSTACLES: Final = {
    "job_not_finished": "the job, or another one of its series, is not finished",
    "replaced": "the result was replaced by that of another job: correct that one",
    "images_deleted": "received images were deleted; the study has to be sent again",
}
"""Why a result cannot be corrected."""

_OPEN: Final = (JobState.WAITING, JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a person said about one content.

    Attributes
    ----------
    number : int
        How many were made of it, with this one.
    at : float
        Epoch seconds.
    actor : str
        Who.
    named : tuple of NamedVertebra
        All that counts from then on; empty: the names as they are computed.
    """

    number: int
    at: float
    actor: str
    named: tuple[NamedVertebra, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What of it the identity of a job depends on.

        Its number counts, so that names given again after others make results that name those.
        """
        return (f"correction {self.number}", *(one.text for one in self.named))


def latest(c: Connection, series_uid: str, content_digest: str) -> Correction | None:
    """Give the correction that counts for a content; None where nobody made one."""
    row = c.execute(_latest(series_uid, content_digest)).one_or_none()
    if row is None:
        return None
    return Correction(
        number=row.number,
        at=row.at,
        actor=row.actor,
        named=tuple(_read(one) for one in json.loads(row.named)),
    )


def latest_row(c: Connection, job: JobRow) -> dict[str, Any]:
    """Give the correction that counts for what a job works on as a row of the journal."""
    return dict(c.execute(_latest(job.series_uid, job.content_digest)).mappings().one())


def _latest(series_uid: str, content_digest: str) -> sa.Select[Any]:
    return (
        sa.select(LEVEL_CORRECTION)
        .where(
            LEVEL_CORRECTION.c.series_uid == series_uid,
            LEVEL_CORRECTION.c.content_digest == content_digest,
        )
        .order_by(LEVEL_CORRECTION.c.number.desc())
        .limit(1)
    )


def correct(
    c: Connection, job_id: str, named: Sequence[NamedVertebra], *, actor: str, now: float
) -> None:
    """Keep what a person said about the result of a job, and run the job again.

    Parameters
    ----------
    c : Connection
        A transaction.
    job_id : str
        A job that exists.
    named : sequence of NamedVertebra
        All that is to count; empty: withdraw what was said before.
    actor : str
        Who.
    now : float
        Epoch seconds.

    Raises
    ------
    NamesRejectedError
        One of `OBSTACLES`.
    """
    obstacle = obstacle_of(c, job_id)
    if obstacle is not None:
        raise NamesRejectedError(OBSTACLES[obstacle], reasons=(obstacle,))
    job = c.execute(sa.select(JOB).where(JOB.c.job_id == job_id)).one()
    before = latest(c, job.series_uid, job.content_digest)
    c.execute(
        sa.insert(LEVEL_CORRECTION).values(
            series_uid=job.series_uid,
            content_digest=job.content_digest,
            number=1 if before is None else before.number + 1,
            at=now,
            actor=actor[:64],
            job_id=job_id,
            named=json.dumps([asdict(one) for one in named]),
        )
    )
    jobs.replay(c, job_id, now)


def obstacle_of(c: Connection, job_id: str) -> str | None:
    """Say why the result of a job cannot be corrected; None where it can.

    Parameters
    ----------
    c : Connection
        For reading.
    job_id : str
        A job that exists.

    Returns
    -------
    str or None
        Key of `OBSTACLES`.
    """
    series_uid = c.execute(sa.select(JOB.c.series_uid).where(JOB.c.job_id == job_id)).scalar()
    rows = c.execute(
        sa.select(JOB.c.job_id, JOB.c.state)
        .where(JOB.c.series_uid == series_uid)
        .order_by(JOB.c.revision.desc(), JOB.c.created_at.desc())
    ).all()
    states = {row.job_id: row.state for row in rows}
    if states[job_id] != JobState.SUCCEEDED or set(states.values()) & set(_OPEN):
        return "job_not_finished"
    if next(key for key, state in states.items() if state == JobState.SUCCEEDED) != job_id:
        return "replaced"
    is_held = all(item.is_held for item in jobs.inputs(c, job_id))
    return None if is_held else "images_deleted"


def _read(values: dict[str, Any]) -> NamedVertebra:
    return NamedVertebra(**{**values, "centre_mm": tuple(values["centre_mm"])})
