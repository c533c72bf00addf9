"""The doorway: TCP connections wait here, one file descriptor each, until they have asked.

A connection is handed on only when its whole A-ASSOCIATE-RQ lies in the kernel's buffer. Health
checks, port scans and senders that fall silent cost no thread and no place among the
associations, and are shown out after the ACSE time-out.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.node.lifeline import no_beat

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from app.node.lifeline import Beat

_HEADER_BYTES: Final = 6
_ASSOCIATE_RQ: Final = 0x01
_LONGEST_REQUEST: Final = 1 << 17
"""128 presentation contexts with every transfer syntax there is need about 100 kB."""
_WAITING_LIMIT: Final = 512
_BACKLOG: Final = 256
_TICK_S: Final = 0.25
_FULL_PAUSE_S: Final = 0.05


@dataclass(slots=True)
class _Waiting:
    connection: socket.socket
    address: str
    deadline: float
    needed: int = _HEADER_BYTES


class Doorway:
    """Accepts connections and hands on those that ask for an association.

    Parameters
    ----------
    host : str
        Address to bind, IPv4 or IPv6.
    port : int
        0: any free one.
    patience_s : float
        How long a connection may take to send its request, s; may change while it serves.
    hand_on : callable
        (connection, address of the peer) -> None; owns the connection from then on.

    Raises
    ------
    OSError
        If the address cannot be bound.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        patience_s: float,
        hand_on: Callable[[socket.socket, str], None],
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self._listening.setblocking(False)
        self.patience_s = patience_s
        self._hand_on = hand_on
        self._waiting: dict[int, _Waiting] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)

    @property
    def port(self) -> int:
        """Port that was bound."""
        return int(self._listening.getsockname()[1])

    def serve(self, stop: threading.Event, beat: Beat = no_beat) -> None:
        """Watch over the door until `stop` is set; then close it and show out who waits."""
        try:
            while not stop.is_set():
                beat()
                for key, _ in self._selector.select(_TICK_S):
                    if key.fileobj is self._listening:
                        self._accept(stop)
                    else:
                        self._look(self._waiting[key.fd])
                self._show_out_late()
        finally:
            self._selector.close()
            self._listening.close()
            for waiting in self._waiting.values():
                waiting.connection.close()

    def _accept(self, stop: threading.Event) -> None:
        try:
            connection, address = self._listening.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:
            # Out of file descriptors: a moment later some are free again.
            stop.wait(_FULL_PAUSE_S)
            return
        if len(self._waiting) >= _WAITING_LIMIT:
            self._close(next(iter(self._waiting.values())))
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, _HEADER_BYTES)
        deadline = time.monotonic() + self.patience_s
        self._waiting[connection.fileno()] = _Waiting(connection, str(address[0]), deadline)
        self._selector.register(connection, selectors.EVENT_READ)

    def _look(self, waiting: _Waiting) -> None:
        """Look at what has come without taking it."""
        try:
            seen = waiting.connection.recv(waiting.needed, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self._close(waiting)
            return
        if len(seen) < waiting.needed:
            # Woken before enough is there: the peer has closed its side.
            self._close(waiting)
        elif waiting.needed == _HEADER_BYTES:
            self._await_request(waiting, seen)
        else:
            self._forget(waiting)
            waiting.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            self._hand_on(waiting.connection, waiting.address)

    def _await_request(self, waiting: _Waiting, header: bytes) -> None:
        kind, _, length = struct.unpack(">BBL", header)
        if kind != _ASSOCIATE_RQ or not 0 < length <= _LONGEST_REQUEST:
            self._close(waiting)
            return
        waiting.needed = _HEADER_BYTES + length
        waiting.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, waiting.needed)

    def _show_out_late(self) -> None:
        now = time.monotonic()
        late = [waiting for waiting in self._waiting.values() if waiting.deadline < now]
        for waiting in late:
            self._close(waiting)

    def _forget(self, waiting: _Waiting) -> None:
        self._selector.unregister(waiting.connection)
        del self._waiting[waiting.connection.fileno()]

    def _close(self, waiting: _Waiting) -> None:
        self._forget(waiting)
        waiting.connection.close()
