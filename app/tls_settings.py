"""Settings of TLS: our certificate, and whose we trust (DICOM PS3.15, B.12)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from app.section import Section


class ListenerTlsSettings(Section):
    """How the listener shows who it is, and what it asks of senders."""

    certificate_file: Path
    """PEM: our certificate, then the intermediate ones."""
    key_file: Path
    """PEM: its private key, without a password; readable by the node's user alone."""
    trusted_file: Path | None = None
    """PEM: authorities by one of which senders must be certified. None: senders show nothing."""
    titles: dict[str, list[str]] = Field(default_factory=dict)
    """Calling AE title -> names (common name, DNS name), one of which its certificate must have;
    without TLS nobody may call by such a title."""

    @model_validator(mode="after")
    def _names_are_certified(self) -> ListenerTlsSettings:
        if self.titles and self.trusted_file is None:
            raise ValueError("titles need trusted_file: senders must show a certificate")
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
        return self
