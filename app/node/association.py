"""One association: pynetdicom's, with the parts replaced that cannot be left to a stranger's mercy.

Against pynetdicom 3.0.4 as it comes: a peer names the length of a PDU and gets that much memory; a
peer that stops within a PDU holds its threads for ever; received objects are kept in memory, or in
files that nobody removes when the sender dies; an error in a command set leaves a traceback and an
open socket; timers follow the wall clock when it jumps.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.timer import Timer
from pynetdicom.transport import AddressInformation, AssociationSocket

from operators.dicom.frames import PARSE_ERRORS

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.events import Event
    from pynetdicom.presentation import PresentationContext

    from app.archive.incoming import IncomingFile
    from app.node.admission import Refusal

_RECEIVE_BYTES: Final = 1 << 18
_OVERHEAD_BYTES: Final = 1 << 17
"""Length a PDU may have beyond the maximum agreed on; negotiation items are that long at most."""

_PROTOCOL_ERRORS: Final[tuple[type[Exception], ...]] = (InvalidEventError, *PARSE_ERRORS)

_ABORT: Final = "Evt19"
"""Event of the upper layer: invalid PDU received, abort (DICOM PS3.8, table 9-10)."""


class Guest(Protocol):
    """What the house does for one association."""

    def admit(self, calling: str, called: str) -> Refusal | None:
        """Let it in, or say why not; raising an error closes the connection."""

    def begin(
        self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
    ) -> IncomingFile:
        """Open the file for an object whose data set is about to come."""

    def store(self, event: Event) -> int:
        """Answer a C-STORE; `event.request` carries the file as `received_file` tells."""


class AcceptedAssociation(Association):
    """An association that a peer has asked for.

    Parameters
    ----------
    entity : ApplicationEntity
        Our side: title, time-outs, limits.
    connection : socket.socket
        On which an A-ASSOCIATE-RQ waits.
    address : str
        IP address of the peer.
    contexts : list of PresentationContext
        What is supported; shared and never changed.
    guest : Guest
        Decides and stores.
    """

    def __init__(
        self,
        entity: ApplicationEntity,
        *,
        connection: socket.socket,
        address: str,
        contexts: list[PresentationContext],
        guest: Guest,
    ) -> None:
        super().__init__(entity, MODE_ACCEPTOR)
        self.guest = guest
        self.acse = _Negotiation(self)
        self.dimse = self.objects = _ObjectStream(self)
        self.dul = _UpperLayer(self)
        # Setting a time-out passes it on to the upper layer, which is a new one.
        self.acse_timeout = entity.acse_timeout
        self.network_timeout = entity.network_timeout
        _make_lively(connection, entity.network_timeout)
        self.set_socket(_PduSocket(self, client_socket=connection))
        here = connection.getsockname()
        self.acceptor.ae_title = entity.ae_title
        self.acceptor.maximum_length = entity.maximum_pdu_size
        self.acceptor.implementation_class_uid = entity.implementation_class_uid
        self.acceptor.implementation_version_name = entity.implementation_version_name
        self.acceptor.supported_contexts = contexts
        self.acceptor.address_info = AddressInformation(here[0], here[1])
        self.requestor.address_info = AddressInformation(address, 0)
        self.bind(evt.EVT_C_STORE, guest.store)

    def kill(self) -> None:
        """End the association; what has been queued for the peer is still sent."""
        connection = self.dul.socket.socket if self.dul.socket is not None else None
        if connection is not None:
            # A peer that stopped within a PDU would keep the upper layer waiting for the rest.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        super().kill()

    def serve(self) -> None:
        """Run the association to its end in this thread."""
        connection = self.dul.socket.socket if self.dul.socket is not None else None
        try:
            self.run_reactor()
        finally:
            self.kill()
            self.objects.discard()
            if connection is not None:
                connection.close()


def received_file(request: Any) -> IncomingFile | None:  # noqa: ANN401 - pynetdicom's C_STORE
    """Take the file of a C-STORE request; pynetdicom will not touch it any more."""
    sink = request._dataset_file  # noqa: SLF001 - the only way to it
    request._dataset_file = None  # noqa: SLF001 - same
    return sink.incoming if isinstance(sink, _Sink) else None


def _make_lively(connection: socket.socket, timeout_s: float | None) -> None:
    """Answers leave at once, and a peer that is no more is noticed."""
    connection.settimeout(timeout_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class _PduSocket(AssociationSocket):
    """Reads in large pieces, and no more than a PDU may have."""

    def recv(self, nr_bytes: int) -> bytearray:
        connection = self.socket
        limit = (self.assoc.acceptor.maximum_length or 0) + _OVERHEAD_BYTES
        if connection is None or nr_bytes > limit:
            raise ConnectionAbortedError
        received = bytearray(nr_bytes)
        view = memoryview(received)
        filled = 0
        while filled < nr_bytes:
            count = connection.recv_into(view[filled : filled + _RECEIVE_BYTES])
            if not count:
                break
            filled += count
        view.release()
        del received[filled:]
        return received


class _MonotonicTimer(Timer):
    """A timer that does not see the wall clock jump."""

    def start(self) -> None:
        self._start_time = time.monotonic()
        self._end_time = None

    def stop(self) -> None:
        self._end_time = time.monotonic()

    @property
    def remaining(self) -> float:
        if self.timeout is None:
            return 1
        if self._start_time is None:
            return self.timeout
        end = time.monotonic() if self._end_time is None else self._end_time
        return self.timeout - (end - self._start_time)


class _UpperLayer(DULServiceProvider):
    """Ends its association, and only that, when the protocol is broken."""

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self._idle_timer = _MonotonicTimer(60)
        self.artim_timer = _MonotonicTimer(30)
        self.daemon = True

    def run_reactor(self) -> None:
        try:
            super().run_reactor()
        except _PROTOCOL_ERRORS:
            # pynetdicom's state machine has no answer to this event in this state. Its own loop
            # would leave a traceback and the peer waiting.
            self._kill_thread = True
            self.assoc.is_aborted = True


class _Negotiation(ACSE):
    """Asks the house first; an error on the way ends in a closed door, not in an open one."""

    def negotiate_association(self) -> None:
        association = self.assoc
        if not isinstance(association, AcceptedAssociation):
            raise TypeError(type(association).__name__)
        request = self.requestor.primitive
        calling = str(getattr(request, "calling_ae_title", None) or "").strip()
        called = str(getattr(request, "called_ae_title", None) or "").strip()
        refusal = association.guest.admit(calling, called)
        if refusal is not None:
            self.send_reject(refusal.result, refusal.source, refusal.diagnostic)
            association.kill()
            return
        # The peer hears the title it called, whichever of ours it is.
        super().negotiate_association()


class _ObjectStream(DIMSEServiceProvider):
    """Writes data sets of C-STORE requests to files as they arrive."""

    def __init__(self, assoc: AcceptedAssociation) -> None:
        super().__init__(assoc)
        self._guest = assoc.guest
        self._files: set[IncomingFile] = set()

    def receive_primitive(self, primitive: P_DATA) -> None:
        try:
            for value in primitive.presentation_data_value_list:
                # One by one: a command and the first piece of its data set may come together.
                part = P_DATA()
                part.presentation_data_value_list.append(value)
                super().receive_primitive(part)
                self._await_data_set()
        except PARSE_ERRORS:
            self.dul.event_queue.put(_ABORT)

    def discard(self) -> None:
        """Remove what is left of objects whose sender is gone."""
        for incoming in self._files:
            incoming.discard()
        self._files.clear()

    def _await_data_set(self) -> None:
        message = self.message
        if not isinstance(message, C_STORE_RQ) or message._data_set_file is not None:  # noqa: SLF001 - see received_file
            return
        context = self.assoc._accepted_cx[message.context_id or 0]  # noqa: SLF001 - no public way
        self._files = {known for known in self._files if known.is_open}
        incoming = self._guest.begin(
            str(message.command_set.get("AffectedSOPClassUID", "")),
            str(message.command_set.get("AffectedSOPInstanceUID", "")),
            str(context.transfer_syntax[0]),
        )
        self._files.add(incoming)
        sink: Any = _Sink(incoming)
        message._data_set_file = sink  # noqa: SLF001 - see received_file


class _Sink:
    """An incoming file in the shape that pynetdicom writes to."""

    def __init__(self, incoming: IncomingFile) -> None:
        self.incoming = incoming
        self.file = self

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self.incoming.write(data)

    def flush(self) -> None:
        """Nothing: what matters is the synchronisation at the end."""
