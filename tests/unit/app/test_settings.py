"""app.yaml is validated strictly; nothing runs on defaults by accident."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pynetdicom.sop_class import MRImageStorage

from app.errors import ConfigurationError
from app.settings import BUNDLED_CONFIG, host_folders, load_settings, secret_of
from app.settings.peers import DicomwebPeerSettings, DimsePeerSettings, PeerSettings

MINIMAL = "application: {title: T, version: 1.2.3}\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "app.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_repositorys_own_app_yaml_is_valid() -> None:
    settings = load_settings(BUNDLED_CONFIG)
    assert settings.models.directory.is_dir()
    assert settings.on_no_series == "success"


def test_a_minimal_file_gets_the_defaults(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, MINIMAL)).inference.device == "auto"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("application: [", "YAML"),
        ("", "no settings"),
        ("just a sentence", "no settings"),
        (MINIMAL + "infrence: {device: cpu}\n", "infrence"),
        (MINIMAL + "inference: {devise: cpu}\n", "inference.devise"),
        (MINIMAL + "inference: {device: tpu}\n", "inference.device"),
        (MINIMAL + "node: {log_level: loud}\n", "node.log_level"),
        (
            MINIMAL + "node: {worker: {lease_s: 0.9}}\n",
            "lease_s: .*greater than or equal to 1",
        ),
        (MINIMAL + "inference: {threads: -1}\n", "inference.threads"),
        ("application: {title: '', version: 1.2.3}\n", "application.title"),
        ("application: {title: T, version: one}\n", "application.version"),
    ],
)
def test_a_wrong_file_is_refused_and_the_place_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        load_settings(write(tmp_path, text))


@pytest.mark.parametrize(
    ("statement", "responsible", "named"),
    [
        (
            "For reading spines",
            "Dr. Müller",
            "responsible: Value error, may hold one line of ASCII",
        ),
        ("For reading\nspines", "A. Person", "statement: Value error, may hold one line"),
        ("1234567890", "A. Person", "needs words"),
        ("For reading spines", None, "intended_use.responsible: Field required"),
        ("a" * 301, "A. Person", "at most 300 characters"),
    ],
)
def test_an_intended_use_that_no_object_can_hold_is_refused_with_what_is_wrong(
    tmp_path: Path, statement: str, responsible: str | None, named: str
) -> None:
    said = {"statement": statement} | ({"responsible": responsible} if responsible else {})
    with pytest.raises(ConfigurationError) as refused:
        load_settings(write(tmp_path, f"{MINIMAL}intended_use: {json.dumps(said)}\n"))
    assert named in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path / "app.yaml")


def test_the_environment_names_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, MINIMAL + "on_no_series: code\n")
    monkeypatch.setenv("HOLOSCAN_CONFIG_PATH", str(file))
    assert load_settings().on_no_series == "code"


def test_host_folders_come_from_the_map_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLOSCAN_INPUT_PATH", "/var/holoscan/input")
    monkeypatch.setenv("HOLOSCAN_OUTPUT_PATH", "/var/holoscan/output")
    monkeypatch.delenv("HOLOSCAN_MODEL_PATH", raising=False)
    folders = host_folders()
    assert (folders.input, folders.output) == (
        Path("/var/holoscan/input"),
        Path("/var/holoscan/output"),
    )
    assert folders.models is None


NODE = MINIMAL + "node: {alerts: {%s}}\n"
MAIL = "mail: {host: mail.example.org, sender: a@example.org, recipients: [%s]%s}"


@pytest.mark.parametrize(
    ("alerts", "named"),
    [
        (MAIL % ("", ""), "recipients"),
        (MAIL % ("nobody", ""), "recipients"),
        (MAIL % ("b@example.org", ", password: x"), "password"),
        (MAIL % ("b@example.org", ", security: ssl3"), "security"),
        ("webhook: {url: 'ftp://example.org/secret-hook'}", "url"),
        ("webhook: {url: 'https://example.org/h', secret_header: 'a b'}", "secret_header"),
    ],
)
def test_alerts_that_could_reach_nobody_are_refused_without_quoting_an_address(
    tmp_path: Path, alerts: str, named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        load_settings(write(tmp_path, NODE % alerts))
    assert "secret-hook" not in str(caught.value)


def test_a_secret_comes_from_the_environment_or_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    assert secret_of("SPINE_NODE_SMTP_PASSWORD", None) is None
    with pytest.raises(ConfigurationError, match="cannot be read"):
        secret_of("SPINE_NODE_SMTP_PASSWORD", file)
    file.write_text("from the file\n", encoding="utf-8")
    found = secret_of("SPINE_NODE_SMTP_PASSWORD", file)
    assert found is not None
    assert (found.get_secret_value(), "file" in repr(found)) == ("from the file", False)
    monkeypatch.setenv("SPINE_NODE_SMTP_PASSWORD", "from the environment")
    found = secret_of("SPINE_NODE_SMTP_PASSWORD", file)
    assert found is not None
    assert found.get_secret_value() == "from the environment"


def test_a_dropped_class_is_a_uid(tmp_path: Path) -> None:
    listener = "node: {listener: {dropped_sop_classes: ['CT Image Storage']}}\n"
    with pytest.raises(ConfigurationError, match="dropped_sop_classes"):
        load_settings(write(tmp_path, MINIMAL + listener))


def test_mr_images_cannot_be_dropped_and_so_no_reload_ends_a_listener(tmp_path: Path) -> None:
    listener = f"node: {{listener: {{dropped_sop_classes: ['{MRImageStorage}']}}}}\n"
    with pytest.raises(ConfigurationError, match="MR images"):
        load_settings(write(tmp_path, MINIMAL + listener))


def peers(tmp_path: Path, *entries: str, routes: str = "[]") -> list[PeerSettings]:
    listed = ", ".join(entries)
    text = MINIMAL + f"node: {{peers: [{listed}], routes: {routes}}}\n"
    return load_settings(write(tmp_path, text)).node.peers


def test_a_peer_without_a_kind_is_an_application_entity(tmp_path: Path) -> None:
    older = "{name: a, ae_title: PACS, host: pacs, port: 104}"
    (peer,) = peers(tmp_path, older)
    assert isinstance(peer, DimsePeerSettings)
    assert peers(tmp_path, older.replace("{", "{kind: dimse, ")) == [peer]
    assert (peer.address, peer.kind) == ("PACS@pacs:104", "dimse")


def test_a_web_peer_is_one_by_its_kind_and_is_no_origin(tmp_path: Path) -> None:
    web = "{name: web, kind: dicomweb, url: 'https://pacs.example/dicom-web/'}"
    (peer,) = peers(tmp_path, web, routes="[{destinations: [web]}]")
    assert isinstance(peer, DicomwebPeerSettings)
    assert peer.address == "https://pacs.example/dicom-web"
    with pytest.raises(ConfigurationError, match="origin of a route"):
        peers(tmp_path, web, routes="[{origin: web}]")


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("kind: ftp, url: 'https://a'", "kind is dimse or dicomweb"),
        ("kind: dicomweb, host: pacs, port: 104, ae_title: A", "url"),
        ("kind: dicomweb, url: 'ftp://a'", "http:// or https://"),
        ("kind: dicomweb, url: 'https://'", "names a host"),
        ("kind: dicomweb, url: 'https://user:word@a/b'", "do not belong into the address"),
        ("kind: dicomweb, url: 'https://a/b?token=word'", "ends with its path"),
        ("kind: dicomweb, url: 'http://a/b', tls: {}", "tls needs"),
        ("kind: dicomweb, url: 'https://a', authentication: bearer", "needs secret_file"),
        ("kind: dicomweb, url: 'https://a', secret_file: /x", "they need it"),
        ("kind: dicomweb, url: 'https://a', user: b", "belong together"),
        (
            "kind: dicomweb, url: 'http://a', authentication: bearer, secret_file: /x",
            "by https only",
        ),
    ],
)
def test_a_web_peer_that_could_not_work_or_would_tell_a_secret_is_refused(
    tmp_path: Path, entry: str, named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named) as raised:
        peers(tmp_path, f"{{name: a, {entry}}}")
    assert "word" not in str(raised.value).replace("password", "")
