"""One association: pynetdicom's, with the parts replaced by which a peer could harm the node.

Against pynetdicom 3.0.4 as it comes: a peer names the length of a PDU and gets that much memory; a
peer that stops within a PDU holds its threads for ever; received objects are kept in memory, or in
files that nobody removes when the sender dies; an error in a command set leaves a traceback and an
open socket; timers follow the wall clock when it jumps; two threads per association look for work
a thousand times a second each, and an object waits for both.
"""

from __future__ import annotations

import queue
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, N_EVENT_REPORT_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AddressInformation

from app.node.listener.handling import Offer
from app.node.listener.responses import store_response
from app.node.listener.upper_layer import Pace, PduSocket, UpperLayer, make_lively
from operators.dicom.reading.frames import PARSE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.presentation import PresentationContext

    from app.node.archive.incoming import DroppedObject, IncomingFile
    from app.node.listener.handling import AssociationHandler
    from app.node.listener.transport import TransportConnection


_IS_COMMAND: Final = 1
_IS_LAST: Final = 2
"""Bits of the message control header (DICOM PS3.8, E.2)."""
_LONGEST_IN_MEMORY: Final = 1 << 20
"""Command and data set of a message that is no C-STORE, bytes: a report on 1000s of objects."""
MOST_REPORTS: Final = 256
"""On storage commitment, in one association."""
_ABORT: Final = "Evt19"
"""Event of the upper layer: invalid PDU received, abort (DICOM PS3.8, table 9-10)."""


class AcceptedAssociation(Association):
    """An association that a peer has asked for.

    Parameters
    ----------
    entity : ApplicationEntity
        Our side: title, time-outs, limits.
    transport : TransportConnection
        Connection whose A-ASSOCIATE-RQ has come.
    contexts : list of PresentationContext
        What is supported; shared and never changed.
    handler : AssociationHandler
        Decides and stores.
    """

    def __init__(
        self,
        entity: ApplicationEntity,
        *,
        transport: TransportConnection,
        contexts: list[PresentationContext],
        handler: AssociationHandler,
    ) -> None:
        super().__init__(entity, MODE_ACCEPTOR)
        self.handler = handler
        self.acse = _Negotiation(self)
        self.dimse = self.objects = _ObjectStream(self)
        self.dul = UpperLayer(self, self.objects.take)
        # Setting a time-out passes it on to the upper layer, which is a new one.
        self.acse_timeout = entity.acse_timeout
        self.network_timeout = entity.network_timeout
        connection = transport.connection
        make_lively(connection, entity.network_timeout)
        self._pdus = PduSocket(self, connection, transport.head)
        self.set_socket(self._pdus)
        here = connection.getsockname()
        self.acceptor.ae_title = entity.ae_title
        self.acceptor.maximum_length = entity.maximum_pdu_size
        self.acceptor.implementation_class_uid = entity.implementation_class_uid
        self.acceptor.implementation_version_name = entity.implementation_version_name
        self.acceptor.supported_contexts = contexts
        self.acceptor.address_info = AddressInformation(here[0], here[1])
        self.requestor.address_info = AddressInformation(transport.address, 0)
        for event in self.get_events():
            # What pynetdicom does for its own log: it would name identifiers, and it takes time.
            if event.is_notification:
                self._handlers[event] = []
        self.bind(evt.EVT_N_EVENT_REPORT, handler.report)
        self._reactor_checkpoint = Pace()
        self._reactor_checkpoint.set()

    def kill(self) -> None:
        """End the association; what has been queued for the peer is still sent."""
        if self._pdus.is_reading and self._pdus.socket is not None:
            # The peer stopped within a PDU: the upper layer must not wait for the rest of it.
            with suppress(OSError):
                # Past TLS, which another thread is reading.
                socket.socket.shutdown(self._pdus.socket, socket.SHUT_RD)
        super().kill()

    def serve(self) -> None:
        """Run the association to its end in this thread."""
        connection = self._pdus.socket
        try:
            self.run_reactor()
        finally:
            self.kill()
            self.objects.discard()
            self._pdus.forget()
            if connection is not None:
                connection.close()


class _Negotiation(ACSE):
    """Asks the handler first; an error on the way closes the connection."""

    def negotiate_association(self) -> None:
        association = self.assoc
        if not isinstance(association, AcceptedAssociation):
            raise TypeError(type(association).__name__)
        request = self.requestor.primitive
        calling = str(getattr(request, "calling_ae_title", None) or "").strip()
        called = str(getattr(request, "called_ae_title", None) or "").strip()
        refusal = association.handler.admit(calling, called)
        if refusal is not None:
            self.send_reject(refusal.result, refusal.source, refusal.diagnostic)
            association.kill()
            return
        # The peer hears the title it called, whichever of ours it is.
        super().negotiate_association()
        association.handler.agree(len(association.accepted_contexts), association.rejected_contexts)


class _ObjectStream(DIMSEServiceProvider):
    """Writes data sets of C-STORE requests to files as they arrive, and answers at the end.

    All of it happens in the thread that reads the connection: an object waits for no other
    thread, and while one is being made durable the peer's next bytes wait in the kernel.
    """

    def __init__(self, assoc: AcceptedAssociation) -> None:
        super().__init__(assoc)
        self._handler = assoc.handler
        self._offer: Offer | None = None
        self._incoming: IncomingFile | DroppedObject | None = None
        self._reported: DIMSEMessage | None = None
        self._reports = 0
        self.msg_queue = _Messages(self._answer)

    def take(self, context_id: int, control: int, data: memoryview) -> None:
        """Take a fragment of a command or a data set (DICOM PS3.8, E.2).

        Raises
        ------
        Exception
            One of `PARSE_ERRORS`, where it is no part of a message that can be understood.
        """
        rest: bytes | memoryview = data
        if self._incoming is not None and not control & _IS_COMMAND:
            self._incoming.write(data)
            if not control & _IS_LAST:
                return
            # pynetdicom is told the end only.
            rest = b""
        part = P_DATA()
        part.presentation_data_value_list.append((context_id, bytes([control]) + bytes(rest)))
        super().receive_primitive(part)
        self._await_data_set()

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of a PDU, one by one."""
        try:
            for context_id, value in primitive.presentation_data_value_list:
                self.take(context_id, value[0], memoryview(value)[1:])
        except PARSE_ERRORS:
            self.dul.event_queue.put(_ABORT)

    def discard(self) -> None:
        """Remove what is left of an object whose sender is gone."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.discard()

    def _await_data_set(self) -> None:
        message = self.message
        if message is None:
            return
        if not isinstance(message, C_STORE_RQ):
            self._bound(message)
            return
        if message._data_set_file is not None:  # noqa: SLF001 - pynetdicom's way to write to a file
            return
        # A context that was not accepted has no entry: the error ends the association.
        context = self.assoc._accepted_cx[message.context_id or 0]  # noqa: SLF001 - no public way
        self._offer = Offer(
            sop_class_uid=str(message.command_set.get("AffectedSOPClassUID", "")),
            sop_instance_uid=str(message.command_set.get("AffectedSOPInstanceUID", "")),
            abstract_syntax_uid=str(context.abstract_syntax),
            transfer_syntax_uid=str(context.transfer_syntax[0]),
        )
        self._incoming = self._handler.begin(self._offer)
        sink: Any = _Sink(self._incoming)
        message._data_set_file = sink  # noqa: SLF001 - as above

    def _bound(self, message: DIMSEMessage) -> None:
        """Limit what is kept in memory, and reports: pynetdicom gives each one a thread."""
        parts = (message.encoded_command_set, message.data_set)
        if sum(part.tell() for part in parts if part) > _LONGEST_IN_MEMORY:
            raise ValueError("a message that is no C-STORE is too long")
        if isinstance(message, N_EVENT_REPORT_RQ) and message is not self._reported:
            self._reported = message
            self._reports += 1
            if self._reports > MOST_REPORTS:
                raise ValueError("too many reports in one association")

    def _answer(self, context_id: int, request: C_STORE) -> None:
        """Store the object and answer its request (DICOM PS3.7, 9.1.1)."""
        offer, self._offer = self._offer, None
        if offer is None:
            # A request that announces no data set; the handler has a status for that, too.
            offer = Offer(str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID))
        try:
            status = self._handler.store(offer, self._incoming)
        finally:
            self.discard()
        answer = P_DATA()
        answer.presentation_data_value_list.append((context_id, store_response(request, status)))
        self.dul.send_pdu(answer)


class _Messages(queue.Queue[Any]):
    """Passes C-STORE requests on at once; all other messages wait for the association's thread."""

    def __init__(self, answer: Callable[[int, C_STORE], None]) -> None:
        super().__init__()
        self._answer = answer

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ANN401, FBT001, FBT002 - queue.Queue's signature
        context_id, message = item
        if isinstance(message, C_STORE) and message.MessageIDBeingRespondedTo is None:
            self._answer(context_id, message)
        else:
            super().put(item, block, timeout)


class _Sink:
    """An incoming file in the shape that pynetdicom writes to."""

    def __init__(self, incoming: IncomingFile | DroppedObject) -> None:
        self.incoming = incoming
        self.file = self

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self.incoming.write(data)

    def flush(self) -> None:
        """Nothing: what matters is the synchronisation at the end."""
