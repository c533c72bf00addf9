"""What the image leaves out is missed by nobody: the product runs on the packages it keeps."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from app.deploy.image_packages import LEFT_OUT
from tests.builders.stub_models import spine_series
from tests.builders.trimmed_environment import ROOT, make_trimmed_environment

RUN = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from app.run.execute import Job, execute
from tests.builders.stub_models import stub_bundle
source, output = map(Path, sys.argv[1:])
started = datetime(2026, 1, 2, tzinfo=UTC)
extras = frozenset({"measurement_report", "overlay", "report_file", "pdf", "preview"})
job = Job(source=source, output=output, started=started, extras=extras)
print(json.dumps(execute(job, stub_bundle()).as_dict()))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_trimmed_environment(tmp_path_factory.mktemp("trimmed"))


def call(python: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HOLOSCAN_", "PYTHON"))}
    return subprocess.run(
        [str(python), "-W", "ignore", *map(str, arguments)],
        cwd=ROOT,
        env=clean | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_environment_truly_lacks_what_is_left_out(python: Path) -> None:
    code = (
        "from importlib.metadata import distributions\n"
        "print(*sorted(d.name.lower().replace('_', '-') for d in distributions()))\n"
        "import importlib.util as u\n"
        "print(*[n for n in ('cupy', 'monai.networks', 'nnunetv2', 'openvino_telemetry', 'timm',"
        " 'pytest') if u.find_spec(n)])"
    )
    done = call(python, "-c", code)
    names, importable = done.stdout.split("\n")[:2]
    assert set(names.split()).isdisjoint(LEFT_OUT), done.stderr
    assert {"torch", "openvino", "holoscan-cu13", "monai-deploy-app-sdk"} <= set(names.split())
    assert importable == ""


def test_every_module_loads_there(python: Path) -> None:
    done = call(python, "-m", "app.deploy.self_check")
    assert done.returncode == 0, done.stderr


def test_a_study_is_segmented_there(python: Path, tmp_path: Path) -> None:
    spine_series(tmp_path / "in")
    done = call(python, "-c", RUN, tmp_path / "in", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    assert record["status"] == "ok"
    assert len(list((tmp_path / "out").glob("*.dcm"))) == 5


@pytest.mark.slow
def test_both_bundled_models_load_and_run_there(python: Path, tmp_path: Path) -> None:
    # Ramps of brightness: the networks run, the answer is "no spine".
    spine_series(tmp_path / "in", shows=None)
    done = call(python, "-m", "app", "-i", tmp_path / "in", "-o", tmp_path / "out")
    assert done.returncode == 13, done.stderr
    assert not (tmp_path / "out").exists()
