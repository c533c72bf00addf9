"""Storage commitment of what a destination acknowledged: the strongest confirmation there is.

The request goes out within an attempt. The report comes at any time, mostly to the listener, and
moves the deliveries by itself; the workflow that waits for it finds nothing left to do.
"""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Final

from app.errors import PeerRefusedError, PeerUnreachableError
from app.node.delivery.conditions import PeerCondition, Sent
from app.node.delivery.ledger import Ledger
from app.node.journal.engine import reading
from app.node.journal.parcels import parcels_asked
from app.node.peers.statuses import Answer, answer_of
from app.node.telemetry.events import COMMITMENT_REPORTED
from operators.dicom.identity.uids import derived_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Engine

    from app.node.journal.parcels import Parcel
    from app.node.peers.commitment import CommitmentReport
    from app.node.peers.destination import Destination
    from app.node.telemetry.logs import Emit
    from app.settings import DeliverySettings

COMMITTED: Final = "commitment"
"""Name of the confirmation."""
UNCOMMITTED: Final = "uncommitted_"
"""Begin of the error of an object that a peer did not commit; its failure reason follows."""

_NO_SUCH_INSTANCE: Final = 0x0112
_DUPLICATE_TRANSACTION: Final = 0x0131
_TOKEN_BYTES: Final = 16


def ask(ledger: Ledger, destination: Destination, acknowledged: Sequence[Parcel]) -> Sent | None:
    """Ask for the commitment of what was not asked for yet, or in vain for too long.

    Parameters
    ----------
    ledger : Ledger
        Where it is noted.
    destination : Destination
        Who is asked.
    acknowledged : sequence of Parcel
        Objects in state SENT that are due.

    Returns
    -------
    Sent or None
        What was learnt about the peer; None: it does not offer storage commitment.
    """
    due = [one for one in acknowledged if one.commit_asked_at is None or ledger.is_overdue(one)]
    for parcel in acknowledged:
        if parcel not in due:
            ledger.uncommitted(parcel)
    if not due:
        return Sent(condition=PeerCondition.UNKNOWN)
    transaction_uid = derived_uid("commitment", secrets.token_hex(_TOKEN_BYTES))
    ledger.asking(due, transaction_uid)
    try:
        is_offered = destination.commit(transaction_uid, due, partial(note, ledger))
    except (PeerUnreachableError, PeerRefusedError) as error:
        for parcel in due:
            ledger.unconfirmed(parcel, ledger.lateness(parcel) or error.reasons[0])
        ledger.tell_failed(error.reasons[0], max(one.attempts for one in due))
        return Sent(condition=PeerCondition.UNANSWERED, error=error.reasons[0])
    if not is_offered:
        return None
    ledger.asked(due)
    return Sent(condition=PeerCondition.WORKS)


def note(ledger: Ledger, report: CommitmentReport) -> None:
    """Note a report on a request of this attempt."""
    take_report(
        ledger.engine, report, settings=ledger.settings, clock=ledger.clock, emit=ledger.emit
    )


def take_report(
    engine: Engine,
    report: CommitmentReport,
    *,
    settings: DeliverySettings,
    clock: Callable[[], float],
    emit: Emit,
) -> int:
    """Move the deliveries that a report is about; one that nobody waits for moves nothing.

    Parameters
    ----------
    engine : Engine
        The journal.
    report : CommitmentReport
        As a peer sent it.
    settings : DeliverySettings
        When what failed is sent again.
    clock : callable
        Epoch seconds.
    emit : Emit
        The log.

    Returns
    -------
    int
        Deliveries it is about.

    Raises
    ------
    JournalError
        If the journal does not answer: the peer has to report again.
    """
    with reading(engine) as c:
        asked = parcels_asked(c, report.transaction_uid)
    for group, parcels in asked.items():
        ledger = Ledger(engine, group, settings, clock=clock, emit=emit)
        for parcel in parcels:
            _settle(ledger, parcel, report)
    count = sum(map(len, asked.values()))
    emit(
        COMMITMENT_REPORTED,
        count=count,
        committed=len(report.committed),
        failed=len(report.failed),
    )
    return count


def _settle(ledger: Ledger, parcel: Parcel, report: CommitmentReport) -> None:
    if parcel.sop_instance_uid in report.committed:
        ledger.delivered(parcel, COMMITTED)
    elif parcel.sop_instance_uid in report.failed:
        reason = report.failed[parcel.sop_instance_uid]
        name = f"{UNCOMMITTED}{reason:04X}"
        match _meaning(reason):
            case Answer.UNWANTED | Answer.REFUSED:
                ledger.dead(parcel, name, reason)
            case _:
                ledger.failed(parcel, name, reason)


def _meaning(reason: int) -> Answer:
    """Meaning of a failure reason (PS3.3, C.14.1.1): what is not there is sent again."""
    again = {_NO_SUCH_INSTANCE, _DUPLICATE_TRANSACTION}
    return Answer.RETRY if reason in again else answer_of(reason)
