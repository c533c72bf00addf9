"""A line to a real PACS that can be slow, silent, closed, or cut: a TCP relay on loopback.

It knows no more of DICOM than the type of a PDU (PS3.8, 9.3), so that a peer which keeps an object
and never gets to say so is a real one.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

HOST = "127.0.0.1"
_P_DATA = 4
_REJECTION = struct.pack(">BBLBBBB", 3, 0, 4, 0, 2, 3, 2)
"""A-ASSOCIATE-RJ: transient, local limit exceeded (PS3.8, 9.3.4)."""


@dataclass
class FaultyLine:
    """What happens to connections; changed while they are open.

    `cuts`: probability that the line is cut between what the PACS answers to a request and us;
    `delay_s`: before every piece that passes; `is_silent`: nothing passes any more; `is_closed`:
    connections are reset; `rejects`: every association is refused.
    """

    target: int
    port: int = 0
    cuts: float = 0.0
    delay_s: float = 0.0
    is_silent: bool = False
    is_closed: bool = False
    rejects: bool = False
    cut: int = 0
    connections: int = 0
    generator: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311
    _stop: threading.Event = field(default_factory=threading.Event)

    def heal(self) -> None:
        """Everything passes at once again."""
        self.is_silent = self.is_closed = self.rejects = False
        self.delay_s = 0.0

    def _serve(self, listening: socket.socket) -> None:
        while not self._stop.is_set():
            try:
                client, _ = listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client:
            if self.is_closed:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            if self.rejects:
                with suppress(OSError):
                    client.settimeout(5)
                    client.recv(1 << 16)
                    client.sendall(_REJECTION)
                    client.recv(1)
                return
            try:
                peer = socket.create_connection((HOST, self.target), timeout=5)
            except OSError:
                return
            with peer:
                back = threading.Thread(
                    target=self._pump, args=(peer, client), kwargs={"is_answer": True}, daemon=True
                )
                back.start()
                self._pump(client, peer, is_answer=False)
                back.join(60)

    def _pump(self, source: socket.socket, sink: socket.socket, *, is_answer: bool) -> None:
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        source.settimeout(60)
        with suppress(OSError, ValueError):
            while not self._stop.is_set() and not self.is_closed:
                if not select.select([source], [], [], 0.2)[0]:
                    continue
                data = source.recv(1 << 16)
                if not data:
                    break
                if is_answer and data[0] == _P_DATA and self.generator.random() < self.cuts:
                    self.cut += 1
                    break
                while self.is_silent and not (self._stop.is_set() or self.is_closed):
                    time.sleep(0.05)
                time.sleep(self.delay_s)
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def faulty_line(target: int, seed: int = 1, **faults: float | bool) -> Iterator[FaultyLine]:
    """A relay from a free loopback port to port `target`."""
    line = FaultyLine(target, generator=random.Random(seed), **faults)  # noqa: S311
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen(64)
        line.port = int(listening.getsockname()[1])
        thread = threading.Thread(target=line._serve, args=(listening,), daemon=True)
        thread.start()
        try:
            yield line
        finally:
            line._stop.set()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)
