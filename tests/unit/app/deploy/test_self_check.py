"""The image's own proof finds what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def image_tree(folder: Path) -> Path:
    """The packages as .dockerignore lets them into the image."""
    for package in ("app", "operators"):
        shutil.copytree(
            ROOT / package,
            folder / package,
            ignore=shutil.ignore_patterns("__pycache__", "research", "demo.py", "bundled"),
        )
    shutil.copytree(ROOT / "models", folder / "models")
    shutil.copy(ROOT / "app.yaml", folder)
    return folder


def self_check(tree: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HOLOSCAN_")}
    environment["HOLOSCAN_CONFIG_PATH"] = str(tree / "app.yaml")
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "app.deploy.self_check"],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_module_of_the_image_loads_without_training_evaluation_and_synthetic(
    tmp_path: Path,
) -> None:
    done = self_check(image_tree(tmp_path))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 100


def test_an_import_of_a_room_that_the_image_lacks_is_found_by_name(tmp_path: Path) -> None:
    tree = image_tree(tmp_path)
    (tree / "operators" / "leak.py").write_text("import app.research.synthetic.phantom\n")
    done = self_check(tree)
    assert done.returncode != 0
    assert "operators.leak cannot be imported" in done.stderr


def test_a_changed_model_is_found(tmp_path: Path) -> None:
    tree = image_tree(tmp_path)
    config = next((tree / "models").glob("spine*/inference_config.json"))
    config.write_text(config.read_text() + " ")
    done = self_check(tree)
    assert done.returncode != 0
    assert "inference_config.json was changed" in done.stderr
