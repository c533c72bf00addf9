"""compose.yaml without a container engine: its processes, its settings, its commands, on loopback.

What the file says is taken from the file: commands, archive and node settings, routing. Only what
containers would isolate is replaced: host names, ports and folders.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
import yaml

from app.research.synthetic.dicom_series import write_study
from tests.builders.orthanc import free_port, needs_orthanc, running_orthanc

pytestmark = [needs_orthanc, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
TRIAL = ROOT / "app" / "deploy" / "trial"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
BIN = Path(sys.executable).parent
PATIENCE_S = 240


def archive_options(node_port: int) -> dict[str, Any]:
    """The trial's archive settings; its name for the node's host is loopback here."""
    options = json.loads((TRIAL / "orthanc.json").read_text())
    options["DicomModalities"]["spine-node"] |= {"Host": "127.0.0.1", "Port": node_port}
    mounted = mounts("orthanc")
    options["LuaScripts"] = [mounted[script] for script in options["LuaScripts"]]
    plugin = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    options["Plugins"] = [str(plugin)] if plugin.exists() else []
    kept = {
        "DicomModalities",
        "LuaScripts",
        "Plugins",
        "StableAge",
        "OHIF",
        "DicomAlwaysAllowStore",
    }
    return {name: options[name] for name in kept}


def mounts(service: str) -> dict[str, str]:
    """Path in the container -> file of the repository."""
    lines = [line.split(":") for line in COMPOSE["services"][service]["volumes"]]
    return {line[1]: str(ROOT / line[0]) for line in lines if line[0].startswith("./app")}


def node_settings(folder: Path, ports: dict[str, int]) -> Path:
    """The trial's node settings with this machine's ports."""
    (source,) = mounts("node").values()
    document = yaml.safe_load(Path(source).read_text())
    node = document["node"]
    node["listener"] |= {"host": "127.0.0.1", "port": ports["dicom"]}
    node["web"] |= {"host": "127.0.0.1", "port": ports["web"]}
    (peer,) = node["peers"]
    peer |= {"host": "127.0.0.1", "port": ports["archive"]}
    document["models"] = {"directory": str(ROOT / "models")}
    file = folder / "app.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def environment(folder: Path, config: Path) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HOLOSCAN_", "SPINE_NODE_"))}
    return clean | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "SPINE_NODE_DATA": str(folder / "data"),
        "SPINE_NODE_DATABASE_URL": "",
        "HOLOSCAN_CONFIG_PATH": str(config),
    }


@contextmanager
def running_node(folder: Path, config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The node as the service "node" starts it."""
    with (folder / "node.log").open("wb") as log:
        process = subprocess.Popen(
            COMPOSE["services"]["node"]["command"],
            cwd=folder,
            env=environment(folder, config),
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=90)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Ask as the healthcheck of the service does."""
    deadline = time.monotonic() + PATIENCE_S
    answer: httpx.Response | None = None
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = httpx.get(url, timeout=5)
        except httpx.HTTPError:
            time.sleep(0.2)
            continue
        if answer.status_code == 200:
            return dict(answer.json())
        time.sleep(0.2)
    raise AssertionError(f"not ready: {answer.text if answer else process.poll()}")


def test_the_trial_stack_brings_the_demo_study_into_the_archive_segmented(tmp_path: Path) -> None:
    ports = {"dicom": free_port(), "web": free_port()}
    study = tmp_path / "study"
    written = write_study(study, 5)
    with running_orthanc(tmp_path, **archive_options(ports["dicom"])) as archive:
        config = node_settings(tmp_path, ports | {"archive": archive.dicom_port})
        with running_node(tmp_path, config) as node:
            check = COMPOSE["services"]["node"]["healthcheck"]["test"][-1]
            path = re.search(r"http://127\.0\.0\.1:8042(/\w+)", check)
            assert path is not None
            wait_until_ready(f"http://127.0.0.1:{ports['web']}{path.group(1)}", node)
            # The service "demo-study": a scanner that sends into the archive.
            demo = COMPOSE["services"]["demo-study"]
            (script,) = demo["command"]
            script = script.replace("/study", str(study))
            script = script.replace("orthanc:4242", f"127.0.0.1:{archive.dicom_port}")
            subprocess.run(
                [*demo["entrypoint"], script],
                env=environment(tmp_path, config),
                cwd=tmp_path,
                check=True,
                timeout=60,
            )
            assert archive.count_instances() == len(written.files)
            deadline = time.monotonic() + PATIENCE_S
            while len(archive.find("Series", Modality="SEG")) < 2:
                assert time.monotonic() < deadline, (tmp_path / "node.log").read_text()[-2000:]
                assert node.poll() is None
                time.sleep(0.5)
        assert node.returncode == 0
        found = archive.find("Series", Modality="SEG")
        assert len(found) == 2
        for uid in archive.sop_instance_uids(Modality="SEG"):
            result = pydicom.dcmread(io.BytesIO(archive.file(uid)), stop_before_pixels=True)
            (source,) = result.ReferencedSeriesSequence
            assert source.SeriesInstanceUID == written.lumbar.uid
