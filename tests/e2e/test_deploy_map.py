"""The MAP without a container: the image's folders and entry script, started as hosts do it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders.stub_models import spine_series

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "app" / "deploy" / "tools"

STUB = """
import os, sys
print("argv", *sys.argv[1:])
sys.exit(int(os.environ["EXIT"]))
"""


@dataclass(frozen=True)
class Staged:
    """What the image holds, below one folder."""

    root: Path

    def call(
        self, *command: str | Path, cwd: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        places = {
            "HOLOSCAN_APPLICATION": "opt/app",
            "HOLOSCAN_MODEL_PATH": "opt/models",
            "HOLOSCAN_DOCS_PATH": "opt/docs",
            "HOLOSCAN_CONFIG_PATH": "app.yaml",
            "HOLOSCAN_APP_MANIFEST_PATH": "etc/app.json",
            "HOLOSCAN_PKG_MANIFEST_PATH": "etc/pkg.json",
            "HOLOSCAN_EXPORT_PATH": "export",
            "HOLOSCAN_INPUT_PATH": "in",
            "HOLOSCAN_OUTPUT_PATH": "out",
        }
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": str(self.root / "opt" / "app"),
            "PYTHONWARNINGS": "ignore",
            "OMP_NUM_THREADS": "1",
            "USER": "holoscan",
            "HOME": str(self.root.parent),
            **{name: str(self.root / place) for name, place in places.items()},
        }
        return subprocess.run(
            [str(word) for word in command],
            cwd=cwd or self.root,
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
        )

    def outputs(self) -> list[str]:
        return sorted(path.name for path in (self.root / "out").rglob("*"))


def stage(root: Path) -> Staged:
    for name in ("opt/app", "opt/docs", "etc", "in", "out"):
        (root / name).mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", root / "opt" / "docs")
    shutil.copy(ROOT / "app.yaml", root)
    return Staged(root)


@pytest.fixture
def stub(tmp_path: Path) -> Staged:
    """The layout with an application that says its arguments and ends as told."""
    staged = stage(tmp_path / "image")
    package = staged.root / "opt" / "app" / "app"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(STUB)
    (staged.root / "opt" / "models" / "one").mkdir(parents=True)
    (staged.root / "etc" / "app.json").write_text('{"title": "A"}\n')
    (staged.root / "etc" / "pkg.json").write_text('{"models": {}}\n')
    return staged


@pytest.fixture
def product(tmp_path: Path) -> Staged:
    """The layout with the product, as the Dockerfile copies it."""
    staged = stage(tmp_path / "image")
    application = staged.root / "opt" / "app"
    ignore = shutil.ignore_patterns("__pycache__", "research", "demo.py", "bundled")
    for package in ("app", "operators"):
        shutil.copytree(ROOT / package, application / package, ignore=ignore)
    shutil.copy(ROOT / "app" / "__main__.py", application)
    (staged.root / "opt" / "models").symlink_to(ROOT / "models")
    (staged.root / "models").symlink_to(staged.root / "opt" / "models")
    return staged


@pytest.mark.parametrize("code", [0, 10, 75])
def test_tools_passes_the_applications_exit_code_and_its_arguments_on(
    stub: Staged, code: int
) -> None:
    done = stub.call(TOOLS, "--input", "a b", EXIT=str(code))
    assert done.returncode == code
    assert done.stdout == "argv --input a b\n"


def test_tools_without_arguments_runs_the_application(stub: Staged) -> None:
    assert stub.call(TOOLS, EXIT="0").stdout == "argv\n"


def test_tools_show_prints_the_manifests(stub: Staged) -> None:
    assert json.loads(stub.call(TOOLS, "show", "app").stdout) == {"title": "A"}
    assert json.loads(stub.call(TOOLS, "show", "pkg").stdout) == {"models": {}}
    assert stub.call(TOOLS, "show").stdout == '{"title": "A"}\n{"models": {}}\n'
    assert stub.call(TOOLS, "show", "all of it").returncode == 2


def test_tools_extract_copies_what_is_named(stub: Staged) -> None:
    export = stub.root / "export"
    export.mkdir()
    assert stub.call(TOOLS, "extract", "config").returncode == 0
    assert sorted(path.name for path in export.rglob("*.*")) == ["app.json", "app.yaml", "pkg.json"]
    assert stub.call(TOOLS, "extract").returncode == 0
    assert {path.name for path in export.iterdir()} == {"app", "config", "docs", "models"}
    assert (export / "app" / "app" / "__main__.py").is_file()
    assert (export / "models" / "one").is_dir()
    assert (export / "docs" / "LICENSE").is_file()
    assert stub.call(TOOLS, "extract", "secrets").returncode == 2


def test_tools_extract_without_a_mounted_folder_says_so(stub: Staged) -> None:
    done = stub.call(TOOLS, "extract")
    assert done.returncode == 2
    assert "nothing is mounted" in done.stderr


def test_tools_env_and_help_need_no_application(stub: Staged) -> None:
    assert f"HOLOSCAN_INPUT_PATH={stub.root}/in\n" in stub.call(TOOLS, "env").stdout
    text = stub.call(TOOLS, "help").stdout
    assert all(word in text for word in ("show", "extract", "env", "spine-node"))


def test_tools_runs_any_command_of_the_product(product: Staged) -> None:
    done = product.call(TOOLS, "spine-node", "check-config")
    assert (done.returncode, "valid" in done.stdout) == (0, True)


def test_monai_deploy_express_gets_10_and_no_file_for_an_input_without_images(
    product: Staged,
) -> None:
    (product.root / "in" / "report.txt").write_text("no image")
    (product.root / "elsewhere").mkdir()
    command = f"python3 -u {product.root}/opt/app/"
    done = product.call("/bin/bash", "-c", command, cwd=product.root / "elsewhere")
    assert done.returncode == 10, done.stderr
    assert product.outputs() == []


def test_mercure_gets_its_own_folders_and_an_unknown_user_does_not_matter(
    product: Staged, tmp_path: Path
) -> None:
    # Flat files and a task.json in the input; the reason for "nothing to do" is no failure.
    spine_series(tmp_path / "data", name="T1", echo_times=(9.0,), tags={"RepetitionTime": 500.0})
    (tmp_path / "data" / "task.json").write_text('{"id": "x", "process": {}}')
    (tmp_path / "output").mkdir()
    done = product.call(
        TOOLS,
        HOLOSCAN_INPUT_PATH=str(tmp_path / "data"),
        HOLOSCAN_OUTPUT_PATH=str(tmp_path / "output"),
        MERCURE_IN_DIR=str(tmp_path / "data"),
        MERCURE_OUT_DIR=str(tmp_path / "output"),
        HOLOSCAN_LOGS_PATH="/proc",  # a folder that nobody can write
    )
    assert done.returncode == 0, done.stderr
    assert "SPN-1100" in done.stderr
    assert "the result record cannot be written" in done.stderr
    assert list((tmp_path / "output").iterdir()) == []


def test_an_unwritable_output_answers_40(product: Staged, tmp_path: Path) -> None:
    spine_series(tmp_path / "data")
    (tmp_path / "file").write_text("")
    done = product.call(TOOLS, "-i", tmp_path / "data", "-o", tmp_path / "file" / "below")
    assert done.returncode == 40, done.stderr


def test_a_run_writes_nowhere_beside_its_output(product: Staged) -> None:
    def times() -> dict[Path, int]:
        output = product.root / "out"
        paths = (path for path in product.root.rglob("*") if path != output)
        return {path: path.stat().st_mtime_ns for path in paths}

    before = times()
    assert product.call(TOOLS, PYTHONDONTWRITEBYTECODE="1").returncode == 10
    assert times() == before
