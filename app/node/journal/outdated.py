"""Objects at a destination that should not be read there any more: a person's task.

The node cannot take back what it has sent. What it can do is name the object and its place.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from app.node.journal.replaced import LATER, MINE, ended_at
from app.node.journal.states import DeliveryState, JobState
from app.node.journal.tables import DELIVERY, INSTANCE, JOB, JOB_INPUT, STUDY

THERE: Final = (DeliveryState.SENT, DeliveryState.DELIVERED)
"""States in which the destination has the object."""

_IS_THERE: Final = sa.func.coalesce(DELIVERY.c.state, "").in_(THERE)
"""`coalesce`, here and below, keeps the databases from answering a condition by its index and so
from beginning there: deliveries are many, and what outdates some of them is little."""

_OWNER: Final = JOB.alias("owner")
_OLD_INPUT: Final = (
    sa.exists()
    .where(JOB_INPUT.c.job_id == _OWNER.c.job_id)
    .where(INSTANCE.c.sop_instance_uid == JOB_INPUT.c.sop_instance_uid)
    .where(INSTANCE.c.digest == JOB_INPUT.c.digest)
    .where(INSTANCE.c.received_at < STUDY.c.patient_changed_at)
)
"""An object that the job worked on came before its study was another patient's."""


def is_of_another_patient() -> sa.ColumnElement[bool]:
    """Whether a row of `DELIVERY` was made of images whose study has another patient now."""
    return sa.exists().where(
        _OWNER.c.job_id == DELIVERY.c.job_id,
        STUDY.c.study_uid == _OWNER.c.study_uid,
        STUDY.c.patient_changed_at.is_not(None),
        _OLD_INPUT,
    )


def wrong_patients() -> sa.Select[Any]:
    """Deliveries whose object names another patient than its study has now.

    Subject, since and stamp, as `app.node.journal.attention` takes them: another change of the
    patient is another occurrence.
    """
    return (
        sa.select(
            DELIVERY.c.delivery_id.label("subject"),
            STUDY.c.patient_changed_at.label("since"),
            STUDY.c.patient_changed_at.label("stamp"),
        )
        .join_from(STUDY, _OWNER, _OWNER.c.study_uid == STUDY.c.study_uid)
        .join(DELIVERY, DELIVERY.c.job_id == sa.func.coalesce(_OWNER.c.job_id, ""))
        .where(STUDY.c.patient_changed_at > 0, _IS_THERE, _OLD_INPUT)
    )


def superseded() -> sa.Select[Any]:
    """Deliveries whose object a later result replaces; those with a wrong patient are left out.

    It begins at the jobs that replace others, which an index holds, because they are few.
    """
    return (
        sa.select(
            DELIVERY.c.delivery_id.label("subject"),
            sa.func.max(ended_at(LATER)).label("since"),
            sa.literal(0.0).label("stamp"),
        )
        .join_from(
            LATER,
            MINE,
            sa.and_(
                LATER.c.series_uid == MINE.c.series_uid,
                LATER.c.job_id != MINE.c.job_id,
                LATER.c.revision >= MINE.c.revision,
                ended_at(LATER) > ended_at(MINE),
            ),
        )
        .join(DELIVERY, DELIVERY.c.job_id == sa.func.coalesce(MINE.c.job_id, ""))
        .where(
            LATER.c.predecessor_job_id > "",
            sa.func.coalesce(LATER.c.state, "") == JobState.SUCCEEDED,
            _IS_THERE,
            ~is_of_another_patient(),
        )
        .group_by(DELIVERY.c.delivery_id)
    )
