"""C-STORE from the first byte of an object to the answer about it.

The answer 0x0000 is a promise: the data set's bytes, the file's name and its row in the journal
are on the disk (fsync of the file, fsync of its folder, commit) before it is given.
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING, Final

from app.errors import ObjectMismatchError, ObjectNotUnderstoodError, crash_line
from app.node.archive.header import read_header
from app.node.archive.incoming import DroppedObject
from app.node.archive.raw_values import is_uid
from app.node.journal.arrivals import Arrival, ArrivalOutcome
from app.node.journal.associations import AssociationRecord
from app.node.listener.association_log import rejected_contexts, tidy_title
from app.node.listener.reports import answer_report
from app.node.listener.statuses import (
    OUTCOMES,
    SUCCESS,
    status_of,
)
from app.node.telemetry import events
from app.node.telemetry.logs import key_of
from operators.errors import SpineError

if TYPE_CHECKING:
    from pynetdicom import evt
    from pynetdicom.presentation import PresentationContext

    from app.node.archive.header import ArrivedHeader
    from app.node.archive.incoming import IncomingFile
    from app.node.archive.patient_header import RawPatient
    from app.node.journal.associations import RejectedContext
    from app.node.journal.patients import PatientAttributes
    from app.node.listener.admission import Refusal
    from app.node.listener.handling import Offer
    from app.node.listener.services import ListenerServices

_ID_BYTES: Final = 8


class StorageHandler:
    """One association with one peer: what it is called, and which series it sent objects of.

    Parameters
    ----------
    services : ListenerServices
        Shared parts.
    address : str
        IP address of the peer.
    names : frozenset of str
        Of the certificate that it has shown.
    """

    def __init__(
        self, services: ListenerServices, address: str, names: frozenset[str] = frozenset()
    ) -> None:
        self._services = services
        self._address = address
        self._names = names
        self._id = secrets.token_hex(_ID_BYTES)
        self._calling = ""
        self._called = ""
        self._is_inside = False
        self._is_noted = False
        self._began_at = services.clock()
        self._contexts: tuple[int, tuple[RejectedContext, ...]] = (0, ())
        self._statuses: Counter[str] = Counter()
        self._series: set[str] = set()
        self._patients: dict[str, RawPatient] = {}

    def admit(self, calling: str, called: str) -> Refusal | None:
        """Let the peer in, or say why not."""
        self._calling, self._called = tidy_title(calling), tidy_title(called)
        refusal = self._services.admission.enter(
            calling=calling, called=called, address=self._address, names=self._names
        )
        if refusal is None:
            self._is_inside = True
        else:
            peer = self._services.peer_names.get(calling, "unknown")
            self._services.emit(
                events.ASSOCIATION_REFUSED,
                reason=refusal.reason,
                peer=peer,
                calling=self._calling,
                called=self._called,
                address=self._address,
            )
            self._note(refusal.reason)
        return refusal

    def tls_failed(self, reason: str) -> None:
        """Put on record that no TLS connection came about."""
        self._services.emit(events.TLS_FAILED, reason=reason, address=self._address)
        self._note("tls_failed")

    def agree(self, accepted: int, rejected: list[PresentationContext]) -> None:
        """Keep what was negotiated, for the record of the association."""
        self._contexts = (accepted, rejected_contexts(rejected))

    def leave(self, *, is_released: bool) -> None:
        """Note the end of the association; not released: the peer died, or gave up."""
        if not self._is_inside:
            self._note("request_not_understood")
            return
        self._is_inside = False
        self._services.admission.leave(self._address)
        accepted, rejected = self._contexts
        if rejected and not accepted:
            self._note("nothing_accepted")
        else:
            self._note("released" if is_released else "broken_off")
        if self._series:
            series_uids = frozenset(self._series)
            self._services.recorder.end(
                series_uids, self._services.clock(), is_released=is_released
            )
        elif self._statuses:
            self._services.recorder.flush()

    def _note(self, outcome: str) -> None:
        """Put the association on record, once."""
        if self._is_noted:
            return
        self._is_noted = True
        accepted, rejected = self._contexts
        self._services.recorder.note(
            AssociationRecord(
                association_id=self._id,
                began_at=self._began_at,
                ended_at=self._services.clock(),
                calling_ae_title=self._calling,
                called_ae_title=self._called,
                peer_address=self._address,
                outcome=outcome,
                accepted_contexts=accepted,
                rejected_contexts=rejected,
                objects=self._statuses.total(),
                statuses=dict(self._statuses),
            )
        )

    def begin(self, offer: Offer) -> IncomingFile | DroppedObject:
        """Open the file for an object whose data set is about to come."""
        if {offer.sop_class_uid, offer.abstract_syntax_uid} <= self._services.dropped_classes:
            return DroppedObject()
        return self._services.spool.receive(
            sop_class_uid=offer.sop_class_uid,
            sop_instance_uid=offer.sop_instance_uid,
            transfer_syntax_uid=offer.transfer_syntax_uid,
            reserve=self._services.reserve,
        )

    def store(self, offer: Offer, incoming: IncomingFile | DroppedObject | None) -> int:
        """Answer a C-STORE.

        Parameters
        ----------
        offer : Offer
            What the request announces.
        incoming : IncomingFile, DroppedObject or None
            The received data set; None: there was none.

        Returns
        -------
        int
            DIMSE status (`app.node.listener.statuses`).
        """
        status = self._status_for(offer, incoming)
        self._statuses[f"{status:04X}"] += 1
        return status

    def report(self, event: evt.Event) -> tuple[int, None]:
        """Answer an N-EVENT-REPORT (`app.node.listener.reports`)."""
        return answer_report(event, self._services.take_report, self._services.emit)

    def _status_for(self, offer: Offer, incoming: IncomingFile | DroppedObject | None) -> int:
        if isinstance(incoming, DroppedObject):
            self._services.recorder.count("dropped")
            return SUCCESS
        try:
            return OUTCOMES[self._keep(offer, incoming)]
        except SpineError as error:
            return self._refuse(error, error.code)
        except Exception as error:  # noqa: BLE001 - the border to the sender
            self._services.emit(events.INTERNAL_ERROR, role="listener", place=crash_line(error))
            return self._refuse(error, SpineError.code)

    def _keep(self, offer: Offer, incoming: IncomingFile | None) -> ArrivalOutcome:
        if incoming is None or not is_uid(offer.sop_instance_uid):
            raise ObjectNotUnderstoodError
        if not incoming.data_bytes:
            raise ObjectNotUnderstoodError
        header = read_header(bytes(incoming.head), offer.transfer_syntax_uid, incoming.reopen)
        _compare(offer, header)
        is_quarantined = not (
            header.is_whole
            and header.series_uid
            and header.study_uid
            and header.sop_instance_uid
            and header.sop_class_uid
        )
        series_uid = "" if is_quarantined else header.series_uid
        file = self._services.spool.keep(
            incoming, series_uid=series_uid, sop_instance_uid=offer.sop_instance_uid
        )
        arrival = Arrival(
            sop_instance_uid=offer.sop_instance_uid,
            sop_class_uid=offer.sop_class_uid,
            transfer_syntax_uid=offer.transfer_syntax_uid,
            digest=file.digest,
            series_uid=series_uid,
            study_uid=header.study_uid,
            path=file.path,
            size_bytes=file.size_bytes,
            calling_ae_title=self._calling,
            called_ae_title=self._called,
            peer_address=self._address,
            association_id=self._id,
            received_at=self._services.clock(),
            facts=header.facts,
            description=header.description,
            is_quarantined=is_quarantined,
            opens_series=bool(series_uid) and series_uid not in self._series,
            patient=None if is_quarantined else self._patient_of(header),
        )
        outcome = self._services.recorder.record(arrival, file.folder)
        if series_uid and outcome is not ArrivalOutcome.OWN_RESULT:
            self._series.add(series_uid)
        if series_uid:
            self._patients[header.study_uid] = header.patient
        self._tell(outcome, arrival)
        return outcome

    def _patient_of(self, header: ArrivedHeader) -> PatientAttributes | None:
        """Whom a study is about, where that is kept and the object before did not say the same."""
        is_said = self._patients.get(header.study_uid) == header.patient
        return header.patient.decoded() if self._services.keeps_patients and not is_said else None

    def _tell(self, outcome: ArrivalOutcome, arrival: Arrival) -> None:
        emit = self._services.emit
        key = key_of(arrival.series_uid, self._services.secret)
        if outcome is ArrivalOutcome.QUARANTINED:
            emit(events.OBJECT_QUARANTINED, reason="identifiers_unreadable")
        elif outcome is ArrivalOutcome.NEW:
            emit(events.OBJECT_STORED, series=key, size_bytes=arrival.size_bytes)
        else:
            emit(_TOLD[outcome], series=key)

    def _refuse(self, error: Exception, code: str) -> int:
        status = status_of(error)
        label = f"{status:04X}"
        self._services.recorder.count(f"refused_{label}")
        self._services.emit(
            events.OBJECT_REFUSED, status=f"0x{label}", reason=type(error).__name__, code=code
        )
        return status


_TOLD: Final = {
    ArrivalOutcome.DUPLICATE: events.OBJECT_DUPLICATE,
    ArrivalOutcome.CHANGED: events.OBJECT_CHANGED,
    ArrivalOutcome.OWN_RESULT: events.OWN_RESULT_RETURNED,
}


def _compare(offer: Offer, header: ArrivedHeader) -> None:
    """Hold the data set against the request; what the data set does not say is no mismatch."""
    pairs = (
        (offer.abstract_syntax_uid, offer.sop_class_uid),
        (header.sop_class_uid, offer.sop_class_uid),
        (header.sop_instance_uid, offer.sop_instance_uid),
    )
    if any(said and said != announced for said, announced in pairs):
        raise ObjectMismatchError
