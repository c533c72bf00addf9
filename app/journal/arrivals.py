"""Objects arrive: one transaction makes the row of the object and moves its series.

An object is known by its SOP Instance UID and the digest of its bytes. What it does to the series:
a new one keeps or puts the series into RECEIVING, a repeated one only shows that the sender is
still busy, one that cannot be used or is our own result touches no series at all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.journal.facts import ArrivalFacts
from app.journal.states import InstanceState, SeriesState
from app.journal.tables import COUNTER, INSTANCE, RESULT, SERIES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.engine import Connection

__all__ = [
    "Arrival",
    "ArrivalFacts",
    "ArrivalOutcome",
    "association_ended",
    "count_objects",
    "forget_associations",
    "record_arrival",
]

OBJECTS: Final = "objects"
"""Name of the counter of everything offered to the listener; its labels say what became of it."""

NOT_AN_IMAGE: Final = json.dumps({"accepted": False, "reasons": ["not_an_image"]})
"""Decision about a series of segmentations, reports and the like."""

_REOPENED: Final = (SeriesState.HELD, SeriesState.REJECTED, SeriesState.ACCEPTED)
"""States that a new object ends. DISCARDED stays: a person said so."""

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
    if not _insert_instance(connection, arrival):
        _restore_deleted(connection, arrival)
        _touch(connection, arrival)
        return ArrivalOutcome.DUPLICATE
    if arrival.is_quarantined:
        return ArrivalOutcome.QUARANTINED
    if not arrival.facts.is_image:
        if _is_own_result(connection, arrival):
            return ArrivalOutcome.OWN_RESULT
        if not _touch(connection, arrival):
            _insert_series(connection, arrival, SeriesState.REJECTED, NOT_AN_IMAGE)
    elif not _reopen(connection, arrival):
        _insert_series(connection, arrival, SeriesState.RECEIVING, "{}")
    return ArrivalOutcome.CHANGED if _has_other(connection, arrival) else ArrivalOutcome.NEW


def association_ended(connection: Connection, series_uids: Collection[str], now: float) -> None:
    """Note that the association which sent objects of these series is over.

    Parameters
    ----------
    connection : Connection
        Within a transaction.
    series_uids : collection of str
        Series whose first object on that association was recorded with ``opens_series``.
    now : float
        Seconds since the epoch; the quiet time of the series starts here.
    """
    uids = sorted(series_uids)
    for start in range(0, len(uids), _UIDS_PER_STATEMENT):
        connection.execute(
            sa.update(SERIES)
            .where(SERIES.c.series_uid.in_(uids[start : start + _UIDS_PER_STATEMENT]))
            .values(
                last_activity_at=now,
                open_associations=sa.case(
                    (SERIES.c.open_associations > 0, SERIES.c.open_associations - 1), else_=0
                ),
            )
        )


def forget_associations(connection: Connection) -> None:
    """Set the number of open associations to 0 everywhere: the listener has just started."""
    connection.execute(
        sa.update(SERIES).where(SERIES.c.open_associations != 0).values(open_associations=0)
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
    for label, amount in sorted(amounts.items()):
        inserted = _insert(connection, COUNTER).values(name=OBJECTS, label=label, value=amount)
        connection.execute(
            inserted.on_conflict_do_update(
                index_elements=["name", "label"],
                set_={"value": COUNTER.c.value + inserted.excluded.value},
            )
        )


def _insert(connection: Connection, table: sa.Table) -> Any:  # noqa: ANN401 - one of two dialects
    """Insert with ON CONFLICT, which both databases know by their own classes."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def _insert_instance(connection: Connection, arrival: Arrival) -> bool:
    """Row of the object; False where the same bytes are known."""
    state = InstanceState.QUARANTINED if arrival.is_quarantined else InstanceState.STORED
    names = {column.name for column in INSTANCE.columns} - {"state", "facts"}
    values = {name: getattr(arrival, name) for name in names}
    values |= {"state": str(state), "facts": arrival.facts.to_json()}
    statement = _insert(connection, INSTANCE).on_conflict_do_nothing()
    return bool(connection.execute(statement, values).rowcount)


def _restore_deleted(connection: Connection, arrival: Arrival) -> None:
    """Retention had removed the file; now it is here again."""
    connection.execute(
        sa.update(INSTANCE)
        .where(
            INSTANCE.c.sop_instance_uid == arrival.sop_instance_uid,
            INSTANCE.c.digest == arrival.digest,
            INSTANCE.c.state == InstanceState.DELETED,
        )
        .values(state=str(InstanceState.STORED), path=arrival.path)
    )


def _has_other(connection: Connection, arrival: Arrival) -> bool:
    """Whether the SOP Instance UID is known with other bytes."""
    statement = sa.select(INSTANCE.c.digest).where(
        INSTANCE.c.sop_instance_uid == arrival.sop_instance_uid,
        INSTANCE.c.digest != arrival.digest,
    )
    return connection.execute(statement.limit(1)).first() is not None


def _is_own_result(connection: Connection, arrival: Arrival) -> bool:
    statement = sa.select(RESULT.c.job_id).where(
        (RESULT.c.sop_instance_uid == arrival.sop_instance_uid)
        | (RESULT.c.series_uid == arrival.series_uid)
    )
    return connection.execute(statement.limit(1)).first() is not None


def _touch(connection: Connection, arrival: Arrival) -> bool:
    """Show that the sender is busy with this series; False where the series has no row."""
    values: dict[str, object] = {"last_activity_at": arrival.received_at}
    if arrival.opens_series:
        values["open_associations"] = SERIES.c.open_associations + 1
    statement = sa.update(SERIES).where(SERIES.c.series_uid == arrival.series_uid).values(values)
    return bool(connection.execute(statement).rowcount)


def _reopen(connection: Connection, arrival: Arrival) -> bool:
    """Move the series to RECEIVING where that is its way; False where it has no row.

    After ACCEPTED the revision rises, and a person's "run it as it is" has been used up.
    """
    was_accepted = SERIES.c.state == SeriesState.ACCEPTED
    statement = (
        sa.update(SERIES)
        .where(SERIES.c.series_uid == arrival.series_uid)
        .values(
            state=sa.case(
                (SERIES.c.state.in_(_REOPENED), str(SeriesState.RECEIVING)), else_=SERIES.c.state
            ),
            revision=sa.case((was_accepted, SERIES.c.revision + 1), else_=SERIES.c.revision),
            is_forced=sa.case((was_accepted, 0), else_=SERIES.c.is_forced),
            last_instance_at=arrival.received_at,
            last_activity_at=arrival.received_at,
            open_associations=SERIES.c.open_associations + int(arrival.opens_series),
        )
    )
    return bool(connection.execute(statement).rowcount)


def _insert_series(
    connection: Connection, arrival: Arrival, state: SeriesState, decision: str
) -> None:
    connection.execute(
        sa.insert(SERIES),
        {
            "series_uid": arrival.series_uid,
            "study_uid": arrival.study_uid,
            "state": str(state),
            "revision": 1,
            "calling_ae_title": arrival.calling_ae_title,
            "called_ae_title": arrival.called_ae_title,
            "first_instance_at": arrival.received_at,
            "last_instance_at": arrival.received_at,
            "last_activity_at": arrival.received_at,
            "open_associations": int(arrival.opens_series),
            "decision": decision,
            "completeness": "{}",
            "description": arrival.description,
            "modality": arrival.facts.modality,
            "is_forced": 0,
        },
    )
