"""Jobs run again after an update or a correction: other results are another job's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from app.node.journal.jobs import replay
from app.node.journal.moves import move
from app.node.journal.states import JobEvent, JobState
from app.node.journal.tables import JOB, JOB_INPUT, RESULT

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from app.node.journal.runs import RunningJob

_SAME = ("series_uid", "study_uid", "revision", "content_digest", "priority")


def renew(c: Connection, old: RunningJob, job_id: str, now: float) -> bool:
    """Go on under another id where a job's results were made otherwise than they would be now.

    Parameters
    ----------
    c : Connection
        The transaction that began the run.
    old : RunningJob
        A run that a person wished for.
    job_id : str
        Id that its content has with the present models, parameters and software.
    now : float
        Epoch seconds; also the time written into the new results.

    Returns
    -------
    bool
        True where the run is over: the job stands with the results it has, and the other one,
        which replaces them, waits. False where there is nothing to replace, and the run goes on.
    """
    if job_id == old.job_id or not _has_results(c, old.job_id):
        return False
    this = (JOB.c.job_id == old.job_id, JOB.c.run_number == old.run_number)
    move(c, JobEvent.SUCCEED, *this, finished_at=now)
    if c.execute(sa.select(JOB.c.job_id).where(JOB.c.job_id == job_id)).first() is not None:
        replay(c, job_id, now)
        return True
    row = c.execute(sa.select(JOB).where(JOB.c.job_id == old.job_id)).one()
    c.execute(
        sa.insert(JOB).values(
            **{name: getattr(row, name) for name in _SAME},
            job_id=job_id,
            predecessor_job_id=_last_of_content(c, old),
            state=JobState.WAITING,
            created_at=now,
            clock=now,
        )
    )
    same = sa.select(sa.literal(job_id), JOB_INPUT.c.sop_instance_uid, JOB_INPUT.c.digest).where(
        JOB_INPUT.c.job_id == old.job_id
    )
    c.execute(sa.insert(JOB_INPUT).from_select(["job_id", "sop_instance_uid", "digest"], same))
    return True


def _last_of_content(c: Connection, old: RunningJob) -> str:
    """Give the job that made a content's present results; a person may wish for an older one."""
    same = (JOB.c.series_uid == old.series_uid, JOB.c.content_digest == old.content_digest)
    found = c.execute(
        sa.select(JOB.c.job_id)
        .where(*same, JOB.c.job_id.in_(sa.select(RESULT.c.job_id)))
        .order_by(JOB.c.created_at.desc(), JOB.c.job_id)
        .limit(1)
    )
    return str(found.scalar_one())


def _has_results(c: Connection, job_id: str) -> bool:
    return c.execute(sa.select(RESULT.c.name).where(RESULT.c.job_id == job_id)).first() is not None
