"""A declared dependency is imported, or stands here with what loads it."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LOADED_BY = {
    "holoscan-cli": "monai-deploy-app-sdk, which asks for it and does not declare it",
    "holoscan-cu13": "monai-deploy-app-sdk: its graph executor",
    "nvidia-cuda-runtime": "holoscan-cu13: its libraries are linked against it, also without a GPU",
    "psycopg": "dbos, and SQLAlchemy by the database URL postgresql+psycopg",
    "pyjpegls": "pydicom: JPEG-LS",
    "pylibjpeg": "pydicom: JPEG, JPEG 2000 and RLE by its plugins",
    "pylibjpeg-openjpeg": "pylibjpeg: JPEG 2000",
    "python-multipart": "FastAPI: forms of the page",
}


def declared() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wishes = [*project["dependencies"], *project["optional-dependencies"]["node"]]
    return [re.split(r"[\[<>=~ ]", wish)[0].lower() for wish in wishes]


def modules_of(distribution: str) -> set[str]:
    return {
        module
        for module, owners in packages_distributions().items()
        if distribution in {owner.lower().replace("_", "-") for owner in owners}
    }


@pytest.fixture(scope="module")
def source() -> str:
    folders = ("app", "operators", "spine_node")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return "\n".join(path.read_text("utf-8") for path in files)


@pytest.mark.parametrize("name", declared())
def test_it_is_imported_or_loaded_by_another(name: str, source: str) -> None:
    modules = modules_of(name)
    assert modules, f"{name} is not installed"
    is_imported = any(
        re.search(rf"^\s*(?:import|from) {re.escape(module)}\b", source, re.MULTILINE)
        for module in modules
    )
    assert is_imported != (name in LOADED_BY), name
