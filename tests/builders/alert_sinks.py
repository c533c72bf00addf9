"""A mail server and a webhook on loopback that keep what they get, and misbehave when told to."""

from __future__ import annotations

import email
import email.policy
import http.server
import json
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage


@dataclass
class MailSink:
    """Mails that were taken; `refusal` is answered to every recipient where it is set.

    A mute one takes connections, which it counts, and never says a word.
    """

    port: int = 0
    refusal: str = ""
    is_mute: bool = False
    callers: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@dataclass
class WebhookSink:
    """Documents that were posted, with their headers."""

    port: int = 0
    status: int = 200
    documents: list[dict[str, object]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook-with-secret"


class _MailServer(socketserver.ThreadingTCPServer):
    """SMTP (RFC 5321) as far as a client that only sends needs it, without TLS."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, sink: MailSink) -> None:
        super().__init__(("127.0.0.1", 0), _MailHandler)
        self.sink = sink


class _MailHandler(socketserver.StreamRequestHandler):
    server: _MailServer

    def handle(self) -> None:
        self.server.sink.callers += 1
        if self.server.sink.is_mute:
            self.server.sink.ended.wait(300)
            return
        self.say("220 sink ready")
        while line := self.rfile.readline():
            word = line.split(b" ")[0].strip().upper()
            if word == b"DATA":
                self.take()
            elif word == b"RCPT":
                self.server.sink.recipients.append(line.decode().partition("<")[2].strip(">\r\n"))
                self.say(self.server.sink.refusal or "250 ok")
            else:
                self.say("221 bye" if word == b"QUIT" else "250 ok")

    def take(self) -> None:
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        letter = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        self.server.sink.mails.append(letter)
        self.say("250 taken")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    """Take every mail until the block ends."""
    sink = MailSink()
    with _running(_MailServer(sink)) as port:
        sink.port = port
        yield sink
        sink.ended.set()


@contextmanager
def webhook_sink() -> Iterator[WebhookSink]:
    """Takes every POST and answers the status that it is told."""
    sink = WebhookSink()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            sink.documents.append(json.loads(self.rfile.read(length)))
            sink.headers.append(dict(self.headers))
            self.send_response(sink.status)
            self.send_header("Content-Length", "0")
            if sink.status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with _running(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        sink.port = port
        yield sink


@contextmanager
def _running(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
