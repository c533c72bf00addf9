"""An upgrade replaces the bundled models and keeps those of the site."""

from __future__ import annotations

from pathlib import Path

from app.deploy.merge_registry import merge
from app.registry import RegisteredModel, read_registry, register_model, verify_model


def put(directory: Path, name: str, weights: str, version: str = "1") -> None:
    (directory / name).mkdir(parents=True)
    (directory / name / "weights.ckpt").write_text(weights)
    entry = RegisteredModel(kind="semantic", version=version, licence="L", provenance="P", files={})
    register_model(directory, name, entry)


def test_bundled_models_are_replaced_and_the_sites_own_stay(tmp_path: Path) -> None:
    bundled, installed = tmp_path / "new", tmp_path / "site"
    put(installed, "compact", "old", "1")
    put(installed, "published", "theirs", "9")
    put(bundled, "compact", "new", "2")
    put(bundled, "extra", "more")
    merge(bundled, installed)
    versions = {name: entry.version for name, entry in read_registry(installed).models.items()}
    assert versions == {"compact": "2", "published": "9", "extra": "1"}
    assert (installed / "compact" / "weights.ckpt").read_text() == "new"
    assert all(verify_model(installed, name) == [] for name in versions)


def test_a_first_installation_is_a_copy(tmp_path: Path) -> None:
    put(tmp_path / "new", "compact", "new")
    merge(tmp_path / "new", tmp_path / "folder" / "models")
    assert read_registry(tmp_path / "folder" / "models") == read_registry(tmp_path / "new")
