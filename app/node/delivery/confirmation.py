"""Whether a destination really holds what it acknowledged: asked by C-FIND where it offers that.

An acknowledged C-STORE is a promise; peers are known to break it. Only an object that the peer
lists counts as delivered. A peer without C-FIND is taken at its word, and the journal says so.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from app.errors import ContextRefusedError
from app.node.peers.query import find_instances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.node.journal.parcels import Parcel
    from app.node.peers.dimse import Patience
    from app.peer_settings import PeerSettings
    from app.settings import DeliverySettings


class Standing(Enum):
    """What the answer of a peer says of one object that it acknowledged."""

    FOUND = auto()
    TAKEN_AT_WORD = auto()
    """The peer offers no C-FIND."""
    NOT_YET = auto()
    MISSING = auto()
    """Acknowledged long ago and still not there: it must be sent again."""


def look_for(
    peer: PeerSettings, our_ae_title: str, parcels: Sequence[Parcel], patience: Patience
) -> frozenset[str] | None:
    """Ask which objects a peer holds.

    Parameters
    ----------
    peer : PeerSettings
        Whom to ask.
    our_ae_title : str
        Calling AE title.
    parcels : sequence of Parcel
        The objects of interest.
    patience : Patience
        Its limit on a message holds for a whole query.

    Returns
    -------
    frozenset of str or None
        SOP Instance UIDs; None: the peer offers no C-FIND.

    Raises
    ------
    PeerUnreachableError
        If the peer does not answer.
    PeerRefusedError
        If it refuses to answer.
    """
    if not peer.can_find:
        return None
    found: set[str] = set()
    for study_uid, series_uid in sorted({(one.study_uid, one.series_uid) for one in parcels}):
        try:
            found |= find_instances(
                peer, our_ae_title, study_uid, series_uid, timeout_s=patience.message_s
            )
        except ContextRefusedError:
            return None
    return frozenset(found)


def standing_of(
    parcel: Parcel, found: frozenset[str] | None, now: float, settings: DeliverySettings
) -> Standing:
    """Judge one acknowledged object.

    Parameters
    ----------
    parcel : Parcel
        The object.
    found : frozenset of str or None
        As `look_for` gives it.
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
