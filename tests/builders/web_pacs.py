"""A DICOMweb origin server with faults on order, as `tests.builders.faulty_pacs` is one by DIMSE.

It speaks PS3.18 10.5 (STOW-RS) and 10.6 (QIDO-RS for instances) over real sockets, by the standard
library alone. A step of its script may also be a whole `Response`.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydicom import dcmread
from pydicom.uid import RLELossless

from app.settings.peers import DicomwebPeerSettings
from tests.builders.faulty_pacs import ABORT, CLOSE, HANG, HOST, LOSE, Step

ROOT = "/dicom-web"


@dataclass(frozen=True)
class Response:
    """A response on order."""

    status: int
    body: bytes = b""
    media_type: str = "application/dicom+json"
    retry_after: str = ""


@dataclass
class WebPacs:
    """What it does, and what it saw; see `tests.builders.faulty_pacs.FaultyPacs`.

    `authorization`: value of the header without which it answers 401; `answers`: responses to
    whatever it is asked, first come first served.
    """

    script: list[Step | Response] = field(default_factory=list)
    takes_segmentations: bool = True
    takes_rle: bool = True
    offers_find: bool = True
    find_status: int = 0
    known_callers: Sequence[str] = ()
    forgets: bool = False
    authorization: str = ""
    answers: list[Response] = field(default_factory=list)
    held: dict[str, bytes] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    connections: int = 0
    finds: int = 0
    scheme: str = "http"
    port: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def peer(self, name: str = "pacs", **changes: Any) -> DicomwebPeerSettings:
        """Its entry in the settings."""
        values = {"name": name, "kind": "dicomweb", **self.moved(self.port), **changes}
        return DicomwebPeerSettings.model_validate(values)

    def moved(self, port: int) -> dict[str, Any]:
        """What changes in its entry where it listens elsewhere."""
        return {"url": f"{self.scheme}://{HOST}:{port}{ROOT}"}

    def stored(self, file: bytes) -> Response | str:
        """Answer a STOW-RS request with one object, or the name of a fault."""
        dataset = dcmread(BytesIO(file), stop_before_pixels=True)
        uid, kind = str(dataset.SOPInstanceUID), str(dataset.SOPClassUID)
        refusal = 0
        if not self.takes_segmentations:
            refusal = 0x0122
        elif not self.takes_rle and dataset.file_meta.TransferSyntaxUID == RLELossless:
            refusal = 0xC122
        if refusal:
            return _module(409, kind, uid, refusal)
        self.received.append(uid)
        step = self.script.pop(0) if self.script else 0x0000
        if step in {HANG, ABORT, CLOSE} or isinstance(step, Response):
            return step
        status = int(step) if isinstance(step, int) else 0
        is_kept = step == LOSE or callable(step) or status == 0 or status >> 12 == 0xB
        if is_kept and not self.forgets:
            self.held[uid] = file
        if step == LOSE:
            return LOSE
        if callable(step):
            step()
        return _module({True: 200 if status == 0 else 202, False: 409}[is_kept], kind, uid, status)

    def listed(self, query: dict[str, list[str]]) -> Response:
        """Answer a QIDO-RS request."""
        self.finds += 1
        if not self.offers_find:
            return Response(501)
        if self.find_status:
            return Response(503)
        rows = [
            {"00080018": {"vr": "UI", "Value": [uid]}}
            for uid in sorted(self.held)
            if uid in query.get("SOPInstanceUID", [uid])
        ]
        return Response(200, json.dumps(rows).encode())


def _module(http_status: int, kind: str, uid: str, status: int) -> Response:
    """Store Instances Response Module (PS3.18, 10.5.3.2; PS3.3, C.34)."""
    item = {
        "00081150": {"vr": "UI", "Value": [kind]},
        "00081155": {"vr": "UI", "Value": [uid]},
    }
    is_kept = http_status < 300
    if status:
        item["00081196" if is_kept else "00081197"] = {"vr": "US", "Value": [status]}
    document = {"00081199" if is_kept else "00081198": {"vr": "SQ", "Value": [item]}}
    return Response(http_status, json.dumps(document).encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pacs: WebPacs

    def setup(self) -> None:
        self.pacs.connections += 1
        super().setup()

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        pacs, address = self.pacs, urlsplit(self.path)
        pacs.requests.append((self.command, self.path, dict(self.headers)))
        if pacs.known_callers:
            answer: Response | str = Response(403)
        elif pacs.authorization and self.headers.get("Authorization") != pacs.authorization:
            answer = Response(401)
        elif pacs.answers:
            answer = pacs.answers.pop(0)
        elif self.command == "POST" and address.path == f"{ROOT}/studies":
            answer = pacs.stored(_only_part(self.headers["Content-Type"], body))
        elif re.fullmatch(rf"{ROOT}/studies(/[\d.]+/series/[\d.]+/instances)?", address.path):
            answer = pacs.listed(parse_qs(address.query))
        else:
            answer = Response(404)
        if isinstance(answer, str):
            self._fail(answer)
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.retry_after:
            self.send_header("Retry-After", answer.retry_after)
        self.end_headers()
        self.wfile.write(answer.body)

    def _fail(self, fault: str) -> None:
        if fault == HANG:
            self.pacs.released.wait(60)
        if fault == ABORT:
            self.wfile.write(b"HTTP/1.1 20")
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _only_part(content_type: str, body: bytes) -> bytes:
    """Content of the one part of a multipart body (RFC 2046, 5.1), taken strictly."""
    kind = re.fullmatch(
        r'multipart/related; type="application/dicom"; boundary=([0-9A-Za-z]{1,70})', content_type
    )
    assert kind is not None
    line = b"--" + kind[1].encode()
    head, _, rest = body.partition(b"\r\n\r\n")
    assert head == line + b"\r\nContent-Type: application/dicom"
    content, _, after = rest.rpartition(b"\r\n" + line + b"--")
    assert after == b"\r\n"
    return content


@contextmanager
def web_pacs(
    script: Sequence[Step | Response] = (),
    *,
    tls: ssl.SSLContext | None = None,
    **behaviour: Any,
) -> Iterator[WebPacs]:
    """A running one, on a free loopback port."""
    pacs = WebPacs(script=list(script), **behaviour)
    server = ThreadingHTTPServer((HOST, 0), type("Handler", (_Handler,), {"pacs": pacs}))
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        pacs.scheme = "https"
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    pacs.port = server.server_address[1]
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    try:
        yield pacs
    finally:
        pacs.released.set()
        server.shutdown()
        server.server_close()
        serving.join()
