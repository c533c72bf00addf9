"""Deliveries: what goes to whom, and what is due (`delivery_decisions`: what is decided later).

A *generation* is one round of sending for a job and a destination; the engine's workflow carries
its number. An id of the engine never runs twice, so whatever is queued anew gets a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from app.node.journal.moves import move
from app.node.journal.states import DeliveryEvent, DeliveryState
from app.node.journal.tables import DELIVERY
from operators.dicom.identity.uids import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection

    from app.settings import Release

OPEN: Final = (DeliveryState.QUEUED, DeliveryState.SENT)
"""States in which a workflow must exist."""

LATE_S: Final = 60.0
"""An attempt that is overdue by this much has probably lost its workflow, s."""

WITHHELD: Final = "withheld: "
"""Begins the cause of what the quality gate holds back; the names of the rules follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryGroup:
    """What one deliver workflow works on."""

    job_id: str
    destination: str
    generation: int


def plan(
    c: Connection,
    job_id: str,
    sop_instance_uids: Sequence[str],
    *,
    destinations: Sequence[str],
    release: Release,
    now: float,
) -> int:
    """Plan the delivery of a job's objects; what is planned already stays as it is.

    Parameters
    ----------
    c : Connection
        The transaction that also says that the job succeeded.
    job_id : str
        Whose objects.
    sop_instance_uids : sequence of str
        The objects that these destinations are sent.
    destinations : sequence of str
        Names of peers, see `app.node.delivery.routing`.
    release : str
        ``hold``: a person releases them; ``auto``: they are queued at once.
    now : float
        Epoch seconds.

    Returns
    -------
    int
        Rows made.
    """
    rows = []
    for destination in dict.fromkeys(destinations):
        generation = next_generation(c, job_id, destination)
        rows += [
            {
                "delivery_id": delivery_id_of(uid, destination),
                "job_id": job_id,
                "sop_instance_uid": uid,
                "destination": destination,
                "state": DeliveryState.QUEUED if release == "auto" else DeliveryState.HELD,
                "generation": generation,
                "attempts": 0,
                "created_at": now,
                "released_at": now if release == "auto" else None,
                "confirmed_by": "",
                "last_error": "",
            }
            for uid in dict.fromkeys(sop_instance_uids)
        ]
    identifiers = [row["delivery_id"] for row in rows]
    known = set(
        c.execute(
            sa.select(DELIVERY.c.delivery_id).where(DELIVERY.c.delivery_id.in_(identifiers))
        ).scalars()
    )
    fresh = [row for row in rows if row["delivery_id"] not in known]
    if fresh:
        c.execute(sa.insert(DELIVERY), fresh)
    return len(fresh)


def withhold(c: Connection, causes: Mapping[str, str], *, planned_at: float) -> int:
    """Hold back objects whose delivery this transaction has just planned.

    Parameters
    ----------
    c : Connection
        The transaction of `plan`: nobody has seen them queued yet.
    causes : mapping of str to str
        Why, by SOP Instance UID; shown beside the delivery until it is released.
    planned_at : float
        The time given to `plan`. What was planned before stays as a person left it.

    Returns
    -------
    int
        Deliveries held back.
    """
    count = 0
    for uid, cause in causes.items():
        fresh = (
            DELIVERY.c.sop_instance_uid == uid,
            DELIVERY.c.created_at == planned_at,
            DELIVERY.c.attempts == 0,
        )
        count += move(c, DeliveryEvent.WITHHOLD, *fresh, released_at=None, last_error=cause)
    return count


def delivery_id_of(sop_instance_uid: str, destination: str) -> str:
    """Key of a delivery: the same object goes to the same destination once."""
    return digest((sop_instance_uid, destination))


def due(c: Connection, now: float) -> list[DeliveryGroup]:
    """List the groups that need a deliver workflow; starting the same one again does no harm.

    Those never tried, and those whose next attempt is overdue (their workflow may be lost).
    Groups that wait for their next attempt are left out, so that a dead destination with a
    thousand of them costs nothing.

    Parameters
    ----------
    c : Connection
        For reading.
    now : float
        Epoch seconds.

    Returns
    -------
    list of DeliveryGroup
        Oldest first.
    """
    columns = (DELIVERY.c.job_id, DELIVERY.c.destination, DELIVERY.c.generation)
    query = (
        sa.select(*columns)
        .where(
            DELIVERY.c.state.in_(OPEN),
            sa.or_(DELIVERY.c.next_attempt_at.is_(None), DELIVERY.c.next_attempt_at < now - LATE_S),
        )
        .group_by(*columns)
        .order_by(sa.func.min(DELIVERY.c.created_at), *columns)
    )
    return [DeliveryGroup(**row) for row in c.execute(query).mappings()]


def next_generation(c: Connection, job_id: str, destination: str) -> int:
    """Give the number of the next round of sending of a job to a destination, from 1."""
    last = c.execute(
        sa.select(sa.func.max(DELIVERY.c.generation)).where(
            DELIVERY.c.job_id == job_id, DELIVERY.c.destination == destination
        )
    ).scalar()
    return 1 + (last or 0)
