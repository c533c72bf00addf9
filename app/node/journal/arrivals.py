"""Objects arrive: one transaction makes the row of the object and moves its series.

An object is known by its SOP Instance UID and the digest of its bytes. What it does to the series:
a new one keeps or puts the series into RECEIVING, a repeated one only shows that the sender is
still busy, one that cannot be used or is our own result touches no series at all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from app.node.journal import arrival_statements as statements
from app.node.journal.facts import ArrivalFacts
from app.node.journal.patients import StudyArrival, note_study
from app.node.journal.states import InstanceState, SeriesState
from app.node.journal.tables import SERIES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.engine import Connection

    from app.node.journal.patients import PatientAttributes

__all__ = [
    "Arrival",
    "ArrivalFacts",
    "ArrivalOutcome",
    "association_ended",
    "count_objects",
    "forget_associations",
    "raise_counters",
    "record_arrival",
]

NOT_AN_IMAGE: Final = json.dumps({"accepted": False, "reasons": ["not_an_image"]})
"""Decision about a series of segmentations, reports and the like."""

_UIDS_PER_STATEMENT: Final = 500


class ArrivalOutcome(StrEnum):
    """What an acknowledged object turned out to be; also the label of its counter."""

    NEW = "stored"
    """Not seen before."""
    DUPLICATE = "duplicate"
    """The same bytes are held already."""
    CHANGED = "changed"
    """Its SOP Instance UID is known with other bytes."""
    QUARANTINED = "quarantined"
    """Kept, but it belongs to no series that could be worked on."""
    OWN_RESULT = "own_result"
    """A segmentation this node made, on its way around."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An object whose bytes are on the disk.

    Attributes
    ----------
    sop_instance_uid, sop_class_uid, transfer_syntax_uid : str
        Of the request and its presentation context.
    digest : str
        SHA-256 of the data set as received.
    series_uid, study_uid : str
        Of the data set; empty in quarantine where unreadable.
    path : str
        Of the file, relative to the spool.
    size_bytes : int
        Of the file.
    calling_ae_title, called_ae_title, peer_address, association_id : str
        Who sent it, to whom, on which association.
    received_at : float
        Seconds since the epoch.
    facts : ArrivalFacts
        What its header says.
    description : str
        Series description, for the page.
    is_quarantined : bool
        Unusable: identifiers missing or unreadable.
    opens_series : bool
        First object of its series on its association.
    patient : PatientAttributes or None
        Whom its study is about; None: not kept, or the same as of the object before it.
    """

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    digest: str
    series_uid: str
    study_uid: str
    path: str
    size_bytes: int
    calling_ae_title: str
    called_ae_title: str
    peer_address: str
    association_id: str
    received_at: float
    facts: ArrivalFacts
    description: str = ""
    is_quarantined: bool = False
    opens_series: bool = False
    patient: PatientAttributes | None = None


def record_arrival(connection: Connection, arrival: Arrival) -> ArrivalOutcome:
    """Write the object down and move its series.

    Parameters
    ----------
    connection : Connection
        Within a transaction; the object is acknowledged only after its commit.
    arrival : Arrival
        Its file is complete and synchronised.

    Returns
    -------
    ArrivalOutcome
        What it is; the counter is the caller's (`count_objects`).
    """
    values = _values(arrival)
    known = {row.digest: row.state for row in statements.KNOWN.run(connection, values)}
    if arrival.digest in known:
        if known[arrival.digest] == InstanceState.DELETED:
            statements.RESTORE.run(connection, values)
        statements.TOUCH.run(connection, values)
        if arrival.facts.is_image:
            _note_study(connection, arrival)
        return ArrivalOutcome.DUPLICATE
    statements.INSERT_INSTANCE.run(connection, values)
    if arrival.is_quarantined:
        return ArrivalOutcome.QUARANTINED
    if arrival.facts.is_image:
        move, first_state, decision = statements.REOPEN, SeriesState.RECEIVING, "{}"
    elif statements.OWN_RESULT.run(connection, values).first() is not None:
        return ArrivalOutcome.OWN_RESULT
    else:
        move, first_state, decision = statements.TOUCH, SeriesState.REJECTED, NOT_AN_IMAGE
    _note_study(connection, arrival)
    if not move.run(connection, values).rowcount:
        values |= {"a_state": str(first_state), "a_decision": decision}
        statements.INSERT_SERIES.run(connection, values)
    return ArrivalOutcome.CHANGED if known else ArrivalOutcome.NEW


def _note_study(connection: Connection, arrival: Arrival) -> None:
    """Write down study and patient, once per series and association."""
    if arrival.opens_series or arrival.patient is not None:
        note_study(
            connection,
            StudyArrival(
                study_uid=arrival.study_uid,
                calling_ae_title=arrival.calling_ae_title,
                at=arrival.received_at,
                is_image=arrival.facts.is_image,
                patient=arrival.patient,
            ),
        )


def association_ended(
    connection: Connection, series_uids: Collection[str], now: float, *, is_released: bool
) -> None:
    """Note that the association which sent objects of these series is over.

    Parameters
    ----------
    connection : Connection
        Within a transaction.
    series_uids : collection of str
        Series whose first object on that association was recorded with ``opens_series``.
    now : float
        Seconds since the epoch; the quiet time of the series starts here.
    is_released : bool
        False: the sender died, or gave up. That mark stays until somebody comes with objects of
        the series again.
    """
    uids = sorted(series_uids)
    for start in range(0, len(uids), _UIDS_PER_STATEMENT):
        some = SERIES.c.series_uid.in_(uids[start : start + _UIDS_PER_STATEMENT])
        connection.execute(
            sa.update(SERIES)
            .where(some)
            .values(
                last_activity_at=now,
                open_associations=sa.case(
                    (SERIES.c.open_associations > 0, SERIES.c.open_associations - 1), else_=0
                ),
                is_broken_off=SERIES.c.is_broken_off if is_released else 1,
            )
        )


def forget_associations(connection: Connection) -> None:
    """End what the listener before this one left open: those senders were broken off."""
    connection.execute(
        sa.update(SERIES)
        .where(SERIES.c.open_associations != 0)
        .values(open_associations=0, is_broken_off=1)
    )


def count_objects(connection: Connection, amounts: Mapping[str, int]) -> None:
    """Raise the counters of objects.

    Parameters
    ----------
    connection : Connection
        Within a transaction.
    amounts : mapping of str to int
        Label (an `ArrivalOutcome` or ``refused_A700`` and the like) -> how many more.
    """
    raise_counters(connection, statements.OBJECTS, amounts)


def raise_counters(connection: Connection, name: str, amounts: Mapping[str, int]) -> None:
    """Raise counters of one name.

    Parameters
    ----------
    connection : Connection
        Within a transaction.
    name : str
        What is counted.
    amounts : mapping of str to int
        Label -> how many more.
    """
    for label, amount in sorted(amounts.items()):
        values = {"a_name": name, "a_label": label, "a_amount": amount}
        if not statements.RAISE_COUNTER.run(connection, values).rowcount:
            statements.INSERT_COUNTER.run(connection, values)


def _values(arrival: Arrival) -> dict[str, Any]:
    """Parameters of all statements about one arrival, by name."""
    values: dict[str, Any] = {f"a_{name}": getattr(arrival, name) for name in _COPIED}
    state = InstanceState.QUARANTINED if arrival.is_quarantined else InstanceState.STORED
    return values | {
        "a_instance_state": str(state),
        "a_facts": arrival.facts.to_json(),
        "a_modality": arrival.facts.modality,
        "a_opened": int(arrival.opens_series),
    }


_COPIED: Final = tuple(
    entry.name
    for entry in fields(Arrival)
    if entry.name not in {"facts", "is_quarantined", "opens_series", "patient"}
)
