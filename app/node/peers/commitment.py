"""Storage commitment, push model (PS3.4, annex J): the request, and the report on it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.presentation import build_context

from app.errors import ContextRefusedError, ObjectNotUnderstoodError, PeerRefusedError
from app.node.peers.dimse import PATIENT, SUCCESS, association, status_of
from operators.dicom.reading.frames import PARSE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from app.node.peers.dimse import Patience, Peer

PUSH_MODEL: Final = UID("1.2.840.10008.1.20.1")
"""Storage Commitment Push Model SOP Class."""

_PUSH_MODEL_INSTANCE: Final = UID("1.2.840.10008.1.20.1.1")
_REQUEST: Final = 1
"""Action type: request storage commitment (PS3.4, table J.3.1-1)."""
_PROCESSING_FAILURE: Final = 0x0110


class Committable(Protocol):
    """How a request names an object; `app.node.journal.parcels.Parcel` is one."""

    @property
    def sop_class_uid(self) -> str:
        """SOP Class UID."""

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID."""


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What a peer reports on a request (PS3.4, table J.3.3-1).

    Attributes
    ----------
    transaction_uid : str
        Of the request.
    committed : frozenset of str
        SOP Instance UIDs that it keeps.
    failed : mapping
        SOP Instance UID -> failure reason.
    """

    transaction_uid: str
    committed: frozenset[str] = frozenset()
    failed: Mapping[str, int] = field(default_factory=dict)


def request_commitment(
    peer: Peer,
    our_ae_title: str,
    transaction_uid: str,
    objects: Sequence[Committable],
    *,
    on_report: Callable[[CommitmentReport], None],
    patience: Patience = PATIENT,
) -> bool:
    """N-ACTION: ask a peer to commit the storage of objects.

    Parameters
    ----------
    peer : Peer
        Whom to ask; it reports to the address under which it knows our AE title.
    our_ae_title : str
        Calling AE title.
    transaction_uid : str
        New for every request.
    objects : sequence of Committable
        The objects.
    on_report : callable
        Told a report that comes on the same association, from another thread.
    patience : Patience
        Limits on every wait.

    Returns
    -------
    bool
        Whether it took the request; False: it does not offer the service.

    Raises
    ------
    PeerUnreachableError
        If the peer does not answer.
    PeerRefusedError
        If it rejects the association or the request.
    """
    reported, answered = threading.Event(), threading.Event()

    def take(event: evt.Event) -> tuple[int, None]:
        on_report(report_of(event.event_information))
        reported.set()
        return SUCCESS, None

    def see(event: evt.Event) -> None:
        # The association must not end between the report and our answer to it.
        if reported.is_set() and isinstance(event.pdu, P_DATA_TF):
            answered.set()

    contexts = [build_context(PUSH_MODEL)]
    handlers = [(evt.EVT_N_EVENT_REPORT, take), (evt.EVT_PDU_SENT, see)]
    try:
        with association(peer, our_ae_title, contexts, patience, handlers=handlers) as open_one:
            request = _request(transaction_uid, objects)
            answer, _ = open_one.send_n_action(request, _REQUEST, PUSH_MODEL, _PUSH_MODEL_INSTANCE)
            status = status_of(answer)
            if status != SUCCESS:
                raise PeerRefusedError(
                    f"the peer answered N-ACTION with 0x{status:04X}",
                    reasons=(f"status_{status:04X}",),
                )
            answered.wait(patience.report_s)
    except ContextRefusedError:
        return False
    return True


def report_of(information: Dataset) -> CommitmentReport:
    """Read a report; an object that is listed as failed and as committed has failed.

    Parameters
    ----------
    information : Dataset
        Event Information of an N-EVENT-REPORT.

    Returns
    -------
    CommitmentReport
        Objects without a failure reason have failed with 0x0110, processing failure.

    Raises
    ------
    ObjectNotUnderstoodError
        If it is none.
    """
    try:
        failed = {
            str(item.ReferencedSOPInstanceUID): int(
                item.get("FailureReason") or _PROCESSING_FAILURE
            )
            for item in information.get("FailedSOPSequence") or ()
        }
        stored = {
            str(item.ReferencedSOPInstanceUID)
            for item in information.get("ReferencedSOPSequence") or ()
        }
        transaction_uid = str(information.TransactionUID)
    except PARSE_ERRORS as error:
        raise ObjectNotUnderstoodError from error
    return CommitmentReport(transaction_uid, frozenset(stored - failed.keys()), failed)


def _request(transaction_uid: str, objects: Sequence[Committable]) -> Dataset:
    request = Dataset()
    request.TransactionUID = transaction_uid
    items = []
    for one in objects:
        item = Dataset()
        item.ReferencedSOPClassUID = one.sop_class_uid
        item.ReferencedSOPInstanceUID = one.sop_instance_uid
        items.append(item)
    request.ReferencedSOPSequence = items
    return request
