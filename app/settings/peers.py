"""Settings of peers: whom the node talks to and by what, and where the results of a source go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from app.settings.section import Section
from app.settings.tls import PeerTlsSettings
from operators.dicom.identity.result_kinds import DELIVERED, OBJECT_CLASSES, SEGMENTATION

AeTitle = Annotated[str, Field(pattern=r"^[!-\[\]-~][ -\[\]-~]{0,15}$")]
"""Application Entity title: 1-16 characters without backslash (DICOM PS3.5, 6.2, VR AE)."""

Priority = Literal["urgent", "normal", "batch"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class _Named(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    """As routes, page and logs call it."""
    objects: list[str] | None = Field(min_length=1, default=None)
    """Results it is sent as a destination: segmentation, report, pdf, preview; what is listed, it
    has to take. null: segmentation and report, and where it takes no such objects as report, that
    is told and no failure."""

    @field_validator("objects")
    @classmethod
    def _are_kinds_of_objects(cls, groups: list[str] | None) -> list[str] | None:
        unknown = set(groups or ()).difference(OBJECT_CLASSES)
        if unknown:
            known = ", ".join(OBJECT_CLASSES)
            raise ValueError(f"no such objects: {', '.join(sorted(unknown))}; there are {known}")
        return groups

    @property
    def sent_objects(self) -> tuple[str, ...]:
        """Groups of results that it is sent (`operators.dicom.identity.result_kinds`)."""
        return DELIVERED if self.objects is None else tuple(self.objects)

    @property
    def required_objects(self) -> frozenset[str]:
        """Groups of results that it has to take: a refusal of these needs a person."""
        return frozenset((SEGMENTATION,) if self.objects is None else self.objects)


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
    can_commit: bool = False
    """Offers storage commitment (push model) and knows this node: an object counts as delivered
    when the peer has committed its storage."""
    tls: PeerTlsSettings | None = None
    """Call it over TLS."""

    @property
    def address(self) -> str:
        """Where it is, for people."""
        return f"{self.ae_title}@{self.host}:{self.port}"


class DicomwebPeerSettings(_Named):
    """A DICOMweb origin server that is sent results (`kind: dicomweb`)."""

    kind: Literal["dicomweb"]
    """By HTTP (PS3.18): STOW-RS, QIDO-RS."""
    url: str
    """Of its studies service, without `/studies`: `https://pacs.example/dicom-web`."""
    can_find: bool = True
    """Offers QIDO-RS: used to confirm deliveries."""
    authentication: Literal["none", "basic", "bearer"] = "none"
    """How the node says who it is, beside a client certificate (`tls`); the others need https."""
    user: str | None = None
    """For basic."""
    secret_file: Path | None = None
    """Holds the password of `user`, or the bearer token; read anew for every conversation."""
    secret_variable: str | None = Field(pattern=r"^[A-Z_][A-Z0-9_]*$", default=None)
    """Environment variable that holds it; wins over the file."""
    tls: PeerTlsSettings | None = None
    """For https: whom to trust and our certificate. None: the authorities of the system."""

    @field_validator("url")
    @classmethod
    def _is_base_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii():
            raise ValueError("the address begins with http:// or https:// and names a host")
        if parts.username is not None or parts.password is not None:
            raise ValueError("user and password do not belong into the address")
        if parts.query or parts.fragment:
            raise ValueError("the address ends with its path")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _keeps_its_secret(self) -> DicomwebPeerSettings:
        parts = urlsplit(self.url)
        if self.tls is not None and parts.scheme != "https":
            raise ValueError("tls needs an address that begins with https://")
        if (self.user is not None) != (self.authentication == "basic"):
            raise ValueError("user and authentication: basic belong together")
        has_secret = self.secret_file is not None or self.secret_variable is not None
        if has_secret != (self.authentication != "none"):
            raise ValueError("authentication needs secret_file or secret_variable, they need it")
        if has_secret and parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ValueError("a secret is sent by https only")
        return self

    @property
    def address(self) -> str:
        """Where it is, for people."""
        return self.url


def _kind_of(peer: object) -> object:
    """Kind of a peer; older files name none."""
    return peer.get("kind", "dimse") if isinstance(peer, dict) else getattr(peer, "kind", None)


PeerSettings = Annotated[
    Annotated[DimsePeerSettings, Tag("dimse")] | Annotated[DicomwebPeerSettings, Tag("dicomweb")],
    Discriminator(
        _kind_of,
        custom_error_type="peer_kind",
        custom_error_message="a peer's kind is dimse or dicomweb",
    ),
]
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
