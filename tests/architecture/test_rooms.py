"""The house keeps its shape: who loads what, in which order, and that the gates bite."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from app.steps import OPERATORS

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "torch",
    "monai",
    "holoscan",
    "SimpleITK",
    "nnunetv2",
    "app.research.training",
    "app.research.synthetic",
)


def loaded_by(statement: str) -> set[str]:
    """Heavy modules in ``sys.modules`` after a statement in a fresh process."""
    code = f"import sys\n{statement}\nprint(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import app.cli.main, app.settings, app.registry, app.errors",
        "from spine_node import Segmenter",
        "import operators.dicom.reading.series, operators.dicom.selection.series_selection",
        "import operators.anatomy.labels, operators.errors",
    ],
)
def test_the_light_rooms_load_nothing_heavy(statement: str) -> None:
    assert loaded_by(statement) == set()


def test_the_algorithms_on_label_maps_need_neither_torch_nor_the_sdk() -> None:
    heavy = loaded_by("import operators.spine.instance_phase, operators.spine.postprocessing")
    assert heavy & {"torch", "monai", "holoscan"} == set()


def test_a_run_loads_neither_training_nor_synthetic() -> None:
    heavy = loaded_by(
        "from app.run.bootstrap import prepare_process; prepare_process()\n"
        "import app.run.execute, app.run.graph"
    )
    assert {"app.research.training", "app.research.synthetic"} & heavy == set()
    assert "holoscan" in heavy  # else this test would look at nothing


def test_every_step_module_has_its_row_in_the_table_and_no_row_is_without_one() -> None:
    modules = {p.stem for p in (ROOT / "operators").glob("*.py")}
    assert {step.name for step in OPERATORS} == modules - {
        "__init__",
        "errors",
        "case",
        "case_step",
    }


def test_only_research_imports_what_the_extra_train_installs() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    trainers = {re.split(r"[^A-Za-z0-9]", wish)[0] for wish in extra["train"]}
    assert trainers == {"monai", "nnunetv2"}
    found = {
        (path.relative_to(ROOT).as_posix(), module)
        for package in ("app", "operators", "spine_node")
        for path in (ROOT / package).rglob("*.py")
        if not path.is_relative_to(ROOT / "app" / "research")
        for module in imports_of(path)
        if module.split(".")[0] in trainers
    }
    labelling = ("operators/networks/labelling.py", "monai.networks.nets")
    assert labelling in found  # inside a function, of whoever has such a model
    # The Deploy SDK lives in a package of MONAI's name and does without MONAI.
    others = {module for _, module in found - {labelling}}
    assert others == {"monai.deploy.conditions", "monai.deploy.core"}


def imports_of(file: Path) -> set[str]:
    """Names of the modules that a file imports, wherever it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("operators/utils.py", '"""A module on no floor."""\n'),
        ("operators/spine/leak.py", '"""Up."""\nimport app.settings\n'),
        ("operators/imaging/leak.py", '"""Torch."""\nimport torch\n'),
        ("operators/spine/cross.py", '"""Sideways."""\nimport operators.dicom.reading.series\n'),
        ("app/run/front.py", '"""The front from inside."""\nimport spine_node\n'),
    ],
)
def test_the_import_contracts_bite(tmp_path: Path, file: str, line: str) -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        pytest.skip("import-linter is not installed")
    ignore = shutil.ignore_patterns("__pycache__", "*.png", "bundled")
    for package in ("app", "operators", "spine_node"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    command = [str(lint), "--no-cache"]
    clean = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert clean.returncode == 0, clean.stdout
    (tmp_path / file).write_text(line)
    broken = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert broken.returncode != 0
