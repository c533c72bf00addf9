"""What a person may do on the page or by the API, in one table; every action leaves an audit row.

The moves themselves belong to the journal. An action that comes too late (somebody else, or the
node itself, was faster) changes nothing and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from app.node.journal import delivery_decisions, jobs, overview, priorities, series
from app.node.journal.audit import deed_of, record_deed
from app.node.journal.engine import reading, transaction
from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.telemetry import events
from app.node.telemetry.logs import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import Connection

    from app.node.journal.audit import Actor
    from app.node.journal.rows import DeliveryRow
    from app.node.web.site import Site


class _Stateful(Protocol):
    @property
    def state(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing a person may do.

    Attributes
    ----------
    label : str
        On the button.
    explanation : str
        What will happen.
    offered : frozenset of str
        States in which the page offers it; the journal decides whether it is possible.
    move : callable
        Takes (connection, id, now) and says whether anything was changed.
    is_grave : bool
        Asked back before it is done.
    """

    label: str
    explanation: str
    offered: frozenset[str]
    move: Callable[[Connection, str, float], bool]
    is_grave: bool = False


ACTIONS: Final[Mapping[tuple[str, str], Action]] = {
    ("series", "force"): Action(
        label="Segment as it is",
        explanation="Treat the series as complete and segment what has arrived.",
        offered=frozenset({SeriesState.HELD, SeriesState.RECEIVING, SeriesState.DISCARDED}),
        move=series.force,
    ),
    ("series", "discard"): Action(
        label="Discard",
        explanation="Do not segment this series; its unfinished jobs are cancelled.",
        offered=frozenset({SeriesState.HELD, SeriesState.RECEIVING, SeriesState.ACCEPTED}),
        move=series.discard,
        is_grave=True,
    ),
    ("job", "replay"): Action(
        label="Retry",
        explanation=(
            "Run the job again from its beginning; the same input gives the same result. After an "
            "update, results that differ come from a new job and name the old ones."
        ),
        offered=frozenset(
            {JobState.DEAD, JobState.REFUSED, JobState.CANCELLED, JobState.SUCCEEDED}
        ),
        move=jobs.replay,
    ),
    ("job", "next"): Action(
        label="Run next",
        explanation="Begin this job before every other one that waits.",
        offered=frozenset({JobState.WAITING, JobState.QUEUED}),
        move=priorities.run_next,
    ),
    ("job", "cancel"): Action(
        label="Cancel",
        explanation="Stop the job; nothing is delivered.",
        offered=frozenset({JobState.WAITING, JobState.QUEUED, JobState.RUNNING}),
        move=jobs.request_cancel,
        is_grave=True,
    ),
    ("job", "release"): Action(
        label="Release results",
        explanation="Send every held result of this job to its destinations.",
        offered=frozenset({DeliveryState.HELD}),
        move=delivery_decisions.release,
    ),
    ("delivery", "release"): Action(
        label="Release",
        explanation="Send this object to its destination.",
        offered=frozenset({DeliveryState.HELD}),
        move=delivery_decisions.release,
    ),
    ("delivery", "resend"): Action(
        label="Send again",
        explanation="Send this object again, from the first attempt on.",
        offered=frozenset(
            {
                DeliveryState.QUEUED,
                DeliveryState.DEAD,
                DeliveryState.PARKED,
                DeliveryState.DISCARDED,
                DeliveryState.DECLINED,
                DeliveryState.DELIVERED,
                DeliveryState.SENT,
            }
        ),
        move=delivery_decisions.resend,
    ),
    ("delivery", "discard"): Action(
        label="Discard",
        explanation="Do not send this object; what the destination has stays there.",
        offered=frozenset(
            {
                DeliveryState.HELD,
                DeliveryState.QUEUED,
                DeliveryState.PARKED,
                DeliveryState.DEAD,
            }
        ),
        move=delivery_decisions.discard,
        is_grave=True,
    ),
}
"""(kind of subject, name) -> action. A job's release is offered by the state of its deliveries."""

_FINDERS: Final[Mapping[str, Callable[[Connection, str], _Stateful | None]]] = {
    "series": overview.find_series,
    "job": overview.find_job,
    "delivery": overview.find_delivery,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One button: an action on one subject."""

    kind: str
    name: str
    identifier: str
    action: Action


def offers(kind: str, identifier: str, states: frozenset[str] | set[str]) -> list[Offer]:
    """Buttons for a subject.

    Parameters
    ----------
    kind : str
        ``series``, ``job`` or ``delivery``.
    identifier : str
        Series Instance UID, job id or delivery id.
    states : set of str
        Its state; for a job also the states of its deliveries.

    Returns
    -------
    list of Offer
        In the order of the table.
    """
    return [
        Offer(kind=kind, name=name, identifier=identifier, action=action)
        for (subject, name), action in ACTIONS.items()
        if subject == kind and action.offered & states
    ]


def delivery_offers(row: DeliveryRow) -> list[Offer]:
    """Buttons for a delivery; what something newer replaces cannot be sent."""
    every = offers("delivery", row.delivery_id, {row.state})
    is_replaced = row.replaced_by_revision is not None
    return [offer for offer in every if not is_replaced or offer.name not in {"release", "resend"}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who wants what.

    Attributes
    ----------
    kind, name : str
        Key of `ACTIONS`.
    identifier : str
        Of the subject.
    actor : Actor
        For the audit trail.
    """

    kind: str
    name: str
    identifier: str
    actor: Actor


def take(site: Site, request: Request) -> bool | None:
    """Do it, and write down who did it, in one transaction.

    Parameters
    ----------
    site : Site
        The node.
    request : Request
        Who wants what.

    Returns
    -------
    bool or None
        Whether anything was changed; None where there is no such action or subject.
    """
    action = ACTIONS.get((request.kind, request.name))
    if action is None:
        return None
    now = site.clock()
    deed = f"{request.kind}.{request.name}"
    with transaction(site.engine) as connection:
        if _FINDERS[request.kind](connection, request.identifier) is None:
            return None
        is_done = action.move(connection, request.identifier, now)
        record_deed(
            connection,
            deed_of(
                request.actor,
                at=now,
                action=deed,
                subject=request.identifier,
                detail="done" if is_done else "nothing to change",
            ),
        )
    # A UID is hashed; job and delivery ids are hashes already.
    is_uid = request.kind == "series"
    subject = key_of(request.identifier, site.secret) if is_uid else request.identifier
    site.emit(events.ACTION_TAKEN, action=deed, subject=subject)
    return is_done


def state_of(site: Site, kind: str, identifier: str) -> str | None:
    """State of a subject now; None where there is no such subject."""
    with reading(site.engine) as connection:
        found = _FINDERS[kind](connection, identifier)
    return None if found is None else found.state
