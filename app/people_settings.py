"""Settings of people: how long a log-in lasts, when it is locked, which groups have which role."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.section import Section

RoleName = Literal["viewer", "operator", "administrator"]
"""What a person may do: look, act, see who did what; each may also do what the ones before may."""


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
