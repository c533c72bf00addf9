"""Below an association: the connection, the timers, and the thread that reads.

pynetdicom's parts with other manners: no more bytes than agreed on, no waiting without end, no
sleeping while bytes are there, no wall clock, and no traceback where a peer breaks the protocol.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.timer import Timer
from pynetdicom.transport import AssociationSocket

from operators.dicom.frames import PARSE_ERRORS

if TYPE_CHECKING:
    from pynetdicom.association import Association

_RECEIVE_BYTES: Final = 1 << 18
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
    """Reads in large pieces, and no more than a PDU may have."""

    is_reading = False

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes; fewer where the peer has closed. OSError: more than allowed."""
        connection = self.socket
        limit = (self.assoc.acceptor.maximum_length or 0) + _OVERHEAD_BYTES
        if connection is None or nr_bytes > limit:
            raise ConnectionAbortedError
        received = bytearray(nr_bytes)
        filled = 0
        self.is_reading = True
        try:
            with memoryview(received) as view:
                while filled < nr_bytes:
                    count = connection.recv_into(view[filled : filled + _RECEIVE_BYTES])
                    if not count:
                        break
                    filled += count
        finally:
            self.is_reading = False
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


class Pace(threading.Event):
    """Slows the loop that looks for release, abort and C-ECHO; objects do not wait for it."""

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep a little, then do what an event does."""
        time.sleep(_PACE_S)
        return super().wait(timeout)


class UpperLayer(DULServiceProvider):
    """Wakes when bytes come, and ends only its own association when the protocol is broken."""

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self._idle_timer = _MonotonicTimer(60)
        self.artim_timer = _MonotonicTimer(30)
        self._run_loop_delay = 0
        self._quiet_since = time.monotonic()
        self.daemon = True

    def _is_transport_event(self) -> bool:
        connection = self.socket.socket if self.socket is not None else None
        if connection is not None and self.state_machine.current_state != _CLOSING:
            # In place of a sleep: what our own side wants to say is looked for once per wait.
            is_quiet = time.monotonic() - self._quiet_since > _QUIET_S
            with suppress(OSError, ValueError):
                select.select([connection], [], [], _LONG_WAIT_S if is_quiet else _SHORT_WAIT_S)
        if not super()._is_transport_event():
            return False
        self._quiet_since = time.monotonic()
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
