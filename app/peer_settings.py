"""Settings of peers: whom the node talks to and by what, and where the results of a source go."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.section import Section
from app.tls_settings import PeerTlsSettings

AeTitle = Annotated[str, Field(pattern=r"^[!-\[\]-~][ -\[\]-~]{0,15}$")]
"""Application Entity title: 1-16 characters without backslash (DICOM PS3.5, 6.2, VR AE)."""

Priority = Literal["urgent", "normal", "batch"]


class _Named(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    """As routes, page and logs call it."""


class DimsePeerSettings(_Named):
    """A DICOM application entity the node talks to; what is meant where `kind` is left out."""

    kind: Literal["dimse"] = "dimse"
    """By DIMSE: C-STORE, C-FIND, C-MOVE."""
    ae_title: AeTitle
    """Its AE title."""
    host: str
    """Name or address."""
    port: int = Field(ge=1, le=65535)
    """TCP port."""
    can_find: bool = True
    """Offers C-FIND (study root): used to count a series and to confirm deliveries."""
    can_move: bool = False
    """Offers C-MOVE and knows this node: used to repair incomplete series."""
    tls: PeerTlsSettings | None = None
    """Call it over TLS."""

    @property
    def address(self) -> str:
        """Where it is, for people."""
        return f"{self.ae_title}@{self.host}:{self.port}"


PeerSettings = DimsePeerSettings
"""A peer of any kind."""


class RouteSettings(Section):
    """Where results of a source go. The first route that matches decides."""

    calling_ae_title: AeTitle | None = None
    """Of the sender; null: of any."""
    called_ae_title: AeTitle | None = None
    """That the sender called; null: any of ours."""
    origin: str | None = None
    """Peer asked by C-FIND/C-MOVE for the series; default: the peer with the sender's AE title."""
    destinations: list[str] = Field(default_factory=list)
    """Names of peers that are sent the results."""
    priority: Priority = "normal"
    """Of the jobs."""
