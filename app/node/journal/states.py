"""The states of a series, a job and a delivery, and every move that is allowed.

The tables are the documentation: a move that is not in them raises, whoever asks for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping


class InstanceState(StrEnum):
    """What an acknowledged object is to the node."""

    STORED = "stored"
    """A part of its series."""
    QUARANTINED = "quarantined"
    """Kept byte for byte, but unusable for segmentation (identifiers missing or unreadable)."""
    DELETED = "deleted"
    """Its file was removed by retention; the row stays as the memory that it was here."""


class SeriesState(StrEnum):
    """Where a series stands between arrival and work."""

    RECEIVING = "receiving"
    """Objects may still come; completeness is neither proven nor assumed."""
    HELD = "held"
    """Incomplete after the deadline: waits for objects or for a person."""
    REJECTED = "rejected"
    """Complete, but not a sagittal T2w spine series; the decision names the reasons."""
    ACCEPTED = "accepted"
    """Complete and selected: a job exists for this revision."""
    DISCARDED = "discarded"
    """A person said: do not run it."""


class JobState(StrEnum):
    """The life of one segmentation."""

    WAITING = "waiting"
    """Made, not yet given to the engine."""
    QUEUED = "queued"
    """The engine has it."""
    RUNNING = "running"
    """A worker has begun it."""
    SUCCEEDED = "succeeded"
    """Results are on disk and their deliveries are planned."""
    REFUSED = "refused"
    """The images permit no result (geometry, pixels, no spine); repeating changes nothing."""
    DEAD = "dead"
    """Every attempt failed: waits for a person."""
    CANCELLED = "cancelled"
    """A person stopped it."""


class DeliveryState(StrEnum):
    """The life of one object on its way to one destination."""

    HELD = "held"
    """Waits for a person's release."""
    QUEUED = "queued"
    """To be sent now or at its next attempt."""
    SENT = "sent"
    """The peer answered success; not yet found there by C-FIND."""
    DELIVERED = "delivered"
    """Confirmed."""
    PARKED = "parked"
    """The peer does not take this kind of object: waits for a person, raises an alert."""
    DEAD = "dead"
    """Refused for good or not delivered within the time allowed: waits for a person."""
    DISCARDED = "discarded"
    """A person said: do not send it."""
    DECLINED = "declined"
    """The peer does not take this kind of object, and need not: nothing to do."""


SERIES_MOVES: Final[dict[SeriesState, frozenset[SeriesState]]] = {
    SeriesState.RECEIVING: frozenset(
        {
            SeriesState.HELD,
            SeriesState.REJECTED,
            SeriesState.ACCEPTED,
            SeriesState.DISCARDED,
        }
    ),
    SeriesState.HELD: frozenset({SeriesState.RECEIVING, SeriesState.DISCARDED}),
    SeriesState.REJECTED: frozenset({SeriesState.RECEIVING, SeriesState.DISCARDED}),
    SeriesState.ACCEPTED: frozenset({SeriesState.RECEIVING, SeriesState.DISCARDED}),
    SeriesState.DISCARDED: frozenset({SeriesState.RECEIVING}),
}
"""State of a series -> states that may follow."""

JOB_MOVES: Final[dict[JobState, frozenset[JobState]]] = {
    JobState.WAITING: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset(
        {JobState.RUNNING, JobState.CANCELLED, JobState.DEAD, JobState.WAITING}
    ),
    JobState.RUNNING: frozenset(
        {
            JobState.RUNNING,
            JobState.SUCCEEDED,
            JobState.REFUSED,
            JobState.DEAD,
            JobState.CANCELLED,
            JobState.WAITING,
        }
    ),
    JobState.SUCCEEDED: frozenset({JobState.WAITING}),
    JobState.REFUSED: frozenset({JobState.WAITING}),
    JobState.DEAD: frozenset({JobState.WAITING}),
    JobState.CANCELLED: frozenset({JobState.WAITING}),
}
"""State of a job -> states that may follow. Anything -> WAITING is a replay by a person."""

DELIVERY_MOVES: Final[dict[DeliveryState, frozenset[DeliveryState]]] = {
    DeliveryState.HELD: frozenset({DeliveryState.QUEUED, DeliveryState.DISCARDED}),
    DeliveryState.QUEUED: frozenset(
        {
            DeliveryState.SENT,
            DeliveryState.DELIVERED,
            DeliveryState.PARKED,
            DeliveryState.DEAD,
            DeliveryState.DISCARDED,
            DeliveryState.DECLINED,
            DeliveryState.QUEUED,
        }
    ),
    DeliveryState.SENT: frozenset(
        {
            DeliveryState.DELIVERED,
            DeliveryState.QUEUED,
            DeliveryState.DEAD,
            DeliveryState.DISCARDED,
        }
    ),
    DeliveryState.DELIVERED: frozenset({DeliveryState.QUEUED}),
    DeliveryState.PARKED: frozenset({DeliveryState.QUEUED, DeliveryState.DISCARDED}),
    DeliveryState.DEAD: frozenset({DeliveryState.QUEUED, DeliveryState.DISCARDED}),
    DeliveryState.DISCARDED: frozenset({DeliveryState.QUEUED}),
    DeliveryState.DECLINED: frozenset({DeliveryState.QUEUED}),
}
"""State of a delivery -> states that may follow."""

MOVES: Final[dict[type[StrEnum], Mapping[StrEnum, frozenset[StrEnum]]]] = {
    SeriesState: cast("Mapping[StrEnum, frozenset[StrEnum]]", SERIES_MOVES),
    JobState: cast("Mapping[StrEnum, frozenset[StrEnum]]", JOB_MOVES),
    DeliveryState: cast("Mapping[StrEnum, frozenset[StrEnum]]", DELIVERY_MOVES),
}
"""The table of every kind. One table for all would lose rows: ``"held"`` of a series and of a
delivery are equal as strings, hence one key."""


def origins_of(target: StrEnum) -> tuple[str, ...]:
    """States from which `target` may be reached.

    Parameters
    ----------
    target : StrEnum
        A state of a series, a job or a delivery.

    Returns
    -------
    tuple of str
        For the WHERE clause of the update that makes the move: whoever comes second finds no row.

    Examples
    --------
    >>> origins_of(SeriesState.HELD)
    ('receiving',)
    """
    moves = MOVES[type(target)]
    return tuple(str(state) for state, targets in moves.items() if target in targets)
