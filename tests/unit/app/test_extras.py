"""Commands of researchers run without the packages of a node; the others say what is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.extras import MODULES, missing_extra, require_extra

ROOT = Path(__file__).resolve().parents[3]

WITHOUT = f"""
import sys
for name in {MODULES["node"]!r}:
    sys.modules[name] = None
from app.cli.main import main
main()
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_table_is_that_of_pyproject() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    for extra, modules in MODULES.items():
        wished = {re.split(r"[\[<>=~ ]", wish)[0].replace("-", "_") for wish in extras[extra]}
        assert wished == {module.split(".")[0] for module in modules}


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    require_extra("node")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ConfigurationError, match=r"fastapi .* pip install 'spine-node\[node\]'"):
        require_extra("node")
    assert missing_extra(ImportError(name="numpy")) is None
    assert missing_extra(ImportError(name="monai.deploy.core")) is None
    told = missing_extra(ImportError(name="pynetdicom.sop_class"))
    assert told is not None
    assert told.reasons == ("extra_missing",)


def test_a_cohort_is_planned_without_the_packages_of_a_node(tmp_path: Path) -> None:
    image = tmp_path / "data" / "sub-1" / "anat" / "sub-1_T2w.nii.gz"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"")
    out = str(tmp_path / "out")
    done = run("cohort", str(tmp_path / "data"), "-o", out, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "sub-1" in done.stdout


@pytest.mark.parametrize("arguments", [("serve",), ("send", ".", "--to", "A@127.0.0.1:1")])
def test_commands_of_a_node_say_which_extra_is_missing(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "pip install 'spine-node[node]'" in done.stderr
