"""What stands between a browser on the hospital's network and the node's actions.

Tags of received objects are hostile input and the page changes what becomes of patients' results
(who may do that stands in `app.node.web.permissions`), so every answer forbids foreign and
inline scripts, every request must name a host that is ours (DNS rebinding), and everything that
changes something must come from the page itself (cross-site request forgery).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from app.errors import crash_line
from app.node.telemetry import events

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from app.node.telemetry.logs import Emit
    from app.settings import WebSettings

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # "no-referrer" would make browsers send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""On every answer."""

STAYS_ENCRYPTED: Final = {"Strict-Transport-Security": "max-age=31536000"}
"""On every answer by https (RFC 6797): browsers come by it alone for a year."""

PROBES: Final = frozenset({"/healthz", "/readyz"})
"""Asked by supervisors under whatever name they know us; they tell nothing and change nothing."""

WITHOUT_ACTOR: Final = PROBES | {"/metrics"}
"""Asked by machines that no proxy knows by name."""

API_HEADER: Final = "X-Spine-Node"
"""Programs send it (any value) with every action: no foreign page can without our consent."""

SESSION_COOKIE: Final = "spine_node_session"
MAX_BODY_BYTES: Final = 65536
"""Forms of this page hold a token and a word; anything longer is not ours."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not served.

    Attributes
    ----------
    status : int
        HTTP status.
    reason : str
        Name for the log.
    text : str
        For the person who reads the answer.
    """

    status: int
    reason: str
    text: str


def allowed_hosts(web: WebSettings) -> frozenset[str]:
    """Host names under which the page may be asked for, lower case, without ports."""
    own = {web.host.lower()} - _ANY_ADDRESS
    return _LOOPBACK | own | {name.lower() for name in web.allowed_hosts}


def headers_for(scope: Scope) -> dict[str, str]:
    """Headers that the answer to a request gets."""
    return HEADERS | (STAYS_ENCRYPTED if scope.get("scheme") == "https" else {})


def new_session() -> str:
    """Unguessable name of a browser session; it grants nothing by itself."""
    return secrets.token_hex(16)


def token_of(session: str, secret: bytes) -> str:
    """Token that our forms carry for this session.

    Parameters
    ----------
    session : str
        Value of the session cookie.
    secret : bytes
        The site's secret.

    Returns
    -------
    str
        64 hex digits; another site can neither read nor compute it.
    """
    key = hmac.new(secret, b"csrf token", hashlib.sha256).digest()
    return hmac.new(key, session.encode(), hashlib.sha256).hexdigest()


def is_token_of(token: str, session: str, secret: bytes) -> bool:
    """Whether `token` is the one of this session, compared in constant time."""
    return bool(session) and hmac.compare_digest(token.encode(), token_of(session, secret).encode())


def refusal_of(scope: Scope, web: WebSettings) -> Refusal | None:
    """Judge a request by its head alone.

    Parameters
    ----------
    scope : Scope
        ASGI scope of an HTTP request.
    web : WebSettings
        Of the site.

    Returns
    -------
    Refusal or None
        None where it may be served.
    """
    if scope["path"] in PROBES and scope["method"] in _SAFE_METHODS:
        return None
    headers = Headers(scope=scope)
    if _host_name(headers.get("host", "")) not in allowed_hosts(web):
        return Refusal(
            403, "host", "This host name is not allowed. Add it to node.web.allowed_hosts."
        )
    is_named = web.actor_header is None or bool(headers.get(web.actor_header, "").strip())
    if not is_named and scope["path"] not in WITHOUT_ACTOR:
        return Refusal(403, "actor", "The authenticating proxy did not name a user.")
    if scope["method"] in _SAFE_METHODS:
        return None
    return _refusal_of_change(scope["path"], headers)


def _refusal_of_change(path: str, headers: Headers) -> Refusal | None:
    host = headers.get("host", "").lower()
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host:
        return Refusal(403, "origin", "Actions are taken from the node's own page only.")
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return Refusal(403, "origin", "Actions are taken from the node's own page only.")
    if path.startswith("/api/") and API_HEADER not in headers:
        return Refusal(403, "header", f"Actions by API need the header {API_HEADER}.")
    if _body_is_too_long(headers):
        return Refusal(413, "length", "The request is too long.")
    return None


def _body_is_too_long(headers: Headers) -> bool:
    length = headers.get("content-length", "0")
    is_number = length.isascii() and length.isdigit()
    return "transfer-encoding" in headers or not is_number or int(length) > MAX_BODY_BYTES


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


class Guard:
    """The outermost layer: refuses, sets the headers, and is the border for whatever goes wrong.

    Parameters
    ----------
    app : ASGIApp
        What is guarded.
    web : WebSettings
        Allowed hosts and who names the actor.
    emit : Emit
        Event log.
    """

    def __init__(self, app: ASGIApp, web: WebSettings, emit: Emit) -> None:
        self._app = app
        self._web = web
        self._emit = emit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun, added = False, headers_for(scope)

        async def send_with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in added.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = refusal_of(scope, self._web)
        if refusal is not None:
            self._emit(events.REQUEST_REFUSED, reason=refusal.reason)
            answer = PlainTextResponse(refusal.text + "\n", refusal.status)
            await answer(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001 - the border of the page
            self._emit(events.INTERNAL_ERROR, role="web", place=crash_line(error))
            if not has_begun:
                answer = PlainTextResponse("Internal error; the node's log names the place.\n", 500)
                await answer(scope, receive, send_with_headers)
