"""The offline bundle, packed while every download breaks off once; of it all, pip is a stand-in."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PYTHON = """#!/bin/sh
# What bundle.sh takes for Python: the real one, but for pip. Of pip's calls every other one fails.
case "$*" in
"-m pip "*) ;;
*) exec "$REAL" "$@" ;;
esac
echo "$*" >>"$CALLS"
number=$(wc -l <"$CALLS")
[ "$BREAKS" = always ] && exit 1
[ $((number % 2)) = 0 ] || exit 1
while [ $# -gt 1 ]; do
  case $1 in
  --dest|--wheel-dir) : >"$2/fetched-$number.whl" ;;
  esac
  shift
done
"""


def pack(home: Path, breaks: str) -> subprocess.CompletedProcess[str]:
    python = home / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    own = {"REAL": sys.executable, "CALLS": str(home / "calls"), "BREAKS": breaks}
    return subprocess.run(
        ["/bin/bash", ROOT / "app" / "deploy" / "offline" / "bundle.sh", python, home / "dist"],
        env=os.environ | own | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_breaks_off_is_fetched_again_and_the_bundle_is_whole(tmp_path: Path) -> None:
    done = pack(tmp_path, "every other time")
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "dist").iterdir()  # nothing half remains beside it
    with tarfile.open(file) as bundle:
        names = {name.split("/", 1)[1] for name in bundle.getnames() if "/" in name}
        sums = bundle.extractfile(f"{file.stem}/SHA256SUMS")
        installer = bundle.extractfile(f"{file.stem}/install.sh")
        assert sums is not None
        assert installer is not None
        told = dict(reversed(line.split("  ./")) for line in sums.read().decode().splitlines())
        assert told["install.sh"] == hashlib.sha256(installer.read()).hexdigest()
    # torch, all the others, the product itself, pip: each at the second attempt.
    fetched = {name for name in names if name.startswith("wheels/")}
    assert fetched == {f"wheels/fetched-{n}.whl" for n in (2, 4, 6, 8)}
    assert fetched | {"requirements.txt", "app.yaml", "models/registry.yaml"} <= told.keys()


def test_without_a_network_it_says_so_and_leaves_no_bundle(tmp_path: Path) -> None:
    done = pack(tmp_path, "always")
    assert done.returncode != 0
    assert list((tmp_path / "dist").glob("*.tar")) == []


def test_the_image_keeps_what_pip_fetches_between_attempts() -> None:
    script = (ROOT / "app" / "deploy" / "install-packages.sh").read_text()
    assert "PIP_CACHE_DIR=/var/cache/pip " in script
    assert "--no-cache-dir" not in script
    steps = [
        line
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if "install-packages.sh " in line and line.startswith("RUN")
    ]
    assert len(steps) == 4
    assert all(line.startswith("RUN --mount=type=cache,target=/var/cache/pip ") for line in steps)


@pytest.mark.parametrize("base", ["", "localhost/own-base:latest"])
def test_another_base_stands_in_for_the_one_of_the_dockerfile(base: str) -> None:
    quiet = ["--no-print-directory", "--dry-run"]  # make runs these tests, too
    command = ["make", *quiet, "image", f"BASE={base}", "CONTAINER=builder"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith("builder build ")
    official = (ROOT / "Dockerfile").read_text().split("\nFROM ", 1)[1].split()[0]
    expected = f"--build-context {official}=docker-image://{base}" if base else ""
    assert ("--build-context" in line) == bool(base)
    assert expected in line
