"""The wheel, unpacked and started from an empty folder: all it needs is in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from app.registry import files_of, read_registry
from tests.builders.nnunet_folder import write_folder
from tests.builders.stub_models import spine_series

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is unpacked, as pip does it: there is no repository around."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as package:
        package.extractall(folder)
    return folder


def start(site: Path, folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python on the unpacked wheel in a folder that holds nothing of the product."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HOLOSCAN_", "PYTHON"))}
    own = {"PYTHONPATH": str(site), "XDG_DATA_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-W", "ignore", *map(str, arguments)],
        cwd=folder,
        env=clean | own,
        capture_output=True,
        text=True,
        check=False,
    )


def spine_node(
    site: Path, folder: Path, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    return start(site, folder, "-m", "app.cli.main", *arguments)


def test_the_wheel_holds_every_file_of_the_packages_and_of_the_models(site: Path) -> None:
    for package in ("app", "operators", "spine_node"):
        written = {
            path.relative_to(ROOT)
            for path in (ROOT / package).rglob("*")
            if path.is_file() and not {"__pycache__", "bundled", "decisions"} & {*path.parts}
        }
        assert {path for path in written if not (site / path).is_file()} == set()
    bundled = site / "app" / "bundled"
    registry = read_registry(bundled / "models").models
    assert registry == read_registry(ROOT / "models").models
    assert {name: files_of(bundled / "models" / name) for name in registry} == {
        name: entry.files for name, entry in registry.items()
    }
    assert (bundled / "app.yaml").read_bytes() == (ROOT / "app.yaml").read_bytes()
    assert not (site / "tests").exists()
    assert not (site / "models").exists()


def test_settings_and_models_are_found_from_an_empty_folder(site: Path, tmp_path: Path) -> None:
    assert spine_node(site, tmp_path, "check-config").returncode == 0
    listed = spine_node(site, tmp_path, "models", "list", "--json")
    assert set(json.loads(listed.stdout)) == set(read_registry(ROOT / "models").models)
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_named_with_the_places_that_were_searched(
    site: Path, tmp_path: Path
) -> None:
    models = site / "app" / "bundled" / "models"
    (tmp_path / "app.yaml").write_text(
        "application: {title: T, version: 1.0.0}\nmodels: {semantic: nobody}\n"
    )
    done = spine_node(site, tmp_path, "check-config", "--config", "app.yaml")
    assert done.returncode == 20
    assert f"looked in {tmp_path / 'models'}, {models}" in done.stderr
    config = models.with_name("app.yaml")
    config.rename(config.with_suffix(".away"))
    done = spine_node(site, tmp_path, "check-config")
    config.with_suffix(".away").rename(config)
    assert done.returncode == 2
    assert str(config) in done.stderr


def test_a_model_that_a_user_adds_lies_outside_the_wheel_and_has_a_name(
    site: Path, tmp_path: Path
) -> None:
    trained = write_folder(tmp_path / "trained")
    done = spine_node(site, tmp_path, "models", "install", trained, "--name", "mine")
    assert done.returncode == 0, done.stderr
    own = tmp_path / "home" / "spine-node" / "models"
    assert (own / "mine" / "inference_config.json").is_file()
    assert "mine" not in read_registry(site / "app" / "bundled" / "models").models
    assert list(read_registry(own).models) == ["mine"]


@pytest.mark.slow
def test_a_study_is_segmented_from_an_empty_folder(site: Path, tmp_path: Path) -> None:
    # Ramps of brightness: both bundled networks load and run, the answer is "no spine".
    spine_series(tmp_path / "in", shows=None)
    done = spine_node(site, tmp_path, "run", "-i", "in", "-o", "out", "--json")
    assert done.returncode == 13, done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    assert record["models"]["semantic"]["version"] == (
        read_registry(ROOT / "models").models["spine_t2w_compact"].version
    )
