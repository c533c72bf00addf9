"""The built image under the harshest conditions a host may impose, with podman, no daemon.

Building takes minutes, so the image is named, not built: ``make image`` or the like first, then
``SPINE_MAP_IMAGE=localhost/spine-node:cpu pytest tests/e2e/test_deploy_image.py``. Needs root,
podman and runc; SPINE_MAP_STORAGE names podman's storage driver where it is not the default.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from app.research.synthetic.dicom_series import StudyOptions, write_study
from tests.builders.knee_study import write_knee

IMAGE = os.environ.get("SPINE_MAP_IMAGE", "")
STORAGE = os.environ.get("SPINE_MAP_STORAGE", "")
HARDENED = [
    *("--network", "none", "--read-only", "--tmpfs", "/tmp"),  # noqa: S108 - inside the container
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=4096:4096"),
]
FOREIGN_UID = 4321

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IMAGE, reason="SPINE_MAP_IMAGE names no image"),
    pytest.mark.skipif(not shutil.which("podman"), reason="podman is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="podman runs as root here"),
]


def podman(*words: str) -> subprocess.CompletedProcess[str]:
    storage = ["--storage-driver", STORAGE] if STORAGE else []
    return subprocess.run(
        [shutil.which("podman") or "podman", *storage, "--runtime", "runc", *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Input and output that a foreign user may use."""
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    output.mkdir()
    os.chown(output, FOREIGN_UID, FOREIGN_UID)
    return source, output


def run_map(source: Path, output: Path, *words: str) -> subprocess.CompletedProcess[str]:
    for path in [source, *source.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    mounts = [f"{source}:/var/holoscan/input:ro", f"{output}:/var/holoscan/output"]
    volumes = [word for mount in mounts for word in ("--volume", mount)]
    user = f"{FOREIGN_UID}:{FOREIGN_UID}"
    return podman("run", "--rm", "--user", user, *HARDENED, *volumes, *words, IMAGE)


def names(output: Path) -> list[str]:
    return sorted(path.name for path in output.rglob("*"))


def test_an_empty_input_is_10_and_leaves_nothing(folders: tuple[Path, Path]) -> None:
    done = run_map(*folders)
    assert (done.returncode, names(folders[1])) == (10, [])


def test_a_knee_is_13_and_leaves_nothing(folders: tuple[Path, Path]) -> None:
    write_knee(folders[0])
    done = run_map(*folders)
    assert (done.returncode, names(folders[1])) == (13, []), done.stderr


def test_three_stations_give_nine_objects_and_no_other_file(folders: tuple[Path, Path]) -> None:
    write_study(folders[0], 3, options=StudyOptions(stations=("cervical", "thoracic")))
    done = run_map(*folders)
    assert done.returncode == 0, done.stderr
    assert len(names(folders[1])) == 9
    assert all(name.endswith(".dcm") for name in names(folders[1]))
    assert {path.stat().st_uid for path in folders[1].iterdir()} == {FOREIGN_UID}


def test_an_unwritable_output_is_40(folders: tuple[Path, Path]) -> None:
    write_study(folders[0], 1)
    done = run_map(*folders, "--env", "HOLOSCAN_OUTPUT_PATH=/opt/nowhere")
    assert done.returncode == 40, done.stderr


def test_express_starts_it_through_bash_as_user_1000(folders: tuple[Path, Path]) -> None:
    source, output = folders
    os.chown(output, 1000, 1000)
    mounts = ["--volume", f"{source}:/in:ro", "--volume", f"{output}:/out"]
    places = ["--env", "HOLOSCAN_INPUT_PATH=/in", "--env", "HOLOSCAN_OUTPUT_PATH=/out"]
    command = ["-c", "python3 -u /opt/holoscan/app/"]
    done = podman(
        *("run", "--rm", "--user", "1000:1000", "--entrypoint", "/bin/bash"),
        *HARDENED,
        *mounts,
        *places,
        IMAGE,
        *command,
    )
    assert (done.returncode, names(output)) == (10, []), done.stderr


def test_show_prints_manifests_whose_command_and_models_exist() -> None:
    package = json.loads(podman("run", "--rm", *HARDENED, IMAGE, "show", "pkg").stdout)
    application = json.loads(podman("run", "--rm", *HARDENED, IMAGE, "show", "app").stdout)
    command = json.loads(application["command"])
    paths = [package["applicationRoot"], *package["models"].values()]
    script = f"command -v {command[0]} && ls -d {' '.join(paths)} /opt/holoscan/docs/sbom.cdx.json"
    done = podman("run", "--rm", "--entrypoint", "/bin/sh", *HARDENED, IMAGE, "-c", script)
    assert done.returncode == 0, done.stderr


def test_the_image_is_at_most_2_5_gb() -> None:
    size = podman("image", "inspect", "--format", "{{.Size}}", IMAGE).stdout
    assert int(size) <= 2_500_000_000


def test_the_node_binds_its_port_read_only_as_a_foreign_user(folders: tuple[Path, Path]) -> None:
    _, data = folders
    connect = "import socket; socket.create_connection(('127.0.0.1', 11112), 1)"
    script = (
        "spine-node serve --data /data & node=$!; "
        f'for i in $(seq 120); do python3 -c "{connect}" 2>/dev/null && break; sleep 1; done; '
        "kill -TERM $node; wait $node"
    )
    done = podman(
        *("run", "--rm", "--user", f"{FOREIGN_UID}:{FOREIGN_UID}", "--entrypoint", "/bin/bash"),
        *HARDENED,
        *("--volume", f"{data}:/data"),
        IMAGE,
        "-c",
        script,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "DICOM: SPINENODE@127.0.0.1:11112" in done.stdout
