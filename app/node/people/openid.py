"""Log-in by an identity provider: OpenID Connect Core 1.0, code flow with PKCE (RFC 7636).

Authlib writes the requests and judges the ID token's claims, joserfc its signature; the requests
themselves are ours, by the TLS of the house.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from app.errors import ConfigurationError, OpenIdFailedError
from app.node.people.roles import Person, highest_role
from app.node.tls import client_context
from app.settings import secret_of
from app.settings.tls import PeerTlsSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.settings.people import OpenIdSettings, PeopleSettings

CALLBACK: Final = "/log-in/openid/callback"
_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
"""Signatures by a key of the provider's alone: neither "none" nor a shared secret."""
_TIMEOUT_S: Final = 10.0
_LEEWAY_S: Final = 60
"""Clocks of provider and node may differ by so much, s."""
_UNDER_WAY_S: Final = 600.0
"""How long somebody may take at the provider, s."""
_SECRET: Final = "SPINE_NODE_OPENID_SECRET"  # noqa: S105 - a variable's name
_LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A log-in that has been begun; lies, signed, in a cookie of the browser that began it.

    Attributes
    ----------
    state, nonce, verifier : str
        Bind answer, ID token and code to this browser.
    back : str
        Where to lead afterwards.
    began_at : float
        Epoch seconds.
    """

    state: str
    nonce: str
    verifier: str = field(repr=False)
    back: str
    began_at: float

    @classmethod
    def begin(cls, back: str, now: float) -> UnderWay:
        """Draw what nobody can guess."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state=state, nonce=nonce, verifier=verifier, back=back, began_at=now)

    def sealed(self, secret: bytes) -> str:
        """Write it for a cookie."""
        content = base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode("ascii")
        return f"{content}.{_seal_of(content, secret)}"

    @classmethod
    def opened(cls, cookie: str, secret: bytes, now: float) -> UnderWay:
        """Read it from a cookie.

        Raises
        ------
        OpenIdFailedError
            ``not_begun_here``: none, not ours, or too old.
        """
        content, _, seal = cookie.partition(".")
        if not hmac.compare_digest(seal.encode(), _seal_of(content, secret).encode()):
            raise OpenIdFailedError(reasons=("not_begun_here",))
        made = cls(**json.loads(base64.urlsafe_b64decode(content)))
        if not 0 <= now - made.began_at <= _UNDER_WAY_S:
            raise OpenIdFailedError(reasons=("not_begun_here",))
        return made


def _seal_of(content: str, secret: bytes) -> str:
    key = hmac.new(secret, b"openid log-in", hashlib.sha256).digest()
    return hmac.new(key, content.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Provider:
    """The identity provider of a site.

    Attributes
    ----------
    settings : OpenIdSettings
        Of the provider.
    people : PeopleSettings
        Address of the page, and the roles of groups.
    """

    settings: OpenIdSettings
    people: PeopleSettings

    def address_of(self, log_in: UnderWay) -> str:
        """Where to send the browser.

        Raises
        ------
        OpenIdFailedError
            ``provider_unreachable``, ``provider_unusable``.
        """
        with self._client() as client:
            endpoint = self._discover(client)["authorization_endpoint"]
        address: str = prepare_grant_uri(
            endpoint,
            client_id=self.settings.client_id,
            response_type="code",
            redirect_uri=self._back,
            scope=" ".join(self.settings.scopes),
            state=log_in.state,
            nonce=log_in.nonce,
            code_challenge=create_s256_code_challenge(log_in.verifier),
            code_challenge_method="S256",
        )
        return address

    def person_of(self, code: str, log_in: UnderWay, *, address: str, now: float) -> Person:
        """Exchange a code for the word of the provider.

        Parameters
        ----------
        code : str
            As the browser brought it.
        log_in : UnderWay
            What was begun.
        address : str
            Where the browser is.
        now : float
            Epoch seconds.

        Returns
        -------
        Person
            With the highest role that its groups give.

        Raises
        ------
        OpenIdFailedError
            ``provider_unreachable``, ``provider_unusable``, ``code_refused``, ``token_unusable``,
            ``no_role``.
        """
        with self._client() as client:
            known = self._discover(client)
            answer = self._exchange(client, known, code, log_in.verifier)
            keys = _json(client, "GET", known["jwks_uri"])
        claims = self._claims(answer, keys, log_in.nonce, now)
        groups = claims.get(self.settings.groups_claim) or ()
        listed = [groups] if isinstance(groups, str) else [str(group) for group in groups]
        role = highest_role(listed, self.people.groups)
        if role is None:
            raise OpenIdFailedError(reasons=("no_role",))
        said = str(claims.get(self.settings.name_claim) or claims["sub"])
        name = "".join(letter for letter in said if letter.isprintable())[:_LONGEST_NAME]
        return Person(name=name, role=role, way="openid", address=address)

    @property
    def _back(self) -> str:
        return f"{self.people.address}{CALLBACK}"

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        try:
            context = client_context(PeerTlsSettings(trusted_file=self.settings.trusted_file))
            with httpx.Client(verify=context, timeout=_TIMEOUT_S, trust_env=False) as client:
                yield client
        except (httpx.HTTPError, OSError) as error:
            raise OpenIdFailedError(reasons=("provider_unreachable",)) from error
        except (ConfigurationError, ValueError, KeyError, TypeError) as error:
            raise OpenIdFailedError(reasons=("provider_unusable",)) from error

    def _discover(self, client: httpx.Client) -> Mapping[str, Any]:
        """Ask what the provider can do (OpenID Connect Discovery 1.0, 4)."""
        issuer = self.settings.issuer
        known = _json(client, "GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if known["issuer"] != issuer:
            raise OpenIdFailedError(reasons=("provider_unusable",))
        return known

    def _exchange(
        self, client: httpx.Client, known: Mapping[str, Any], code: str, verifier: str
    ) -> Mapping[str, Any]:
        secret = secret_of(_SECRET, self.settings.client_secret_file)
        told = {"code": code, "code_verifier": verifier, "client_id": self.settings.client_id}
        body = prepare_token_request("authorization_code", redirect_uri=self._back, **told)
        auth: httpx.Auth | None = None
        if secret is not None:
            # Both are form-encoded first (RFC 6749, 2.3.1).
            pair = (self.settings.client_id, secret.get_secret_value())
            auth = httpx.BasicAuth(*(quote(part, safe="") for part in pair))
        answer = client.post(
            known["token_endpoint"],
            content=body,
            auth=auth or httpx.USE_CLIENT_DEFAULT,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        if answer.status_code != httpx.codes.OK:
            raise OpenIdFailedError(reasons=("code_refused",))
        told_back: Mapping[str, Any] = answer.json()
        return told_back

    def _claims(
        self, answer: Mapping[str, Any], keys: Mapping[str, Any], nonce: str, now: float
    ) -> Mapping[str, Any]:
        """Judge the ID token (OpenID Connect Core 1.0, 3.1.3.7)."""
        client_id = self.settings.client_id
        wanted = {
            "iss": {"essential": True, "value": self.settings.issuer},
            "aud": {"essential": True, "value": client_id},
        }
        bound = {"nonce": nonce, "client_id": client_id, "access_token": answer.get("access_token")}
        try:
            key_set = KeySet.import_key_set({"keys": list(keys["keys"])})
            token = jwt.decode(answer["id_token"], key_set, algorithms=_ALGORITHMS)
            claims = CodeIDToken(token.claims, token.header, wanted, bound)
            claims.validate(int(now), _LEEWAY_S)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise OpenIdFailedError(reasons=("token_unusable",)) from error
        judged: Mapping[str, Any] = claims
        return judged


def _json(client: httpx.Client, method: str, address: str) -> Mapping[str, Any]:
    answer = client.request(method, address)
    if answer.status_code != httpx.codes.OK:
        raise OpenIdFailedError(reasons=("provider_unusable",))
    content: Mapping[str, Any] = answer.json()
    return content
