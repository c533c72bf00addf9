"""Below an association: the connection, the timers, and the thread that reads.

pynetdicom's parts with other manners: no more bytes than agreed on, no waiting without end, no
sleeping while bytes are there, no wall clock, and no traceback where a peer breaks the protocol.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.timer import Timer
from pynetdicom.transport import AssociationSocket

from operators.dicom.reading.frames import PARSE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pynetdicom.association import Association

_HEADER_BYTES: Final = 6
_VALUE_HEADER: Final = struct.Struct(">LBB")
_P_DATA: Final = 0x04
_ESTABLISHED: Final = "Sta6"
_CLOSED: Final = "Evt17"
_INVALID: Final = "Evt19"
"""Events of the upper layer: connection closed; invalid PDU, abort (DICOM PS3.8, table 9-10)."""
_OVERHEAD_BYTES: Final = 1 << 17
"""Length a PDU may have beyond the maximum agreed on; negotiation items are that long at most."""
_PROTOCOL_ERRORS: Final[tuple[type[Exception], ...]] = (InvalidEventError, *PARSE_ERRORS)
_SHORT_WAIT_S: Final = 0.001
_LONG_WAIT_S: Final = 0.02
_QUIET_S: Final = 1.0
"""After this time without a byte the upper layer looks less often at what we want to send, s."""
_PACE_S: Final = 0.004
_CLOSING: Final = "Sta13"


def make_lively(connection: socket.socket, timeout_s: float | None) -> None:
    """Answers leave at once, and a peer that is no more is noticed."""
    connection.settimeout(timeout_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class PduSocket(AssociationSocket):
    """Reads in large pieces, and no more than a PDU may have.

    Parameters
    ----------
    assoc : Association
        Whose connection it is.
    connection : socket.socket
        With or without TLS.
    head : bytes
        What has been read from it already.
    """

    def __init__(self, assoc: Association, connection: socket.socket, head: bytes = b"") -> None:
        super().__init__(assoc, client_socket=connection)
        self.is_reading = False
        self._ahead = bytearray(head)
        self._buffer = bytearray()

    @property
    def has_more(self) -> bool:
        """Whether bytes wait on our side of the kernel, where `select` does not see them."""
        connection = self.socket
        return bool(self._ahead) or (
            isinstance(connection, ssl.SSLSocket) and bool(connection.pending())
        )

    @property
    def ready(self) -> bool:
        """Whether there is something to read."""
        return bool(self._ahead) or super().ready

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes; fewer where the peer has closed. OSError: more than allowed."""
        if nr_bytes > self.limit:
            raise ConnectionAbortedError
        received = bytearray(nr_bytes)
        with memoryview(received) as view:
            filled = self._fill(view)
        del received[filled:]
        return received

    def next_data(self) -> memoryview | None:
        """Read a P-DATA-TF PDU that is due, without its header.

        Returns
        -------
        memoryview or None
            Valid until the next call; None where another kind of PDU, or nothing sound, is due:
            then nothing has been read.

        Raises
        ------
        OSError
            If the peer is gone before all of it has come.
        """
        connection = self.socket
        if connection is None:
            return None
        if len(self._ahead) < _HEADER_BYTES:
            self._ahead += connection.recv(_HEADER_BYTES - len(self._ahead))
        header = bytes(self._ahead[:_HEADER_BYTES])
        length = int.from_bytes(header[2:], "big")
        if len(header) < _HEADER_BYTES or header[0] != _P_DATA or length > self.limit:
            return None
        size = _HEADER_BYTES + length
        if len(self._buffer) < size:
            self._buffer = bytearray(size)
        pdu = memoryview(self._buffer)[:size]
        if self._fill(pdu) < size:
            raise ConnectionAbortedError
        return pdu[_HEADER_BYTES:]

    def forget(self) -> None:
        """Give the buffer back now: the collector finds ended associations only in a while."""
        self._buffer = bytearray()

    @property
    def limit(self) -> int:
        """Longest PDU that is read, bytes."""
        return (self.assoc.acceptor.maximum_length or 0) + _OVERHEAD_BYTES

    def _fill(self, view: memoryview) -> int:
        connection = self.socket
        if connection is None:
            raise ConnectionAbortedError
        filled = min(len(view), len(self._ahead))
        view[:filled] = self._ahead[:filled]
        del self._ahead[:filled]
        self.is_reading = True
        try:
            while filled < len(view):
                count = connection.recv_into(view[filled:])
                if not count:
                    break
                filled += count
        finally:
            self.is_reading = False
        return filled


def values_of(pdu: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Presentation data values of a P-DATA-TF PDU (DICOM PS3.8, 9.3.5; E.2).

    Parameters
    ----------
    pdu : memoryview
        Without its header.

    Yields
    ------
    int, int, memoryview
        Context, message control header, fragment.

    Raises
    ------
    ValueError, struct.error
        If the lengths do not fit each other.
    """
    while pdu:
        length, context_id, control = _VALUE_HEADER.unpack_from(pdu)
        end = length + 4
        if not _VALUE_HEADER.size <= end <= len(pdu):
            raise ValueError("a presentation data value is longer than its PDU")
        yield context_id, control, pdu[_VALUE_HEADER.size : end]
        pdu = pdu[end:]


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


class Pace(threading.Event):
    """Slows the loop that looks for release, abort and C-ECHO; objects do not wait for it."""

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep a little, then do what an event does."""
        time.sleep(_PACE_S)
        return super().wait(timeout)


class UpperLayer(DULServiceProvider):
    """Wakes when bytes come, and ends only its own association when the protocol is broken."""

    def __init__(self, assoc: Association, take: Callable[[int, int, memoryview], None]) -> None:
        super().__init__(assoc)
        self._take = take
        self._idle_timer = _MonotonicTimer(60)
        self.artim_timer = _MonotonicTimer(30)
        self._run_loop_delay = 0
        self._quiet_since = time.monotonic()
        self.daemon = True

    def _is_transport_event(self) -> bool:
        connection = self.socket.socket if self.socket is not None else None
        if connection is not None and self.state_machine.current_state != _CLOSING:
            # In place of a sleep: what our own side wants to say is looked for once per wait.
            self._await(connection)
        if not (self.socket is not None and self.socket.ready):
            return super()._is_transport_event()
        self._quiet_since = time.monotonic()
        return self._take_data() or super()._is_transport_event()

    def _await(self, connection: socket.socket) -> None:
        if isinstance(self.socket, PduSocket) and self.socket.has_more:
            return
        is_quiet = time.monotonic() - self._quiet_since > _QUIET_S
        with suppress(OSError, ValueError):
            select.select([connection], [], [], _LONG_WAIT_S if is_quiet else _SHORT_WAIT_S)

    def _take_data(self) -> bool:
        """Hand data on past the state machine, which has nothing to decide about it.

        Returns
        -------
        bool
            False where it is not data that is due, or the association is not established.
        """
        if self.state_machine.current_state != _ESTABLISHED or not isinstance(
            self.socket, PduSocket
        ):
            return False
        try:
            pdu = self.socket.next_data()
        except OSError:
            self.event_queue.put(_CLOSED)
            return True
        if pdu is None:
            return False
        try:
            for context_id, control, data in values_of(pdu):
                self._take(context_id, control, data)
        except PARSE_ERRORS:
            self.event_queue.put(_INVALID)
        return True

    def run_reactor(self) -> None:
        """Read and write until the association is over."""
        try:
            super().run_reactor()
        except _PROTOCOL_ERRORS:
            # pynetdicom's state machine has no answer to this event in this state. Its own loop
            # would leave a traceback and the peer waiting.
            self._kill_thread = True
            self.assoc.is_aborted = True
