"""Settings of people: how long a log-in lasts, when it is locked, which groups have which role."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from app.settings.section import Section

RoleName = Literal["viewer", "operator", "administrator"]
"""What a person may do: look, act, see who did what; each may also do what the ones before may."""


class OpenIdSettings(Section):
    """Log-in by an identity provider (OpenID Connect Core 1.0, code flow with PKCE)."""

    issuer: str = Field(pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])\S+$")
    """Address of the provider; what it can do is asked of it (discovery)."""
    client_id: str = Field(min_length=1)
    """As which the node is registered there; its return address is
    `address`/log-in/openid/callback."""
    client_secret_file: Path | None = None
    """SPINE_NODE_OPENID_SECRET wins. Without either the node is a public client."""
    scopes: list[str] = Field(default=["openid", "profile"])
    """What is asked for; `openid` must be among them."""
    name_claim: str = Field(min_length=1, default="preferred_username")
    """Claim of the ID token by which the audit trail names the person; where missing, `sub`."""
    groups_claim: str = Field(min_length=1, default="groups")
    """Claim of the ID token that lists groups, which `groups` turns into a role."""
    trusted_file: Path | None = None
    """PEM: authorities by one of which it must be certified. None: those of the system."""
    label: str = Field(min_length=1, max_length=64, default="Log in by single sign-on")
    """On the button."""

    @field_validator("scopes")
    @classmethod
    def _ask_for_identity(cls, scopes: list[str]) -> list[str]:
        if "openid" not in scopes:
            raise ValueError("openid must be among the scopes")
        return scopes


class PeopleSettings(Section):
    """Who may use the page: accounts are made by ``spine-node users``, never here."""

    address: str | None = Field(pattern=r"^https?://[^/\s]+$", default=None)
    """Of the page as browsers reach it, such as https://spine.site.example; https: the cookie of
    a log-in goes by https alone. Needed where TLS ends in front of the page, and by `openid`."""
    idle_min: float = Field(gt=0, le=1440, default=30)
    """A log-in ends after so many minutes without a page asked for by the person."""
    longest_h: float = Field(gt=0, le=168, default=12)
    """A log-in ends after so many hours in any case."""
    failures: int = Field(ge=1, default=5)
    """Failed log-ins in a row after which an account is locked for `lock_min`."""
    address_failures: int = Field(ge=1, default=20)
    """The same, after which an address is locked; people behind one proxy share theirs."""
    lock_min: float = Field(gt=0, default=15)
    """How long, minutes."""
    groups_header: str | None = Field(pattern=r"^[A-Za-z0-9-]{1,64}$", default=None)
    """Request header in which an authenticating proxy lists the user's groups, separated by
    commas. None: whoever the proxy names is an administrator."""
    groups: dict[str, RoleName] = Field(default_factory=dict)
    """Group, as proxy or provider say it -> role. The highest counts; without any nobody enters."""
    openid: OpenIdSettings | None = None

    @model_validator(mode="after")
    def _provider_can_send_back(self) -> PeopleSettings:
        if self.openid is not None and (self.address is None or not self.groups):
            raise ValueError("openid needs address and groups")
        return self
