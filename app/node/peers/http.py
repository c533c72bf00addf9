"""One HTTP conversation with an origin server: TLS, who we are, and a limit on every wait.

Only the settings decide where it goes: no redirect is followed, and proxies and passwords that
the environment names are left alone. What a server answers is never repeated in a message.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import httpx

from app.errors import ConfigurationError, PeerUnreachableError
from app.node.tls import client_context
from app.settings import secret_of
from app.settings.tls import PeerTlsSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.node.peers.dimse import Patience
    from app.node.peers.stow import Body
    from app.settings.peers import DicomwebPeerSettings

LONGEST_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""A longer answer is none that was asked for."""

_LONGEST_NUMBER: Final = 10
_JSON: Final = {"Accept": "application/dicom+json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status and body of a response.

    `retry_after_s`: how long the server asks to be left alone (RFC 9110, 10.2.3); None: not said.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None


class Conversation:
    """Requests over one connection; made by `conversation`."""

    def __init__(
        self, client: httpx.Client, peer: DicomwebPeerSettings, patience: Patience
    ) -> None:
        """Keep the client and the limits."""
        self._client = client
        self._patience = patience
        name = None if peer.tls is None else peer.tls.server_name
        self._extensions = {} if name is None else {"sni_hostname": name}

    def get(self, path: str, query: Mapping[str, str]) -> HttpAnswer:
        """Ask for DICOM JSON.

        Raises
        ------
        PeerUnreachableError
            If there is no connection or no whole answer in time.
        """
        return self._ask("GET", path, 0, params=query, headers=_JSON)

    def post(self, path: str, body: Body) -> HttpAnswer:
        """Send an object.

        Raises
        ------
        PeerUnreachableError
            If there is no connection or no whole answer in time.
        OSError
            If its file cannot be read.
        """
        content = self._within(body, self._limit_s(body.size_bytes))
        headers = {**_JSON, **body.headers}
        return self._ask("POST", path, body.size_bytes, content=content, headers=headers)

    def _limit_s(self, size_bytes: int) -> float:
        return self._patience.message_s + size_bytes / self._patience.bytes_per_s

    def _ask(self, method: str, path: str, size_bytes: int, **request: Any) -> HttpAnswer:  # noqa: ANN401
        limit_s = self._limit_s(size_bytes)
        timeout = httpx.Timeout(limit_s, connect=self._patience.connect_s)
        body = bytearray()
        try:
            with self._client.stream(
                method, path, timeout=timeout, extensions=self._extensions, **request
            ) as response:
                for chunk in self._within(response.iter_bytes(), limit_s):
                    body += chunk
                    if len(body) > LONGEST_ANSWER_BYTES:
                        raise _silent("answer_too_long")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _silent(_failure(error)) from error
        pause_s = retry_after_s(response.headers.get("Retry-After", ""), time.time())
        return HttpAnswer(response.status_code, bytes(body), pause_s)

    @staticmethod
    def _within(chunks: Iterator[bytes] | Body, limit_s: float) -> Iterator[bytes]:
        """Pieces of a body, as long as the whole of it stays within a time."""
        deadline = time.monotonic() + limit_s
        for chunk in chunks:
            if time.monotonic() > deadline:
                raise _silent("no_answer")
            yield chunk


def retry_after_s(text: str, now: float) -> float | None:
    """Read the header Retry-After.

    Parameters
    ----------
    text : str
        Seconds or an HTTP date; anything else counts as not said.
    now : float
        Epoch seconds.

    Returns
    -------
    float or None
        Seconds from now, not negative.

    Examples
    --------
    >>> retry_after_s("120", 0.0), retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", 10.0)
    (120.0, 50.0)
    >>> retry_after_s("soon", 0.0) is None
    True
    """
    word = text.strip()
    if word.isascii() and word.isdigit() and len(word) < _LONGEST_NUMBER:
        return float(word)
    try:
        return max(0.0, parsedate_to_datetime(word).timestamp() - now)
    except (ValueError, OverflowError):
        return None


@contextmanager
def conversation(peer: DicomwebPeerSettings, patience: Patience) -> Iterator[Conversation]:
    """Open a conversation; the connection is made by its first request.

    Parameters
    ----------
    peer : DicomwebPeerSettings
        Whom to call, and how we say who we are.
    patience : Patience
        Limits on every wait.

    Yields
    ------
    Conversation
        Closed at the end.

    Raises
    ------
    PeerUnreachableError
        If the secret or a certificate cannot be used: the next attempt reads them anew.
    """
    try:
        context = client_context(peer.tls or PeerTlsSettings())
    except ConfigurationError as error:
        raise _silent("certificate_unusable") from error
    with httpx.Client(
        base_url=peer.url,
        verify=context,
        auth=_authentication(peer),
        follow_redirects=False,
        trust_env=False,
    ) as client:
        yield Conversation(client, peer, patience)


def _authentication(peer: DicomwebPeerSettings) -> httpx.Auth | None:
    if peer.authentication == "none":
        return None
    try:
        secret = secret_of(peer.secret_variable or "", peer.secret_file)
    except ConfigurationError as error:
        raise _silent("secret_unreadable") from error
    text = "" if secret is None else secret.get_secret_value()
    if not text or not text.isprintable() or not text.isascii():
        raise _silent("secret_unusable")
    if peer.authentication == "basic":
        return httpx.BasicAuth(peer.user or "", text)
    return _Bearer(text)


class _Bearer(httpx.Auth):
    """RFC 6750, 2.1."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


_FAILURES: Final[Mapping[type[BaseException], str]] = {
    ssl.SSLError: "tls_failed",
    socket.gaierror: "host_unknown",
    httpx.ConnectError: "unreachable",
    httpx.ConnectTimeout: "unreachable",
    httpx.InvalidURL: "unreachable",
    httpx.HTTPError: "no_answer",
}
"""What went wrong below a request -> its name; the first row that is in the chain of causes."""


def _failure(error: BaseException) -> str:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return next(
        name for kind, name in _FAILURES.items() if any(isinstance(one, kind) for one in chain)
    )


def _silent(reason: str) -> PeerUnreachableError:
    return PeerUnreachableError(f"no answer from the peer ({reason})", reasons=(reason,))
