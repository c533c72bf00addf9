"""Settings of the audit trail's copy elsewhere: DICOM audit messages by syslog over TLS."""

from __future__ import annotations

from pydantic import Field

from app.settings.section import Section
from app.settings.tls import PeerTlsSettings


class SyslogSettings(Section):
    """The audit server: DICOM audit messages (PS3.15, A.5 and A.6) by RFC 5425."""

    host: str = Field(min_length=1)
    """Of the server."""
    port: int = Field(ge=1, le=65535, default=6514)
    """Of the server; 6514 is the registered one."""
    tls: PeerTlsSettings = PeerTlsSettings()
    every_s: float = Field(gt=0, default=10)
    """Between two looks for new rows; after a failure six times as long."""
    timeout_s: float = Field(gt=0, default=10)
    """For connecting, for sending, and for the server's end of the connection."""


class AuditSettings(Section):
    """Where the audit trail goes beside the journal. Without a server: nowhere."""

    syslog: SyslogSettings | None = None
