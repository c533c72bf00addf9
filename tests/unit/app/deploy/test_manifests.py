"""The MAP manifests hold what hosts parse, and say what app.yaml says."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from app.deploy.manifests import ENVIRONMENT, app_manifest, package_manifest, write_manifests
from app.errors import OutputUnwritableError
from app.registry import read_registry
from app.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[4]

APP_REQUIRED = {"command", "input", "output"}
"""MONAI Application Package specification 1.0.0, application manifest."""


def settings(**sections: object) -> Settings:
    application = {
        "title": "T",
        "version": "1.2.3",
        "input-formats": ["A"],
        "output-formats": ["B", "C"],
    }
    return Settings.model_validate({"application": application} | sections)


def test_app_json_has_the_specifications_fields_with_command_as_a_string_of_json() -> None:
    document = app_manifest(settings())
    assert document.keys() >= APP_REQUIRED
    assert json.loads(document["command"]) == ["python3", "-u", "-m", "app"]
    assert document["input"] == {"path": "input/", "formats": ["A"]}
    # The specification says "format", the command-line program "formats": readers of both exist.
    assert document["output"] == {"path": "output/", "format": ["B", "C"], "formats": ["B", "C"]}
    assert document["version"] == "1.2.3"
    assert document["sdkVersion"] == version("monai-deploy-app-sdk")


def test_the_time_out_is_the_one_the_node_gives_a_series() -> None:
    chosen = settings(node={"worker": {"inference_timeout_s": 777}})
    assert app_manifest(chosen)["timeout"] == 777


@pytest.mark.parametrize(("gpus", "platform"), [(0, "cpu"), (1, "dgpu")])
def test_resources_are_copied_and_the_platform_follows_the_gpu(gpus: int, platform: str) -> None:
    chosen = settings(resources={"cpu": 3, "gpu": gpus, "memory": "5Gi"})
    document = package_manifest(chosen, ["b", "a"])
    assert document["resources"]["cpu"] == 3
    assert document["resources"]["memory"] == "5Gi"
    assert document["platformConfig"] == platform
    assert list(document["models"].items()) == [
        ("a", "/opt/holoscan/models/a"),
        ("b", "/opt/holoscan/models/b"),
    ]


def test_the_repositorys_manifests_name_its_models_and_version(tmp_path: Path) -> None:
    chosen = load_settings(ROOT / "app.yaml")
    names = read_registry(chosen.models.directory).models
    app_file, package_file = write_manifests(chosen, names, tmp_path / "made")
    package = json.loads(package_file.read_text())
    assert set(package["models"]) == {p.name for p in (ROOT / "models").iterdir() if p.is_dir()}
    for document in (package, json.loads(app_file.read_text())):
        assert document["version"] == chosen.application.version


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputUnwritableError):
        write_manifests(settings(), [], tmp_path / "file" / "below")


def test_the_environment_agrees_with_the_dockerfile() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for name, value in ENVIRONMENT.items():
        # Input and output are relative to the working directory in the manifest.
        place = value if value.startswith("/") else f"/var/holoscan/{value.rstrip('/')}"
        assert f"{name}={place}" in dockerfile
