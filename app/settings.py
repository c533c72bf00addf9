"""What the site decided: app.yaml and the environment, read here and nowhere else.

A key that is unknown or misspelt is an error: Holoscan itself would run on without settings.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from app.alert_settings import AlertSettings
from app.audit_settings import AuditSettings
from app.errors import ConfigurationError
from app.peer_settings import AeTitle, DimsePeerSettings, PeerSettings, RouteSettings
from app.people_settings import PeopleSettings
from app.section import Section as _Section
from app.service_manager import ServiceManager
from app.tls_settings import ListenerTlsSettings, PageTlsSettings
from operators.dicom.mr_images import MR_IMAGE_CLASSES

BUNDLED = Path(__file__).resolve().parent / "bundled"
"""What comes with the product: data of the package in a wheel, links in the repository; not in the
image, which has its own places for it."""

BUNDLED_CONFIG = BUNDLED / "app.yaml"
BUNDLED_MODELS = BUNDLED / "models"
_MICROSECONDS = 1_000_000


class ApplicationSettings(_Section):
    """Name and version that a MAP host shows."""

    title: str = Field(min_length=1)
    """Shown by the host."""
    version: str = Field(pattern=r"^\d+\.\d+\.\d+([-+].*)?$")
    """Of the application; three numbers."""
    input_formats: list[str] = Field(alias="input-formats", default_factory=list)
    """For the manifest."""
    output_formats: list[str] = Field(alias="output-formats", default_factory=list)
    """For the manifest."""


class ResourceSettings(_Section):
    """What a MAP host should give the container."""

    cpu: int = Field(ge=1, default=2)
    """Processor cores."""
    gpu: int = Field(ge=0, default=0)
    """Graphics processors; none are needed."""
    memory: str = Field(pattern=r"^\d+(Mi|Gi)$", default="4Gi")
    """With its unit, Mi or Gi."""


class ModelSettings(_Section):
    """Which model folders are used, by registry name or by path."""

    directory: Path = Path("models")
    """Of the registry and the model folders; relative to app.yaml."""
    semantic: str = "spine_t2w_compact"
    """Phase 1: name in the registry, or path of a model folder."""
    instance: str = "vertebra_instance_compact"
    """Phase 2: as above."""


class InferenceSettings(_Section):
    """Where and how the networks run."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: CUDA where there is one."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 where the processor computes in it."""
    engine: Literal["auto", "torch", "openvino"] = "auto"
    """What runs phase 1; auto: OpenVINO for fp32 on a CPU, PyTorch elsewhere. PyTorch in fp32 on a
    CPU is the reference that the other is tested against."""
    threads: int = Field(ge=0, le=1024, default=0)
    """0: as many as there are cores."""


class SelectionOptions(_Section):
    """What is worth segmenting, beyond what physics says."""

    reject_other_body_parts: bool = True
    """Where three independent texts agree on another body part and none names the spine."""


class OutputSettings(_Section):
    """What is written beside the two segmentation objects."""

    measurement_report: bool = True
    """Also the measurements as DICOM SR, where a run or a MAP writes; a node: peers.objects."""
    overlay: bool = False
    """Also a picture, where the command line does not say."""
    measurements: bool = False
    """Also measurements.csv, where the command line does not say."""
    report_file: bool = False
    """Also the report as a PDF file, where the command line does not say."""
    pdf: bool = False
    """Also the report as a DICOM Encapsulated PDF, where the command line does not say."""
    preview: bool = False
    """Also the picture as a DICOM Secondary Capture, where the command line does not say."""

    @property
    def extras(self) -> frozenset[str]:
        """Names of the optional kinds of results that are wanted."""
        return frozenset(name for name, is_wanted in self if is_wanted)


SopClassUid = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)+$", max_length=64)]

Release = Literal["hold", "auto"]


class ListenerSettings(_Section):
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


class CompletenessSettings(_Section):
    """When a series counts as complete."""

    quiet_s: float = Field(gt=0, default=30)
    """Without proof of completeness: seconds after the last object or association end."""
    deadline_s: float = Field(gt=0, default=900)
    """A series proven incomplete is held for a person after this time without a new object."""
    query_after_s: float = Field(ge=0, default=0.5)
    """Quiet time before a peer is asked for the number of images, s."""


class WorkerSettings(_Section):
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


class DeliverySettings(_Section):
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


class RetentionSettings(_Section):
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


class WebSettings(_Section):
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


class NodeSettings(_Section):
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


_Line = Annotated[str, Field(pattern=r"^[ -\[\]-~]*[A-Za-z][ -\[\]-~]*$")]
"""One line that goes into DICOM objects of every character set: ASCII without backslash."""


class IntendedUseSettings(_Section):
    """Optional: what results are for, said everywhere in place of "research use only".

    Nothing else takes that notice away.
    """

    statement: _Line = Field(min_length=10, max_length=300)
    """In one sentence, in ASCII."""
    responsible: _Line = Field(min_length=3, max_length=64)
    """Name of the responsible person, in ASCII. Every change is kept in the audit trail."""


class Settings(_Section):
    """The whole of app.yaml."""

    application: ApplicationSettings
    resources: ResourceSettings = ResourceSettings()
    models: ModelSettings = ModelSettings()
    inference: InferenceSettings = InferenceSettings()
    selection: SelectionOptions = SelectionOptions()
    output: OutputSettings = OutputSettings()
    on_no_series: Literal["success", "code"] = "success"
    """Answer of a MAP where nothing is to do: success (0), or code (11)."""
    intended_use: IntendedUseSettings | None = None
    node: NodeSettings = NodeSettings()


class HostFolders(_Section):
    """Folders named by a MAP host (MONAI Application Package specification 1.0)."""

    input: Path
    output: Path
    models: Path | None
    logs: Path | None


def load_settings(path: Path | None = None) -> Settings:
    """Read and validate app.yaml.

    Parameters
    ----------
    path : Path, optional
        Default: ``HOLOSCAN_CONFIG_PATH``, else the app.yaml that comes with the product.

    Returns
    -------
    Settings
        Validated; ``models.directory`` is absolute.

    Raises
    ------
    ConfigurationError
        If the file is missing, is not YAML, or holds unknown or impossible values.
    """
    file = path or Path(os.environ.get("HOLOSCAN_CONFIG_PATH") or BUNDLED_CONFIG)
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"app.yaml cannot be read: {error.strerror}: {file}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError("app.yaml is not valid YAML") from error
    if not isinstance(document, dict):
        raise ConfigurationError("app.yaml holds no settings")
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigurationError(f"app.yaml: {problems}") from error
    named = os.environ.get("HOLOSCAN_MODEL_PATH")
    directory = Path(named) if named else file.resolve().parent / settings.models.directory
    models = settings.models.model_copy(update={"directory": directory.resolve()})
    return settings.model_copy(update={"models": models, "node": _with_environment(settings.node)})


def model_places(directory: Path) -> tuple[Path, ...]:
    """Folders in which a model's name is looked up, in this order.

    Parameters
    ----------
    directory : Path
        ``models.directory``, or what the caller named instead.

    Returns
    -------
    tuple of Path
        It, the user's own folder where there is one, and the models that come with the product.
    """
    own = user_models()
    # Not is_dir(): a service may not even look into the homes of users.
    known = [own] if os.access(own, os.R_OK | os.X_OK) else []
    return tuple(dict.fromkeys((directory, *known, BUNDLED_MODELS.resolve())))


def user_models() -> Path:
    """Folder for models that a user adds to an installed wheel, which an upgrade leaves alone.

    References
    ----------
    XDG Base Directory Specification 0.8, ``XDG_DATA_HOME``
    """
    home = os.environ.get("HOME", "")
    data = os.environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
    return Path(data) / "spine-node" / "models"


def _with_environment(node: NodeSettings) -> NodeSettings:
    """Folder and database from the environment: what differs between the hosts of one site."""
    data = Path(os.environ.get("SPINE_NODE_DATA") or node.data).absolute()
    url = os.environ.get("SPINE_NODE_DATABASE_URL") or node.database_url
    return node.model_copy(update={"data": data, "database_url": url})


def secret_of(variable: str, file: Path | None) -> SecretStr | None:
    """Secret from the environment or a file; the environment wins.

    Parameters
    ----------
    variable : str
        Of the environment.
    file : Path or None
        Holds nothing but the secret; blanks around it do not count.

    Returns
    -------
    SecretStr or None
        None where neither is there.

    Raises
    ------
    ConfigurationError
        If the file cannot be read.
    """
    named = os.environ.get(variable)
    if named:
        return SecretStr(named)
    if file is None:
        return None
    try:
        return SecretStr(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("a file with a secret cannot be read") from error


def service_manager() -> ServiceManager:
    """Find the service manager that started this process (sd_notify(3), sd_watchdog_enabled(3))."""
    is_meant = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    limit_us = os.environ.get("WATCHDOG_USEC", "")
    return ServiceManager(
        address=os.environ.get("NOTIFY_SOCKET", ""),
        watchdog_s=int(limit_us) / _MICROSECONDS if is_meant and limit_us.isdecimal() else 0.0,
    )


def host_folders() -> HostFolders:
    """Folders that the MAP host named in the environment; the SDK's defaults otherwise."""
    models = os.environ.get("HOLOSCAN_MODEL_PATH")
    logs = os.environ.get("HOLOSCAN_LOGS_PATH")
    return HostFolders(
        input=Path(os.environ.get("HOLOSCAN_INPUT_PATH") or "input"),
        output=Path(os.environ.get("HOLOSCAN_OUTPUT_PATH") or "output"),
        models=Path(models) if models else None,
        logs=Path(logs) if logs else None,
    )
