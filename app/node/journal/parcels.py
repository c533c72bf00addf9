"""The objects of one delivery as an attempt sees them, and how it notes what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from app.node.journal.deliveries import OPEN, DeliveryGroup
from app.node.journal.moves import move, origins_of
from app.node.journal.replaced import is_replaced, is_superseded, replacing_revision
from app.node.journal.states import DeliveryState
from app.node.journal.tables import DELIVERY, JOB, RESULT
from operators.dicom.identity.result_kinds import OBJECT_CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from app.node.journal.states import DeliveryEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One object on its way to one destination.

    Attributes
    ----------
    delivery_id : str
        Key of the delivery.
    sop_instance_uid, series_uid, study_uid : str
        How the object is found at the destination.
    path : str
        Its file, relative to the data folder.
    digest : str
        SHA-256 of that file.
    kind : str
        Group of results that it belongs to.
    state : DeliveryState
        When it was read; a move is refused if it has changed since.
    generation, attempts : int
        Round of sending, and attempts within it.
    released_at : float
        Begin of the time allowed, epoch seconds.
    next_attempt_at : float or None
        Not before; None: now.
    sent_at : float or None
        When the peer acknowledged it.
    last_error : str
        Name of what went wrong last.
    sop_class_uid : str
        Of the object.
    commit_asked_at : float or None
        When the peer took the request to commit its storage; None: not asked since it was sent.
    replaced_by : int or None
        Revision of what replaces it, or is to do so.
    is_superseded : bool
        Whether that has results.
    """

    delivery_id: str
    sop_instance_uid: str
    series_uid: str
    study_uid: str
    path: str
    digest: str
    kind: str
    state: DeliveryState
    generation: int
    attempts: int
    released_at: float
    next_attempt_at: float | None
    sent_at: float | None
    last_error: str
    sop_class_uid: str = ""
    commit_asked_at: float | None = None
    replaced_by: int | None = None
    is_superseded: bool = False


def parcels_of(c: Connection, group: DeliveryGroup) -> list[Parcel]:
    """Objects of a group that are neither confirmed nor given up.

    Parameters
    ----------
    c : Connection
        For reading.
    group : DeliveryGroup
        Job, destination and round of sending.

    Returns
    -------
    list of Parcel
        Segmentations first: what a destination may refuse comes after them. Then by UID.
    """
    return _parcels(c, *_belongs_to(group), DELIVERY.c.state.in_(OPEN))


def parcels_asked(c: Connection, transaction_uid: str) -> dict[DeliveryGroup, list[Parcel]]:
    """Find the objects that a request for storage commitment was about, and still waits for.

    Parameters
    ----------
    c : Connection
        For reading.
    transaction_uid : str
        Of the request; an earlier one than the last for an object finds nothing.

    Returns
    -------
    dict
        Group -> its objects in state SENT.
    """
    waiting = (DELIVERY.c.commit_uid == transaction_uid, DELIVERY.c.state == DeliveryState.SENT)
    columns = (DELIVERY.c.job_id, DELIVERY.c.destination, DELIVERY.c.generation)
    groups = c.execute(sa.select(*columns).where(*waiting).distinct()).mappings()
    found = [DeliveryGroup(**row) for row in groups]
    return {group: _parcels(c, *_belongs_to(group), *waiting) for group in found}


def _parcels(c: Connection, *conditions: sa.ColumnElement[bool]) -> list[Parcel]:
    query = (
        sa.select(
            DELIVERY.c.delivery_id,
            DELIVERY.c.sop_instance_uid,
            RESULT.c.series_uid,
            JOB.c.study_uid,
            RESULT.c.path,
            RESULT.c.digest,
            RESULT.c.kind,
            DELIVERY.c.state,
            DELIVERY.c.generation,
            DELIVERY.c.attempts,
            sa.func.coalesce(DELIVERY.c.released_at, DELIVERY.c.created_at).label("released_at"),
            DELIVERY.c.next_attempt_at,
            DELIVERY.c.sent_at,
            DELIVERY.c.last_error,
            RESULT.c.sop_class_uid,
            DELIVERY.c.commit_asked_at,
            replacing_revision().label("replaced_by"),
            is_superseded().label("is_superseded"),
        )
        .join(JOB, JOB.c.job_id == DELIVERY.c.job_id)
        .join(
            RESULT,
            sa.and_(
                RESULT.c.job_id == DELIVERY.c.job_id,
                RESULT.c.sop_instance_uid == DELIVERY.c.sop_instance_uid,
            ),
        )
        .where(*conditions)
        .order_by(DELIVERY.c.sop_instance_uid)
    )
    parcels = [
        Parcel(**{**row, "state": DeliveryState(row["state"])})
        for row in c.execute(query).mappings()
    ]
    ranks = {group: rank for rank, group in enumerate(OBJECT_CLASSES)}
    return sorted(parcels, key=lambda one: ranks.get(one.kind, len(ranks)))


def count_attempt(
    c: Connection, group: DeliveryGroup, parcels: Sequence[Parcel], now: float
) -> list[Parcel]:
    """Note, before anything is sent, that an attempt begins.

    Parameters
    ----------
    c : Connection
        A transaction.
    group : DeliveryGroup
        Whose objects.
    parcels : sequence of Parcel
        What is to be sent.
    now : float
        Epoch seconds; until the attempt says more, its next one counts from here.

    Returns
    -------
    list of Parcel
        What may be sent, as counted: without what was stopped meanwhile, or is replaced.
    """
    counted = c.execute(
        sa.update(DELIVERY)
        .where(
            *_belongs_to(group),
            DELIVERY.c.delivery_id.in_([parcel.delivery_id for parcel in parcels]),
            DELIVERY.c.state == DeliveryState.QUEUED,
            ~is_replaced(),
        )
        .values(attempts=DELIVERY.c.attempts + 1, next_attempt_at=now)
        .returning(DELIVERY.c.delivery_id)
    )
    return _parcels(c, DELIVERY.c.delivery_id.in_(counted.scalars().all()))


def advance(
    c: Connection, parcel: Parcel, event: DeliveryEvent, /, **facts: str | float | None
) -> bool:
    """Move a delivery on, unless somebody else moved it since it was read.

    Parameters
    ----------
    c : Connection
        A transaction.
    parcel : Parcel
        As read; its state and generation must still hold.
    event : DeliveryEvent
        What happened to it.
    **facts : str, float or None
        Further columns to set.

    Returns
    -------
    bool
        Whether it was moved.

    Raises
    ------
    ValueError
        If this never happens in the state that the parcel was read in.
    """
    if parcel.state not in origins_of(event):
        raise ValueError(f"a delivery that is {parcel.state} knows no {event}")
    return move(c, event, *_as_read(parcel), **facts) > 0


def note(c: Connection, parcel: Parcel, /, **facts: str | float | None) -> None:
    """Set columns of a delivery that stays where it is, unless somebody moved it meanwhile."""
    c.execute(sa.update(DELIVERY).where(*_as_read(parcel)).values(**facts))


def _as_read(parcel: Parcel) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        DELIVERY.c.delivery_id == parcel.delivery_id,
        DELIVERY.c.generation == parcel.generation,
        DELIVERY.c.state == parcel.state,
    )


def _belongs_to(group: DeliveryGroup) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        DELIVERY.c.job_id == group.job_id,
        DELIVERY.c.destination == group.destination,
        DELIVERY.c.generation == group.generation,
    )
