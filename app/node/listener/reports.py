"""Reports on storage commitment that peers send on an association of their own (PS3.4, J.3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.errors import ObjectNotUnderstoodError, crash_line
from app.node.listener.statuses import INVALID_ARGUMENT, PROCESSING_FAILURE, SUCCESS
from app.node.peers.commitment import report_of
from app.node.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from pynetdicom import evt

    from app.node.peers.commitment import CommitmentReport
    from app.node.telemetry.logs import Emit


def answer_report(
    event: evt.Event, take_report: Callable[[CommitmentReport], int], emit: Emit
) -> tuple[int, None]:
    """Answer an N-EVENT-REPORT: 0x0000 when it is in the journal.

    Parameters
    ----------
    event : evt.Event
        Of pynetdicom.
    take_report : callable
        Notes the report.
    emit : Emit
        The log.

    Returns
    -------
    tuple of int and None
        DIMSE status; there is no event reply. A request that nobody waits for any more is answered
        0x0000, too: to repeat the report would change nothing.
    """
    try:
        take_report(report_of(event.event_information))
    except ObjectNotUnderstoodError:
        return INVALID_ARGUMENT, None
    except Exception as error:  # noqa: BLE001 - the border to the peer
        emit(events.INTERNAL_ERROR, role="listener", place=crash_line(error))
        return PROCESSING_FAILURE, None
    return SUCCESS, None
