"""Queued objects that a later result of their series replaces: they are not sent any more.

While the later result is being made they wait; when it is there, they are withdrawn. What an
earlier attempt may have brought to the destination is asked for first: an object that is there is
delivered, and a person is told that it is outdated (`app.node.journal.outdated`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.errors import PeerRefusedError, PeerUnreachableError
from app.node.delivery.conditions import PeerCondition, Sent
from app.node.journal.replaced import REPLACED_BY
from app.node.journal.states import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.node.delivery.ledger import Ledger
    from app.node.delivery.sending import Correspondent
    from app.node.journal.parcels import Parcel

AWAIT_S: Final = 60.0
"""How often a replaced object looks what became of the run that is to replace it, s."""


def keep_back(ledger: Ledger, due: Sequence[Parcel]) -> list[Parcel]:
    """Withdraw what is superseded and was never tried; let wait what is about to be.

    Parameters
    ----------
    ledger : Ledger
        Where it is noted.
    due : sequence of Parcel
        Objects that are due.

    Returns
    -------
    list of Parcel
        The others: the destination has to be asked for, or sent, these.
    """
    rest = []
    for parcel in due:
        if parcel.state != DeliveryState.QUEUED or parcel.replaced_by is None:
            rest.append(parcel)
        elif not parcel.is_superseded:
            ledger.postponed([parcel], AWAIT_S, f"{REPLACED_BY}{parcel.replaced_by}")
        elif parcel.attempts == 0:
            ledger.withdrawn(parcel, parcel.replaced_by)
        else:
            rest.append(parcel)
    return rest


def ask_for(ledger: Ledger, to: Correspondent, tried: Sequence[Parcel]) -> Sent:
    """Ask for superseded objects that an earlier attempt may have brought to the destination.

    Parameters
    ----------
    ledger : Ledger
        Where the answers are noted.
    to : Correspondent
        Who may hold them.
    tried : sequence of Parcel
        Superseded objects in state QUEUED.

    Returns
    -------
    Sent
        What was learnt about the peer. One that answers no such question is taken not to hold
        them; one that cannot be reached is asked again, within the time allowed.
    """
    condition = PeerCondition.WORKS
    try:
        found = to.destination.holds(tried)
    except (PeerUnreachableError, PeerRefusedError) as error:
        name = error.reasons[0]
        if isinstance(error, PeerUnreachableError) or name.startswith("rejected_"):
            for parcel in tried:
                ledger.failed(parcel, name)
            ledger.tell_failed(name, max(one.attempts for one in tried) + 1)
            return Sent(condition=PeerCondition.FAILS, error=name)
        found, condition = None, PeerCondition.UNKNOWN
    for parcel in tried:
        if parcel.sop_instance_uid in (found or ()):
            ledger.delivered(parcel, to.destination.found_by)
        elif parcel.replaced_by is not None:
            ledger.withdrawn(parcel, parcel.replaced_by)
    return Sent(condition=condition)
