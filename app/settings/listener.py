"""Settings of the listener: who may send what to the node."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from app.settings.peers import AeTitle
from app.settings.section import Section
from app.settings.tls import ListenerTlsSettings
from operators.dicom.headers.mr_images import MR_IMAGE_CLASSES

SopClassUid = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)+$", max_length=64)]


class ListenerSettings(Section):
    """Who may send what to the node. Loopback until a site says otherwise."""

    ae_title: AeTitle = "SPINENODE"
    """Ours, as senders call it."""
    also_called: list[AeTitle] = Field(default_factory=list)
    """Further called AE titles that are accepted; routes may distinguish them."""
    host: str = "127.0.0.1"
    """Address to bind; 0.0.0.0 or :: for every one."""
    port: int | None = Field(ge=0, le=65535, default=11112)
    """None: no port without TLS."""
    tls_port: int | None = Field(ge=0, le=65535, default=None)
    """Port for DICOM TLS; 2762 is the registered one. Needs `tls`."""
    tls: ListenerTlsSettings | None = None
    calling_ae_titles: list[AeTitle] = Field(default_factory=list)
    """Empty: every calling AE title."""
    networks: list[IPv4Network | IPv6Network] = Field(default_factory=list)
    """CIDR blocks senders may come from. Empty: every address that reaches `host`."""
    max_associations: int = Field(ge=1, default=64)
    """Open at once; more are rejected for now (2/3/2)."""
    max_associations_per_peer: int = Field(ge=1, default=32)
    """The same, from one address."""
    acse_timeout_s: float = Field(gt=0, default=5)
    """For a request, a TLS handshake, a release."""
    dimse_timeout_s: float = Field(gt=0, default=30)
    """Between messages of an association."""
    network_timeout_s: float = Field(gt=0, default=60)
    """Without a byte, within a message."""
    max_pdu_bytes: int = Field(ge=4096, default=131072)
    """Longest PDU that is taken."""
    extra_sop_classes: list[str] = Field(default_factory=list)
    """Further storage SOP class UIDs that are stored (never segmented)."""
    dropped_sop_classes: list[SopClassUid] = Field(default_factory=list)
    """Storage SOP class UIDs that are accepted, answered 0x0000, counted and not kept: for
    senders that cannot be told to leave them out. MR images cannot be among them."""

    @model_validator(mode="after")
    def _has_a_port(self) -> ListenerSettings:
        if (self.tls_port is None) != (self.tls is None):
            raise ValueError("tls_port and tls belong together")
        if self.port is None and self.tls_port is None:
            raise ValueError("there is neither port nor tls_port")
        return self

    @field_validator("dropped_sop_classes")
    @classmethod
    def _keeps_mr_images(cls, uids: list[str]) -> list[str]:
        if MR_IMAGE_CLASSES.intersection(uids):
            raise ValueError("MR images cannot be dropped")
        return uids
