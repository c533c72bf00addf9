"""A syslog server over TLS (RFC 5425) on loopback, as an audit record repository is one."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from app.node.tls import server_context
from app.settings.audit import SyslogSettings
from app.settings.tls import ListenerTlsSettings, PeerTlsSettings
from tests.builders.certificates import Authority


@dataclass
class SyslogSink:
    """What was taken, and how it behaves.

    Attributes
    ----------
    messages : list of bytes
        SYSLOG-MSG of every frame.
    ends : str
        ``orderly``: closes its side when the sender has; ``reset``: breaks off after it has read.
    """

    port: int
    settings: SyslogSettings
    messages: list[bytes] = field(default_factory=list)
    ends: str = "orderly"
    connections: int = 0

    def serve(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        """Take one connection after the other until the listener is closed."""
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            with plain, suppress(OSError):
                plain.settimeout(10)
                with context.wrap_socket(plain, server_side=True) as connection:
                    self._take(connection)

    def _take(self, connection: ssl.SSLSocket) -> None:
        content = b""
        while chunk := connection.recv(65536):
            content += chunk
            if self.ends == "reset":
                linger = b"\1\0\0\0\0\0\0\0"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return
        while content:
            length, _, rest = content.partition(b" ")
            self.messages.append(rest[: int(length)])
            content = rest[int(length) :]
        with suppress(ssl.SSLError):
            connection.unwrap()


@contextmanager
def running_sink(authority: Authority, *, is_mutual: bool = False) -> Iterator[SyslogSink]:
    """Serve until the block ends."""
    files = authority.issue("audit.site.example")
    trusted = authority.trusted if is_mutual else None
    context = server_context(
        ListenerTlsSettings(
            certificate_file=files.certificate, key_file=files.key, trusted_file=trusted
        )
    )
    client = PeerTlsSettings(trusted_file=authority.trusted, server_name="audit.site.example")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    settings = SyslogSettings(host="127.0.0.1", port=port, tls=client, every_s=0.2, timeout_s=5)
    sink = SyslogSink(port=port, settings=settings)
    thread = threading.Thread(target=sink.serve, args=(listener, context), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
