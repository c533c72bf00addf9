"""Whether a destination really holds what it acknowledged: asked where it can be.

An acknowledgement is a promise; peers are known to break it. Only an object that the peer lists
counts as delivered. A peer that cannot be asked is taken at its word, and the journal says so.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.node.journal.parcels import Parcel
    from app.settings import DeliverySettings


class Standing(Enum):
    """What the answer of a peer says of one object that it acknowledged."""

    FOUND = auto()
    TAKEN_AT_WORD = auto()
    """The peer cannot be asked."""
    NOT_YET = auto()
    MISSING = auto()
    """Acknowledged long ago and still not there: it must be sent again."""


def standing_of(
    parcel: Parcel, found: frozenset[str] | None, now: float, settings: DeliverySettings
) -> Standing:
    """Judge one acknowledged object.

    Parameters
    ----------
    parcel : Parcel
        The object.
    found : frozenset of str or None
        As `app.node.peers.destination.Destination.holds` gives it.
    now : float
        Epoch seconds.
    settings : DeliverySettings
        How long the peer may need.

    Returns
    -------
    Standing
        What to do is up to the caller.
    """
    if found is None:
        return Standing.TAKEN_AT_WORD
    if parcel.sop_instance_uid in found:
        return Standing.FOUND
    since_sent_s = now - (parcel.sent_at if parcel.sent_at is not None else now)
    return Standing.MISSING if since_sent_s > settings.confirm_deadline_s else Standing.NOT_YET
