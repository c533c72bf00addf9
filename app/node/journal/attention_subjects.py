"""What of the journal needs a person: a query per kind, of subject, since when, and stamp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from app.node.journal.attention_kinds import COMMITMENT_OVERDUE
from app.node.journal.deliveries import WITHHELD
from app.node.journal.outdated import superseded, wrong_patients
from app.node.journal.states import DeliveryState, InstanceState, JobState, SeriesState
from app.node.journal.tables import ALERT_CHANNEL, DELIVERY, DESTINATION, INSTANCE, JOB, SERIES

if TYPE_CHECKING:
    from collections.abc import Mapping


def _subjects(
    subject: sa.ColumnElement[str],
    since: sa.ColumnElement[Any],
    stamp: sa.ColumnElement[Any] | None = None,
) -> sa.Select[Any]:
    return sa.select(
        subject.label("subject"),
        since.label("since"),
        (since if stamp is None else stamp).label("stamp"),
    )


def _ended_jobs(state: JobState) -> sa.Select[Any]:
    """Jobs in a final state that a later result, or a person, has not made pointless."""
    later = JOB.alias("later")
    is_made_good = sa.exists().where(
        later.c.series_uid == JOB.c.series_uid,
        later.c.revision > JOB.c.revision,
        later.c.state == str(JobState.SUCCEEDED),
    )
    is_unwanted = sa.exists().where(
        SERIES.c.series_uid == JOB.c.series_uid, SERIES.c.state == str(SeriesState.DISCARDED)
    )
    ended_at = sa.func.coalesce(JOB.c.finished_at, JOB.c.created_at)
    return (
        _subjects(JOB.c.job_id, ended_at)
        .where(JOB.c.state == str(state))
        .where(~is_made_good, ~is_unwanted)
    )


def _deliveries(state: DeliveryState) -> sa.Select[Any]:
    return _subjects(DELIVERY.c.delivery_id, DELIVERY.c.created_at).where(
        DELIVERY.c.state == str(state)
    )


_IS_WITHHELD: Final = DELIVERY.c.last_error.startswith(WITHHELD)
_NEVER: Final = sa.literal(0.0)
SUBJECTS: Final[Mapping[str, sa.Select[Any]]] = {
    "job_failed": _ended_jobs(JobState.DEAD),
    "job_refused": _ended_jobs(JobState.REFUSED),
    "series_held": _subjects(SERIES.c.series_uid, SERIES.c.last_activity_at).where(
        SERIES.c.state == str(SeriesState.HELD)
    ),
    # A literal, so that SQLite can see that the partial index answers it.
    "object_quarantined": _subjects(INSTANCE.c.path, INSTANCE.c.received_at).where(
        INSTANCE.c.state == sa.literal_column(f"'{InstanceState.QUARANTINED}'")
    ),
    "delivery_failed": _deliveries(DeliveryState.DEAD),
    "delivery_parked": _deliveries(DeliveryState.PARKED),
    "delivery_uncommitted": _deliveries(DeliveryState.SENT).where(
        DELIVERY.c.last_error == COMMITMENT_OVERDUE
    ),
    # Seen until it has worked again, however often it fails meanwhile.
    "destination_paused": _subjects(
        DESTINATION.c.name,
        sa.func.coalesce(DESTINATION.c.last_success_at, DESTINATION.c.last_failure_at),
        sa.func.coalesce(DESTINATION.c.last_success_at, _NEVER),
    ).where(DESTINATION.c.open_until.is_not(None)),
    "alert_failing": _subjects(ALERT_CHANNEL.c.name, ALERT_CHANNEL.c.failing_since).where(
        ALERT_CHANNEL.c.failing_since.is_not(None)
    ),
    "delivery_withheld": _deliveries(DeliveryState.HELD).where(_IS_WITHHELD),
    "delivery_held": _deliveries(DeliveryState.HELD).where(~_IS_WITHHELD),
    "delivery_wrong_patient": wrong_patients(),
    "delivery_superseded": superseded(),
}
"""Every kind that is not observed."""
