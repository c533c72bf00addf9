from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from app.node.listener import transport as module
from app.node.listener.transport import Ports, TransportAcceptor, TransportConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST = struct.pack(">BBL", 1, 0, 300) + bytes(300)


class Watched:
    """A acceptor at work, and who was handed on."""

    def __init__(self, patience_s: float) -> None:
        self.handed: list[tuple[socket.socket, str]] = []
        self.came = threading.Event()
        self.acceptor = TransportAcceptor(
            Ports(host="127.0.0.1", plain=0), self, patience_s=patience_s
        )

    def tls_failed(self, address: str, reason: str) -> None:
        raise AssertionError(address, reason)

    def connected(self, transport: TransportConnection) -> None:
        self.handed.append((transport.connection, transport.address))
        self.came.set()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.acceptor.port), timeout=5)


@contextmanager
def watched(patience_s: float = 5) -> Iterator[Watched]:
    seen, stop = Watched(patience_s), threading.Event()
    thread = threading.Thread(target=seen.acceptor.serve, args=(stop,))
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(5)
        for connection, _ in seen.handed:
            connection.close()
    assert not thread.is_alive()


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_whole_request_is_handed_on_with_all_of_its_bytes() -> None:
    with watched() as seen, seen.connect() as client:
        client.sendall(REQUEST)
        assert seen.came.wait(2)
        connection, address = seen.handed[0]
        connection.setblocking(True)
        assert connection.recv(len(REQUEST), socket.MSG_WAITALL) == REQUEST
        assert address == "127.0.0.1"


def test_a_request_in_3_pieces_is_handed_on_with_the_last_one() -> None:
    with watched() as seen, seen.connect() as client:
        for piece in (REQUEST[:3], REQUEST[3:200]):
            client.sendall(piece)
            assert not seen.came.wait(0.2)
        client.sendall(REQUEST[200:])
        assert seen.came.wait(2)


def test_a_large_request_of_100_kb_is_handed_on() -> None:
    with watched() as seen, seen.connect() as client:
        client.sendall(struct.pack(">BBL", 1, 0, 100_000) + bytes(100_000))
        assert seen.came.wait(2)


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        struct.pack(">BBL", 4, 0, 20) + bytes(20),
        struct.pack(">BBL", 1, 0, 1 << 31),
        struct.pack(">BBL", 1, 0, 0),
    ],
)
def test_what_is_no_request_is_shown_out_at_once(junk: bytes) -> None:
    with watched() as seen, seen.connect() as client:
        client.sendall(junk)
        assert is_closed(client)
        assert not seen.handed


def test_50_silent_clients_cost_no_thread_and_are_shown_out_after_their_time() -> None:
    with watched(patience_s=0.5) as seen:
        threads = threading.active_count()
        clients = [seen.connect() for _ in range(50)]
        clients[0].sendall(REQUEST[:100])
        assert threading.active_count() == threads
        start = time.monotonic()
        assert all(is_closed(client) for client in clients)
        assert 0.2 < time.monotonic() - start < 3
        for client in clients:
            client.close()
        assert not seen.handed


def test_a_client_that_leaves_in_the_middle_of_its_request_is_forgotten() -> None:
    with watched() as seen:
        client = seen.connect()
        client.sendall(REQUEST[:100])
        client.close()
        with seen.connect() as other:
            other.sendall(REQUEST)
            assert seen.came.wait(2)
        assert len(seen.handed) == 1


def test_when_the_acceptor_is_full_the_longest_waiting_one_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_WAITING_LIMIT", 3)
    with watched() as seen:
        clients = [seen.connect() for _ in range(4)]
        assert is_closed(clients[0])
        clients[3].sendall(REQUEST)
        assert seen.came.wait(2)
        for client in clients:
            client.close()


def test_a_port_that_is_taken_is_an_error() -> None:
    with watched() as seen, pytest.raises(OSError, match="in use"):
        TransportAcceptor(Ports(host="127.0.0.1", plain=seen.acceptor.port), seen, patience_s=1)
