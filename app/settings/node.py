"""Settings of the node: ``spine-node serve`` and its processes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from app.settings.alerts import AlertSettings
from app.settings.audit import AuditSettings
from app.settings.listener import ListenerSettings
from app.settings.patients import PatientSettings
from app.settings.peers import DimsePeerSettings, PeerSettings, RouteSettings
from app.settings.people import PeopleSettings
from app.settings.section import Section
from app.settings.tls import PageTlsSettings

Release = Literal["hold", "auto"]


class CompletenessSettings(Section):
    """When a series counts as complete."""

    quiet_s: float = Field(gt=0, default=30)
    """Without proof of completeness: seconds after the last object or association end."""
    deadline_s: float = Field(gt=0, default=900)
    """A series proven incomplete is held for a person after this time without a new object."""
    query_after_s: float = Field(ge=0, default=0.5)
    """Quiet time before a peer is asked for the number of images, s."""


class WorkerSettings(Section):
    """The inference child and the engine's limits."""

    inference_timeout_s: float = Field(gt=0, default=1800)
    """One series, s; published-size models on two cores need minutes."""
    inference_stall_s: float = Field(gt=0, default=600)
    """A child that computes, but has told no progress for this long is killed, s."""
    inference_idle_s: float = Field(gt=0, default=60)
    """A child with work that has used no processor time for this long hangs and is killed, s."""
    memory_limit_mb: int = Field(ge=500, default=12000)
    """An inference child that needs more is ended."""
    attempts: int = Field(ge=1, default=3)
    """Attempts of a segmentation that failed in a retryable way, or deaths of the child."""
    retry_after_s: float = Field(ge=0, default=5)
    """Before the next attempt."""
    lease_s: float = Field(ge=1, default=30)
    """A process silent for this long counts as lost, and a worker's jobs are taken over, s. Each
    reports six times in it, at least every 5 s; in less than 1 s a busy disk takes no six."""
    grace_s: float = Field(ge=0, default=60)
    """How long a running job may finish after SIGTERM."""


class DeliverySettings(Section):
    """How results leave."""

    release: Release = "hold"
    """hold: a person releases each result; auto: it leaves at once, unless the quality gate
    withholds it: that waits for a person in any case."""
    first_delay_s: float = Field(gt=0, default=5)
    """After a first failure; doubled after each further one."""
    longest_delay_s: float = Field(gt=0, default=900)
    """Longest pause between attempts."""
    give_up_after_h: float = Field(gt=0, default=72)
    """Then a person decides."""
    confirm_after_s: float = Field(ge=0, default=0)
    """Wait before the destination is asked for the object."""
    confirm_deadline_s: float = Field(gt=0, default=600)
    """Sent but not found by C-FIND or QIDO-RS after this time: sent again."""
    commit_deadline_s: float = Field(gt=0, default=86400)
    """Without a report on storage commitment after this time a person is told, and the destination
    is asked again, s; archives that commit after a copy at night need hours."""


class RetentionSettings(Section):
    """What is deleted when; received images only after every delivery is confirmed."""

    received_days: float = Field(ge=0, default=14)
    """Images of segmented series."""
    rejected_days: float = Field(ge=0, default=3)
    """Images of series that were not segmented."""
    discarded_days: float = Field(ge=0, default=7)
    """What a person discarded."""
    results_days: float = Field(ge=0, default=90)
    """Result objects after their delivery."""
    connections_days: float = Field(ge=0, default=7)
    """Record of who connected."""
    texts_days: float = Field(ge=0, default=365)
    """Descriptions, decisions, records and progress; identifiers, digests and states stay.
    Copies of the journal that an upgrade left go whole."""
    disk_reserve_mb: int = Field(ge=0, default=2000)
    """Below this much free space objects are answered 0xA700."""


class WebSettings(Section):
    """The web page. Beyond loopback only where people log in, or a proxy names them."""

    host: str = "127.0.0.1"
    """Address to bind."""
    port: int = Field(ge=0, le=65535, default=8088)
    """Of page, API, probes and metrics."""
    tls: PageTlsSettings | None = None
    allowed_hosts: list[str] = Field(default_factory=list)
    """Further host names the page may be asked for (behind a proxy); loopback names always may."""
    actor_header: str | None = Field(pattern=r"^[A-Za-z0-9-]{1,64}$", default=None)
    """Request header in which an authenticating proxy names the user, for the audit trail.
    Where set, requests without it are refused, accounts do not count, and the proxy must be the
    only way in."""


class NodeSettings(Section):
    """The PACS node (``spine-node serve``)."""

    data: Path = Path("spine-node-data")
    """Spool, journal, results; relative to the working directory. SPINE_NODE_DATA wins."""
    database_url: str | None = None
    """PostgreSQL for several workers; default: SQLite in `data`. SPINE_NODE_DATABASE_URL wins."""
    log_level: Literal["debug", "info", "warning", "error"] = "debug"
    """Least severe events that every process logs; ``serve`` itself keeps it until it ends."""
    hung_after_s: float = Field(gt=0, default=20)
    """A process of ``serve`` without a sign of life for this long is killed and started again."""
    listener: ListenerSettings = ListenerSettings()
    peers: list[PeerSettings] = Field(default_factory=list)
    routes: list[RouteSettings] = Field(default_factory=list)
    completeness: CompletenessSettings = CompletenessSettings()
    worker: WorkerSettings = WorkerSettings()
    delivery: DeliverySettings = DeliverySettings()
    retention: RetentionSettings = RetentionSettings()
    patients: PatientSettings = PatientSettings()
    web: WebSettings = WebSettings()
    people: PeopleSettings = PeopleSettings()
    audit: AuditSettings = AuditSettings()
    alerts: AlertSettings = AlertSettings()

    @model_validator(mode="after")
    def _names_exist(self) -> NodeSettings:
        names = [peer.name for peer in self.peers]
        if len(set(names)) != len(names):
            raise ValueError("two peers have the same name")
        for route in self.routes:
            unknown = {*route.destinations, *filter(None, [route.origin])}.difference(names)
            if unknown:
                raise ValueError(f"a route names unknown peers: {', '.join(sorted(unknown))}")
            if route.origin is not None and route.origin not in {one.name for one in self.entities}:
                raise ValueError("the origin of a route is a peer of the kind dimse")
        return self

    def peer(self, name: str) -> PeerSettings | None:
        """Peer of that name."""
        return next((peer for peer in self.peers if peer.name == name), None)

    @property
    def entities(self) -> tuple[DimsePeerSettings, ...]:
        """Peers that are DICOM application entities."""
        return tuple(peer for peer in self.peers if isinstance(peer, DimsePeerSettings))

    def route_of(self, calling_ae_title: str, called_ae_title: str) -> RouteSettings:
        """First route that matches; an empty one (nothing is delivered) where none does."""
        for route in self.routes:
            if route.calling_ae_title in {None, calling_ae_title} and (
                route.called_ae_title in {None, called_ae_title}
            ):
                return route
        return RouteSettings()
