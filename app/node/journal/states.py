"""The states of a series, a job and a delivery, and what an event makes of each.

The tables are complete: an event that a state does not have there changes nothing. Every change of
a state goes through `app.node.journal.moves`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

State = TypeVar("State", bound=StrEnum)


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
    """The peer answered success; not yet confirmed."""
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


class SeriesEvent(StrEnum):
    """What happens to a series."""

    ARRIVE = "arrive"
    """One more object of it."""
    HOLD = "hold"
    """Its deadline passed, and it is incomplete."""
    REJECT = "reject"
    """Complete, and the selection says no."""
    ACCEPT = "accept"
    """Complete, and the selection says yes."""
    FORCE = "force"
    """A person says: run it as it is."""
    DISCARD = "discard"
    """A person says: do not run it."""


class JobEvent(StrEnum):
    """What happens to a job."""

    ENQUEUE = "enqueue"
    """The engine has taken it."""
    BEGIN = "begin"
    """A worker begins it, or goes on with one whose worker was lost; the engine may start a job
    before its enqueuer noted that the engine has it."""
    DROP = "drop"
    """Its workflow ended without settling it."""
    REQUEUE = "requeue"
    """The engine lost or dropped this run: the next one."""
    HASTEN = "hasten"
    """A person has it begin before every other one: given to the engine anew."""
    SUCCEED = "succeed"
    """Its results are on the disk."""
    REFUSE = "refuse"
    """Its images permit no result."""
    FAIL = "fail"
    """No attempt is left."""
    CANCEL = "cancel"
    """A person, or newer content of its series, cancels it before it runs."""
    STOP = "stop"
    """Its worker obeys a request to cancel it."""
    REPLAY = "replay"
    """A person has it run again."""


class DeliveryEvent(StrEnum):
    """What happens to a delivery."""

    WITHHOLD = "withhold"
    """The quality gate holds back what was just planned."""
    RELEASE = "release"
    """A person says: send it."""
    ACKNOWLEDGE = "acknowledge"
    """The peer answered success."""
    CONFIRM = "confirm"
    """The peer holds it, or is taken at its word."""
    RETRY = "retry"
    """An attempt failed, or the peer does not hold what it acknowledged."""
    PARK = "park"
    """The peer does not take this kind of object."""
    DECLINE = "decline"
    """The peer does not take this kind of object, and need not."""
    GIVE_UP = "give_up"
    """Refused for good, or the time allowed is over."""
    WITHDRAW = "withdraw"
    """A later result of its series replaces it before it was sent."""
    DISCARD = "discard"
    """A person says: do not send it."""
    RESEND = "resend"
    """A person says: send it again."""


@dataclass(frozen=True, slots=True)
class Move(Generic[State]):
    """What an event does: from any of `origins` to `target`; other states stay as they are."""

    origins: tuple[State, ...]
    target: State


_S, _J, _D = SeriesState, JobState, DeliveryState

SERIES_MOVES: Final[dict[SeriesEvent, Move[SeriesState]]] = {
    # DISCARDED stays where an object arrives: a person said so.
    SeriesEvent.ARRIVE: Move((_S.HELD, _S.REJECTED, _S.ACCEPTED), _S.RECEIVING),
    SeriesEvent.HOLD: Move((_S.RECEIVING,), _S.HELD),
    SeriesEvent.REJECT: Move((_S.RECEIVING,), _S.REJECTED),
    SeriesEvent.ACCEPT: Move((_S.RECEIVING,), _S.ACCEPTED),
    # A person cannot overrule the selection: the pipeline itself would refuse a rejected series.
    SeriesEvent.FORCE: Move((_S.RECEIVING, _S.HELD, _S.DISCARDED), _S.RECEIVING),
    SeriesEvent.DISCARD: Move((_S.RECEIVING, _S.HELD, _S.REJECTED, _S.ACCEPTED), _S.DISCARDED),
}

JOB_MOVES: Final[dict[JobEvent, Move[JobState]]] = {
    JobEvent.ENQUEUE: Move((_J.WAITING,), _J.QUEUED),
    JobEvent.BEGIN: Move((_J.WAITING, _J.QUEUED, _J.RUNNING), _J.RUNNING),
    JobEvent.DROP: Move((_J.QUEUED, _J.RUNNING), _J.RUNNING),
    JobEvent.REQUEUE: Move((_J.QUEUED, _J.RUNNING), _J.WAITING),
    JobEvent.HASTEN: Move((_J.WAITING, _J.QUEUED), _J.WAITING),
    JobEvent.SUCCEED: Move((_J.RUNNING,), _J.SUCCEEDED),
    JobEvent.REFUSE: Move((_J.RUNNING,), _J.REFUSED),
    JobEvent.FAIL: Move((_J.RUNNING,), _J.DEAD),
    JobEvent.CANCEL: Move((_J.WAITING, _J.QUEUED), _J.CANCELLED),
    JobEvent.STOP: Move((_J.RUNNING,), _J.CANCELLED),
    JobEvent.REPLAY: Move((_J.SUCCEEDED, _J.REFUSED, _J.DEAD, _J.CANCELLED), _J.WAITING),
}

DELIVERY_MOVES: Final[dict[DeliveryEvent, Move[DeliveryState]]] = {
    DeliveryEvent.WITHHOLD: Move((_D.QUEUED, _D.HELD), _D.HELD),
    DeliveryEvent.RELEASE: Move((_D.HELD,), _D.QUEUED),
    DeliveryEvent.ACKNOWLEDGE: Move((_D.QUEUED,), _D.SENT),
    DeliveryEvent.CONFIRM: Move((_D.QUEUED, _D.SENT), _D.DELIVERED),
    DeliveryEvent.RETRY: Move((_D.QUEUED, _D.SENT), _D.QUEUED),
    DeliveryEvent.PARK: Move((_D.QUEUED,), _D.PARKED),
    DeliveryEvent.DECLINE: Move((_D.QUEUED,), _D.DECLINED),
    DeliveryEvent.GIVE_UP: Move((_D.QUEUED, _D.SENT), _D.DEAD),
    DeliveryEvent.WITHDRAW: Move((_D.HELD, _D.QUEUED), _D.DISCARDED),
    DeliveryEvent.DISCARD: Move((_D.HELD, _D.QUEUED, _D.SENT, _D.PARKED, _D.DEAD), _D.DISCARDED),
    DeliveryEvent.RESEND: Move(
        (_D.QUEUED, _D.SENT, _D.DELIVERED, _D.PARKED, _D.DEAD, _D.DISCARDED, _D.DECLINED),
        _D.QUEUED,
    ),
}
