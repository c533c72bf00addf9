"""Settings of alerts: whom to tell that something needs a person, and by which way.

Passwords never stand in app.yaml: they come from the environment or from a file, and are read by
`app.settings.secret_of` at the moment they are needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from app.settings.section import Section


class MailSettings(Section):
    """Alerts by mail (SMTP)."""

    host: str = Field(min_length=1)
    """Of the mail server."""
    port: int = Field(ge=1, le=65535, default=587)
    """Of the mail server."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """none: only to a relay on the same machine or a closed network."""
    sender: str = Field(pattern=r"^[^\s@]+@[^\s@]+$")
    """Address that alerts come from."""
    recipients: list[str] = Field(min_length=1)
    """Addresses that are told."""
    user: str | None = None
    """For its log-in; null: without."""
    password_file: Path | None = None
    """SPINE_NODE_SMTP_PASSWORD wins."""

    @field_validator("recipients")
    @classmethod
    def _are_addresses(cls, recipients: list[str]) -> list[str]:
        if not all(part and part.isprintable() and "@" in part for part in recipients):
            raise ValueError("every recipient is a mail address")
        return recipients


class WebhookSettings(Section):
    """Alerts by HTTP POST of a JSON document."""

    url: SecretStr
    """http or https; hidden, since many services put their secret into the address."""
    secret_header: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$", default="Authorization")
    """Request header that carries the secret."""
    secret_file: Path | None = None
    """Value of the header; SPINE_NODE_WEBHOOK_SECRET wins. Without either there is no header."""

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, url: SecretStr) -> SecretStr:
        parts = urlsplit(url.get_secret_value())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("the address begins with http:// or https:// and names a host")
        return url

    @property
    def host(self) -> str:
        """Name of the host alone, for the page."""
        return urlsplit(self.url.get_secret_value()).hostname or ""


class AlertSettings(Section):
    """What needs a person, and who is told. Without mail and webhook: the page and metrics."""

    mail: MailSettings | None = None
    webhook: WebhookSettings | None = None
    look_every_s: float = Field(gt=0, default=10)
    """Between two looks at what needs a person."""
    after_s: float = Field(ge=0, default=60)
    """Something must need a person for this long before it is told, s; a restart takes less."""
    remind_after_h: float = Field(gt=0, default=24)
    """What still needs a person is told again after this time."""
    stalled_after_s: float = Field(gt=0, default=900)
    """A running job without progress for this long needs a person, s; published-size models on
    two cores report at least once per minute."""
    page_address: str | None = None
    """Address of the page as its readers reach it, for links in messages."""

    @property
    def channels(self) -> frozenset[str]:
        """Names of the ways that are set up."""
        ways = {"mail": self.mail, "webhook": self.webhook}
        return frozenset(name for name, way in ways.items() if way is not None)
