"""Settings of TLS: our certificate, and whose we trust (DICOM PS3.15, B.12)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from app.settings.section import Section


class ListenerTlsSettings(Section):
    """How the listener shows who it is, and what it asks of senders."""

    certificate_file: Path
    """PEM: our certificate, then the intermediate ones."""
    key_file: Path
    """PEM: its private key, without a password; readable by the node's user alone."""
    trusted_file: Path | None = None
    """PEM: authorities by one of which senders must be certified. None: senders show nothing."""
    revoked_file: Path | None = None
    """PEM: the lists of certificates that these authorities revoked. A sender in it is refused, and
    everybody once it is outdated: a reload takes a newer one. None: nothing is looked up."""
    titles: dict[str, list[str]] = Field(default_factory=dict)
    """Calling AE title -> names (common name, DNS name), one of which its certificate must have;
    without TLS nobody may call by such a title."""

    @model_validator(mode="after")
    def _names_are_certified(self) -> ListenerTlsSettings:
        if self.trusted_file is None and (self.titles or self.revoked_file is not None):
            raise ValueError("titles and revoked_file need trusted_file: else senders show nothing")
        return self


class PageTlsSettings(Section):
    """How the page shows who it is."""

    certificate_file: Path
    """PEM: our certificate, then the intermediate ones; a new one is taken as it lies there."""
    key_file: Path
    """PEM: its private key, without a password; readable by the node's user alone."""


class PeerTlsSettings(Section):
    """How a peer is called over TLS."""

    trusted_file: Path | None = None
    """PEM: authorities by one of which it must be certified. None: those of the system."""
    revoked_file: Path | None = None
    """PEM: their lists of revoked certificates, read for every conversation."""
    certificate_file: Path | None = None
    """PEM: our certificate, where it asks for one."""
    key_file: Path | None = None
    """PEM: its private key, without a password."""
    server_name: str | None = None
    """Name in its certificate; default: `host`."""

    @model_validator(mode="after")
    def _has_both(self) -> PeerTlsSettings:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together")
        if self.revoked_file is not None and self.trusted_file is None:
            raise ValueError("revoked_file needs trusted_file")
        return self
