"""Accepts TCP and TLS connections, which wait here, one file descriptor each, for their request.

A connection is handed on only when its whole A-ASSOCIATE-RQ has come. Health checks, port scans
and senders that fall silent, TLS handshakes that stall included, cost no thread and no place among
the associations, and are closed after the ACSE time-out.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from app.node.lifeline import no_beat
from app.node.tls import names_of

if TYPE_CHECKING:
    import threading

    from app.node.lifeline import Beat

_HEADER_BYTES: Final = 6
_ASSOCIATE_RQ: Final = 0x01
_LONGEST_REQUEST: Final = 1 << 17
"""128 presentation contexts with every transfer syntax there is need about 100 kB."""
_WAITING_LIMIT: Final = 512
_BACKLOG: Final = 256
_TICK_S: Final = 0.25
_FULL_PAUSE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class TransportConnection:
    """A connection whose A-ASSOCIATE-RQ has come.

    Attributes
    ----------
    connection : socket.socket
        To be closed by whoever has it.
    address : str
        IP address of the peer.
    head : bytes
        What has been read from it already.
    names : frozenset of str
        Of the certificate that the peer has shown.
    """

    connection: socket.socket
    address: str
    head: bytes = b""
    names: frozenset[str] = frozenset()


class ConnectionHandler(Protocol):
    """Who is told of connections."""

    def connected(self, transport: TransportConnection) -> None:
        """Serve a connection; it belongs to the handler from now on."""

    def tls_failed(self, address: str, reason: str) -> None:
        """Hear of one with which no TLS connection came about; OpenSSL's name of the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What is bound.

    Attributes
    ----------
    host : str
        Address, IPv4 or IPv6.
    plain : int or None
        Port without TLS; 0: any free one.
    tls : int or None
        Port with TLS.
    """

    host: str
    plain: int | None
    tls: int | None = None


@dataclass(slots=True)
class _Waiting:
    """A connection that has not asked yet; `head` is what was read of it, which only TLS needs."""

    connection: socket.socket
    address: str
    deadline: float
    needed: int = _HEADER_BYTES
    head: bytearray = field(default_factory=bytearray)
    is_shaken: bool = False

    def seen(self) -> bytes:
        """Look at what has come of the request, up to `needed` bytes.

        Raises
        ------
        OSError
            `BlockingIOError`, `ssl.SSLWantReadError` or `ssl.SSLWantWriteError`: not enough yet.
        """
        if not isinstance(self.connection, ssl.SSLSocket):
            return self.connection.recv(self.needed, socket.MSG_PEEK)
        if not self.is_shaken:
            self.connection.do_handshake()
            self.is_shaken = True
        # OpenSSL keeps what it has decrypted, and no selector knows of that: read until it is dry.
        while len(self.head) < self.needed:
            piece = self.connection.recv(self.needed - len(self.head))
            if not piece:
                break
            self.head += piece
        return bytes(self.head)

    def transport(self) -> TransportConnection:
        """Give it to the handler."""
        if isinstance(self.connection, ssl.SSLSocket):
            names = names_of(self.connection.getpeercert())
            return TransportConnection(self.connection, self.address, bytes(self.head), names)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        return TransportConnection(self.connection, self.address)

    def await_bytes(self, count: int) -> None:
        """Wake only when so many have come; TLS has records of its own length."""
        if not isinstance(self.connection, ssl.SSLSocket):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)


class TransportAcceptor:
    """Accepts connections and hands on those that ask for an association.

    Parameters
    ----------
    ports : Ports
        What is bound.
    handler : ConnectionHandler
        Who is told of connections.
    patience_s : float
        How long a connection may take to send its request, s; may change while it serves.
    context : ssl.SSLContext, optional
        For connections with TLS; may change while it serves.

    Raises
    ------
    OSError
        If an address cannot be bound.
    """

    def __init__(
        self,
        ports: Ports,
        handler: ConnectionHandler,
        *,
        patience_s: float,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.patience_s = patience_s
        self.context = context
        self._handler = handler
        self._waiting: dict[int, _Waiting] = {}
        self._selector = selectors.DefaultSelector()
        self._plain = self._bind(ports.host, ports.plain)
        try:
            self._tls = self._bind(ports.host, ports.tls)
        except OSError:
            self._close_ports()
            raise

    @property
    def port(self) -> int:
        """Port that was bound: the one without TLS, if there is one."""
        return next(int(bound.getsockname()[1]) for bound in (self._plain, self._tls) if bound)

    def serve(self, stop: threading.Event, beat: Beat = no_beat) -> None:
        """Accept until `stop` is set; then close the ports and the connections that wait."""
        try:
            while not stop.is_set():
                beat()
                for key, _ in self._selector.select(_TICK_S):
                    if key.fileobj in {self._plain, self._tls}:
                        self._accept(key.fileobj, stop)
                    else:
                        self._look(self._waiting[key.fd])
                self._close_late()
        finally:
            self._close_ports()
            for waiting in self._waiting.values():
                waiting.connection.close()

    def _bind(self, host: str, port: int | None) -> socket.socket | None:
        if port is None:
            return None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ)
        return listening

    def _close_ports(self) -> None:
        self._selector.close()
        for listening in (self._plain, self._tls):
            if listening is not None:
                listening.close()

    def _accept(self, listening: object, stop: threading.Event) -> None:
        if not isinstance(listening, socket.socket):
            return
        try:
            connection, address = listening.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:
            # Out of file descriptors: a moment later some are free again.
            stop.wait(_FULL_PAUSE_S)
            return
        if len(self._waiting) >= _WAITING_LIMIT:
            self._close(next(iter(self._waiting.values())))
        connection.setblocking(False)
        if listening is self._tls and self.context is not None:
            try:
                connection = self.context.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
            except OSError:  # it is gone already
                connection.close()
                return
        waiting = _Waiting(connection, str(address[0]), time.monotonic() + self.patience_s)
        waiting.await_bytes(_HEADER_BYTES)
        self._waiting[connection.fileno()] = waiting
        self._selector.register(connection, selectors.EVENT_READ)

    def _look(self, waiting: _Waiting) -> None:
        """Look at what has come."""
        try:
            seen = waiting.seen()
        except (BlockingIOError, ssl.SSLWantReadError):
            self._selector.modify(waiting.connection, selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            self._selector.modify(waiting.connection, selectors.EVENT_WRITE)
        except OSError as error:
            self._close(waiting)
            if isinstance(error, ssl.SSLError) and error.reason and not waiting.is_shaken:
                self._handler.tls_failed(waiting.address, error.reason.lower())
        else:
            self._judge(waiting, seen)

    def _judge(self, waiting: _Waiting, seen: bytes) -> None:
        if len(seen) < waiting.needed:
            # Woken before enough is there: the peer has closed its side.
            self._close(waiting)
        elif waiting.needed == _HEADER_BYTES:
            self._await_request(waiting, seen)
        else:
            self._forget(waiting)
            self._handler.connected(waiting.transport())

    def _await_request(self, waiting: _Waiting, header: bytes) -> None:
        kind, _, length = struct.unpack(">BBL", header)
        if kind != _ASSOCIATE_RQ or not 0 < length <= _LONGEST_REQUEST:
            self._close(waiting)
            return
        waiting.needed = _HEADER_BYTES + length
        waiting.await_bytes(waiting.needed)
        if waiting.head:
            self._look(waiting)

    def _close_late(self) -> None:
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
