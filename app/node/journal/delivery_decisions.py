"""What is decided about planned deliveries: released, sent again, hurried on, given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from app.node.journal.deliveries import next_generation
from app.node.journal.moves import move, origins_of
from app.node.journal.replaced import is_replaced
from app.node.journal.states import DeliveryEvent, DeliveryState
from app.node.journal.tables import DELIVERY, DESTINATION

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_ANEW: Final = {
    "attempts": 0,
    "next_attempt_at": None,
    "sent_at": None,
    "delivered_at": None,
    "confirmed_by": "",
    "last_status": None,
    "last_error": "",
    "is_uncompressed": 0,
    "commit_uid": None,
    "commit_asked_at": None,
}
"""A delivery before its next round of sending."""


def release(c: Connection, identifier: str, now: float) -> bool:
    """Release what is held: by a person, for one delivery or for all of a job.

    Parameters
    ----------
    c : Connection
        A transaction.
    identifier : str
        `delivery_id` or `job_id`.
    now : float
        Epoch seconds; the time allowed begins here.

    Returns
    -------
    bool
        Whether anything was held that nothing newer replaces.
    """
    return _queue_anew(c, identifier, DeliveryEvent.RELEASE, now)


def resend(c: Connection, identifier: str, now: float) -> bool:
    """Send again, at once and from the first attempt on, whatever became of it.

    Parameters
    ----------
    c : Connection
        A transaction.
    identifier : str
        `delivery_id` or `job_id`. What is held stays so: that is for `release`.
    now : float
        Epoch seconds; the time allowed begins anew.

    Returns
    -------
    bool
        Whether there was anything to send.
    """
    return _queue_anew(c, identifier, DeliveryEvent.RESEND, now)


def hurry(c: Connection, destination: str, now: float) -> bool:
    """Have everything that waits for its next attempt at a destination tried at once.

    Attempts and the time allowed go on counting; a pause of the destination ends.

    Parameters
    ----------
    c : Connection
        A transaction.
    destination : str
        Name of the peer.
    now : float
        Epoch seconds. What is being tried just now is left alone.

    Returns
    -------
    bool
        Whether anything waited, or the destination was paused.
    """
    waits = sa.and_(
        DELIVERY.c.destination == destination,
        DELIVERY.c.state == DeliveryState.QUEUED,
        DELIVERY.c.next_attempt_at > now,
    )
    jobs = c.execute(sa.select(DELIVERY.c.job_id).where(waits).distinct()).scalars().all()
    for job_id in jobs:
        c.execute(
            sa.update(DELIVERY)
            .where(waits, DELIVERY.c.job_id == job_id)
            .values(generation=next_generation(c, job_id, destination), next_attempt_at=None)
        )
    ended = c.execute(
        sa.update(DESTINATION)
        .where(DESTINATION.c.name == destination, DESTINATION.c.open_until > now)
        .values(open_until=None)
    )
    return bool(jobs) or ended.rowcount > 0


def discard(c: Connection, identifier: str, now: float) -> bool:
    """Send no more; what the destination already has stays there.

    Parameters
    ----------
    c : Connection
        A transaction.
    identifier : str
        `delivery_id` or `job_id`.
    now : float
        Epoch seconds, kept as the time of the decision.

    Returns
    -------
    bool
        Whether anything was still to be sent.
    """
    ended = {"next_attempt_at": None, "released_at": now}
    return move(c, DeliveryEvent.DISCARD, _named(identifier), **ended) > 0


def _queue_anew(c: Connection, identifier: str, event: DeliveryEvent, now: float) -> bool:
    """Give every group touched a new generation; a paused destination is tried at once.

    What something newer replaces does not go out.
    """
    chosen = sa.and_(_named(identifier), ~is_replaced())
    groups = c.execute(
        sa.select(DELIVERY.c.job_id, DELIVERY.c.destination)
        .where(chosen, DELIVERY.c.state.in_(origins_of(event)))
        .distinct()
    ).all()
    for job_id, destination in groups:
        move(
            c,
            event,
            chosen,
            DELIVERY.c.job_id == job_id,
            DELIVERY.c.destination == destination,
            generation=next_generation(c, job_id, destination),
            released_at=now,
            **_ANEW,
        )
        c.execute(
            sa.update(DESTINATION)
            .where(DESTINATION.c.name == destination, DESTINATION.c.open_until > now)
            .values(open_until=now)
        )
    return bool(groups)


def _named(identifier: str) -> sa.ColumnElement[bool]:
    return sa.or_(DELIVERY.c.delivery_id == identifier, DELIVERY.c.job_id == identifier)
