"""A small identity provider on loopback: discovery, code flow with PKCE, ID tokens it signs.

It follows OpenID Connect Core 1.0 unless it is told to lie.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

CLIENT_ID = "spine node"
CLIENT_SECRET = "s3cret/of the client"  # noqa: S105 - of a test


@dataclass
class OpenIdProvider:
    """What it knows, what it says, and how it lies.

    Attributes
    ----------
    claims : dict
        Of the person who logs in, beside those of the protocol; also overwrites them.
    lie : str
        ``""``, ``other_key``, ``unsigned``, ``shared_secret``, ``other_issuer``, ``refuse``,
        ``no_token``, ``html``.
    asked : list
        Requests that came, by path.
    """

    issuer: str
    now: float
    claims: dict[str, Any] = field(default_factory=dict)
    lie: str = ""
    asked: list[str] = field(default_factory=list)
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "one"}))
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def discovery(self) -> dict[str, Any]:
        issuer = "https://other.example" if self.lie == "other_issuer" else self.issuer
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """Address to go back to; who goes there is logged in."""
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        assert asked["tenant"] == "1"
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        back = {"code": code, "state": asked["state"]}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self._codes.pop(form["code"], None)
        challenge = hashlib.sha256(form["code_verifier"].encode()).digest()
        told = base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
        expected = base64.b64encode(b"spine%20node:s3cret%2Fof%20the%20client").decode()
        is_right = (
            asked is not None
            and form["grant_type"] == "authorization_code"
            and form["redirect_uri"] == asked["redirect_uri"]
            and told == asked["code_challenge"]
            and authorization == f"Basic {expected}"
        )
        if not is_right or self.lie == "refuse":
            return 400, {"error": "invalid_grant"}
        if self.lie == "no_token":
            return 200, {"access_token": "a", "token_type": "Bearer"}
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": self._token(asked)}

    def _token(self, asked: dict[str, str]) -> str:
        claims = {
            "iss": self.issuer,
            "sub": "4711",
            "aud": CLIENT_ID,
            "exp": int(self.now) + 300,
            "iat": int(self.now),
            "nonce": asked["nonce"],
        } | self.claims
        if self.lie == "unsigned":
            head, body = (
                base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
                for part in ({"alg": "none"}, claims)
            )
            return f"{head}.{body}."
        if self.lie == "shared_secret":
            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET * 2))
        other = ECKey.generate_key("P-256", {"kid": "one"})
        key = other if self.lie == "other_key" else self.key
        return jwt.encode({"alg": "ES256", "kid": "one"}, claims, key)


class _Server(ThreadingHTTPServer):
    provider: OpenIdProvider


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        parts, provider = urlsplit(self.path), self.server.provider
        provider.asked.append(parts.path)
        if parts.path == "/authorize":
            asked = {name: value[0] for name, value in parse_qs(parts.query).items()}
            link = provider.authorize(asked).replace("&", "&amp;")
            self._send(200, f'<a href="{link}">Sign in as Ben</a>'.encode(), "text/html")
        elif parts.path == "/keys":
            self._send_json(200, {"keys": [provider.key.as_dict(private=False)]})
        elif provider.lie == "html":
            self._send(200, b"<html>", "text/html")
        else:
            self._send_json(200, provider.discovery())

    def do_POST(self) -> None:
        self.server.provider.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: value[0] for name, value in parse_qs(body).items()}
        authorization = self.headers.get("Authorization", "")
        self._send_json(*self.server.provider.exchange(form, authorization))

    def _send_json(self, status: int, content: dict[str, Any]) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running_provider(now: float) -> Iterator[OpenIdProvider]:
    """Serve until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    provider = OpenIdProvider(issuer=f"http://127.0.0.1:{server.server_port}", now=now)
    server.provider = provider
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
