"""Compose file, Kubernetes manifests and Dockerfile: valid, and true to the product they start."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from app.cli.main import app
from app.node.journal.engine import journal_url, open_journal
from app.node.people.recognition import check_guarded
from app.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "app" / "deploy" / "kubernetes"
TRIAL = ROOT / "app" / "deploy" / "trial"
SITES = [TRIAL / "node.yaml", KUBERNETES / "site" / "app.yaml"]
KUBERNETES_VERSION = "1.31"
"""The oldest release in which everything used here exists; newer ones keep it."""


def kubernetes_documents() -> list[tuple[str, dict[str, Any]]]:
    files = [f for f in sorted(KUBERNETES.glob("*.yaml")) if f.name != "kustomization.yaml"]
    return [
        (f"{file.name}:{document['kind']}", document)
        for file in files
        for document in yaml.safe_load_all(file.read_text())
    ]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [document for _, document in kubernetes_documents() if document["kind"] == kind]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("Deployment", "StatefulSet"):
        for document in of_kind(kind):
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def parts(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def containers(owner: str) -> list[dict[str, Any]]:
    return [part for name, pod in pods() if name == owner for part in pod["containers"]]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize(("name", "document"), kubernetes_documents(), ids=lambda v: str(v)[:40])
def test_every_kubernetes_document_follows_the_schema(name: str, document: dict[str, Any]) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    kubernetes_validate.validate(document, KUBERNETES_VERSION, strict=True)


def test_the_schema_finds_a_misspelt_key() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    broken = json.loads(json.dumps(of_kind("Deployment")[0]))
    broken["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES_VERSION, strict=True)


def test_kustomization_names_every_file_and_every_image() -> None:
    document = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    files = {file.name for file in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(document["resources"]) == files
    replaced = {entry["name"] for entry in document["images"]}
    used = {part["image"] for _, pod in pods() for part in parts(pod)}
    assert {image for image in used if ":" not in image} == replaced
    for generator in document["configMapGenerator"]:
        for line in generator["files"]:
            assert (KUBERNETES / line.partition("=")[2]).is_file()


def test_pods_run_without_root_capabilities_or_a_writable_root() -> None:
    seen = 0
    for _, pod in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for part in parts(pod):
            assert part["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in part["resources"]["limits"]
            seen += 1
    assert seen == 5


def test_every_mount_has_its_volume_and_every_claim_exists() -> None:
    claims = {document["metadata"]["name"] for document in of_kind("PersistentVolumeClaim")}
    templates = {
        template["metadata"]["name"]
        for document in of_kind("StatefulSet")
        for template in document["spec"]["volumeClaimTemplates"]
    }
    for _, pod in pods():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for part in parts(pod):
            mounted = {mount["name"] for mount in part["volumeMounts"]}
            assert mounted <= volumes.keys() | templates
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims


def test_workers_ask_for_a_gpu_and_the_listening_side_does_not() -> None:
    (worker,) = containers("spine-node-worker")
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"
    for part in containers("spine-node"):
        assert "nvidia.com/gpu" not in part["resources"]["limits"]


def test_probes_ask_the_ports_that_the_settings_open() -> None:
    node = load_settings(KUBERNETES / "site" / "app.yaml").node
    ports = {
        port["name"]: port["containerPort"]
        for part in containers("spine-node")
        for port in part["ports"]
    }
    assert ports == {"dicom": node.listener.port, "web": node.web.port}
    listener, web = containers("spine-node")
    assert listener["livenessProbe"]["tcpSocket"]["port"] == "dicom"
    assert web["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "web"}
    assert web["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "web"}


def test_a_pod_may_end_as_slowly_as_a_running_job() -> None:
    grace_s = Settings.model_fields["node"].default.worker.grace_s
    for name, pod in pods():
        if name == "spine-node-worker":
            assert pod["terminationGracePeriodSeconds"] > grace_s


def test_every_command_exists() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    started = [part["command"] for _, pod in pods() for part in parts(pod) if "command" in part]
    assert [line[0] for line in started] == ["spine-node"] * 4
    assert {line[1] for line in started} <= set(commands)
    document = yaml.safe_load((ROOT / "compose.yaml").read_text())
    composed = json.dumps([s.get("command", "") for s in document["services"].values()])
    for command in re.findall(r'spine-node(?:", "| )(\w+)', composed):
        assert command in commands


@pytest.mark.parametrize("site", SITES, ids=lambda path: path.parent.name)
def test_site_settings_are_valid_and_listen_beyond_loopback(site: Path) -> None:
    settings = load_settings(site)
    own = load_settings(ROOT / "app.yaml")
    assert settings.application == own.application
    assert settings.node.listener.host == settings.node.web.host == "0.0.0.0"  # noqa: S104
    for peer in settings.node.peers:
        route = settings.node.route_of(peer.ae_title, settings.node.listener.ae_title)
        assert route.destinations == [peer.name]


def account_commands() -> list[tuple[str, list[str]]]:
    document = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert (
        "./app/deploy/trial/password:/etc/spine-node/password:ro"
        in (document["services"]["account"]["volumes"])
    )
    waits = document["services"]["node"]["depends_on"]
    assert waits == {"account": {"condition": "service_completed_successfully"}}
    (pod,) = [pod for name, pod in pods() if name == "spine-node"]
    (init,) = pod["initContainers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in init["volumeMounts"]}
    assert mounts["administrator"] == "/etc/spine-node-administrator"
    return [
        ("/etc/spine-node/password", document["services"]["account"]["command"]),
        ("/etc/spine-node-administrator/password", init["command"]),
    ]


@pytest.mark.parametrize(("file", "command"), account_commands(), ids=["compose", "kubernetes"])
def test_the_account_is_made_before_the_page_opens_and_once(
    tmp_path: Path, file: str, command: list[str]
) -> None:
    assert file in command
    given = [str(TRIAL / "password") if part == file else part for part in command[1:]]
    for answer in ("administrator", "is there"):
        done = CliRunner().invoke(app, [*given, "--data", str(tmp_path)])
        assert (done.exit_code, done.stdout.strip().endswith(answer)) == (0, True)
    engine = open_journal(journal_url(tmp_path, None))
    for site in SITES:
        check_guarded(load_settings(site).node, engine)
    engine.dispose()


def test_results_leave_without_a_person_in_the_trial_alone() -> None:
    released = {site.parent.name: load_settings(site).node.delivery.release for site in SITES}
    assert released == {"trial": "auto", "site": "hold"}


def test_compose_mounts_what_exists_and_publishes_on_loopback_alone(
    compose: dict[str, Any],
) -> None:
    for service in compose["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("./app"):
                assert (ROOT / source).is_file()
            elif not source.startswith("."):
                assert source in compose["volumes"]


def test_compose_names_archive_and_node_as_their_settings_do(compose: dict[str, Any]) -> None:
    node = load_settings(TRIAL / "node.yaml").node
    archive = json.loads((TRIAL / "orthanc.json").read_text())
    (peer,) = node.peers
    assert peer.host in compose["services"]
    assert (peer.ae_title, peer.port) == (archive["DicomAet"], archive["DicomPort"])
    known = archive["DicomModalities"]["spine-node"]
    assert known["Host"] in compose["services"]
    assert (known["AET"], known["Port"]) == (node.listener.ae_title, node.listener.port)
    assert "/modalities/spine-node/store" in (TRIAL / "route.lua").read_text()


def test_compose_holds_two_more_workers_on_postgresql_in_a_profile(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    in_profile = {name for name, service in services.items() if "profiles" in service}
    assert in_profile == {"postgres", "worker"}
    assert services["worker"]["deploy"]["replicas"] == 2
    lines = (TRIAL / "postgres.env").read_text().splitlines()
    chosen = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert chosen["COMPOSE_PROFILES"] == "postgres"
    user = services["postgres"]["environment"]["POSTGRES_USER"]
    login = f"{user}:{chosen['POSTGRES_PASSWORD']}"
    assert chosen["SPINE_NODE_DATABASE_URL"].startswith(f"postgresql://{login}@postgres:5432/")


def test_every_foreign_image_is_pinned(compose: dict[str, Any]) -> None:
    images = [service["image"] for service in compose["services"].values()]
    images += [part["image"] for part in containers("postgres")]
    foreign = [image for image in images if not image.startswith("spine-node:")]
    assert len(foreign) == 3
    assert all(re.search(r":\d+\.\d+", image) for image in foreign)
    base = re.search(r"^FROM (\S+) AS base$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert base is not None
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", base.group(1))


def test_the_dockerfile_copies_what_exists_and_is_let_into_the_build() -> None:
    admitted = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    sources = {
        word
        for words in copied
        if not words[0].startswith("--from")
        for word in words
        if not word.startswith("--")
    }
    assert len(sources) >= 10
    for source in sources:
        assert (ROOT / source).exists()
        assert any(source == name or source.startswith(f"{name}/") for name in admitted)


def test_the_image_bears_the_version_of_the_settings() -> None:
    version = load_settings(ROOT / "app.yaml").application.version
    assert f"ARG VERSION={version}\n" in (ROOT / "Dockerfile").read_text()
