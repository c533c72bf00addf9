"""The kinds of things that need a person: one table for page, API, metrics and alerts.

An alarm is a thing that went wrong and that nothing but a person moves on; a task is planned work
of a person, such as the release of results.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Severity(StrEnum):
    """What is expected of the person."""

    ALARM = "alarm"
    """Something went wrong; it counts in the number on the page."""
    TASK = "task"
    """Planned work; it is listed, and raises no alarm."""


class Found(NamedTuple):
    """One thing that needs a person.

    `stamp` tells this occurrence from another one of the same subject; `since` is when it began,
    epoch seconds, None where nobody knows.
    """

    subject: str
    since: float | None
    stamp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionKind:
    """One kind of thing that needs a person.

    Attributes
    ----------
    severity : Severity
        Alarm or task.
    title : str
        What is counted, plural, for page and messages.
    page : str
        Where it is shown.
    can_acknowledge : bool
        Whether a person may dismiss it: where nothing else ends it.
    """

    severity: Severity
    title: str
    page: str
    can_acknowledge: bool = False


def _alarm(title: str, page: str, *, can_acknowledge: bool = False) -> AttentionKind:
    return AttentionKind(
        severity=Severity.ALARM, title=title, page=page, can_acknowledge=can_acknowledge
    )


KINDS: Final[Mapping[str, AttentionKind]] = {
    "process_silent": _alarm("processes silent or frozen", "/system", can_acknowledge=True),
    "models_unusable": _alarm("workers whose models cannot be used", "/system"),
    "disk_low": _alarm("disks below their reserve: objects are refused", "/system"),
    "certificate_expires": _alarm(
        "TLS certificates that expire within 30 days, or have expired", "/system"
    ),
    "job_stalled": _alarm("jobs without progress", "/jobs?state=running"),
    "job_failed": _alarm("jobs that failed", "/attention/job_failed", can_acknowledge=True),
    "job_refused": _alarm(
        "jobs that ended without result", "/attention/job_refused", can_acknowledge=True
    ),
    "series_held": _alarm("series held as incomplete", "/attention/series_held"),
    "object_quarantined": _alarm(
        "objects in quarantine", "/attention/object_quarantined", can_acknowledge=True
    ),
    "delivery_failed": _alarm("deliveries that failed", "/attention/delivery_failed"),
    "delivery_parked": _alarm(
        "deliveries parked: the destination does not take them", "/attention/delivery_parked"
    ),
    "delivery_uncommitted": _alarm(
        "deliveries whose storage the destination has not committed in time",
        "/attention/delivery_uncommitted",
    ),
    "delivery_withheld": _alarm(
        "result objects that the quality gate withholds", "/deliveries?state=held"
    ),
    "delivery_wrong_patient": _alarm(
        "objects at a destination that name another patient than their study has now",
        "/attention/delivery_wrong_patient",
        can_acknowledge=True,
    ),
    "destination_paused": _alarm(
        "destinations paused after failures", "/destinations", can_acknowledge=True
    ),
    "alert_failing": _alarm("alert channels that cannot send", "/attention#alerts"),
    "delivery_held": AttentionKind(
        severity=Severity.TASK,
        title="result objects to release",
        page="/deliveries?state=held",
    ),
    "delivery_superseded": AttentionKind(
        severity=Severity.TASK,
        title="objects at a destination that a later result replaces",
        page="/attention/delivery_superseded",
        can_acknowledge=True,
    ),
}
"""In the order in which they are shown."""

COMMITMENT_OVERDUE: Final = "commitment_overdue"
"""Last error of a delivery whose destination was asked to commit it, and has not reported."""

OBSERVED: Final = frozenset(
    {"process_silent", "models_unusable", "disk_low", "certificate_expires", "job_stalled"}
)
"""Kinds that no table holds: whoever watches the node hands them in
(`app.node.journal.lookout`)."""
