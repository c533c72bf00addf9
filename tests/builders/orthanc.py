"""A real PACS for tests: Debian's Orthanc in a folder of its own, on free loopback ports.

It keeps its storage and ports over `kill` and `start`, so that a test can take the PACS down in
the middle of a delivery. Everything it knows is asked over its own REST interface.

Use it as a context manager::

    with running_orthanc(tmp_path, modalities={"node": ("SPINENODE", port)}) as pacs:
        pacs.upload_folder(study)
        pacs.send_study(study_uid, "node")
        assert pacs.count_instances() == 17
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

PROGRAM = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
HOST = "127.0.0.1"

needs_orthanc = pytest.mark.skipif(
    not Path(PROGRAM).exists(), reason="Orthanc is not installed (make peers)"
)
DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
needs_orthanc_dicomweb = pytest.mark.skipif(
    not DICOMWEB_PLUGIN.exists(), reason="Orthanc's DICOMweb is not installed (make peers)"
)


def free_port() -> int:
    """A TCP port that was free a moment ago, on loopback."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Orthanc:
    """One Orthanc server: `start`, `stop` (SIGTERM), `kill` (SIGKILL), and what it holds."""

    def __init__(
        self,
        folder: Path,
        ae_title: str = "ORTHANC",
        modalities: Mapping[str, tuple[str, int]] | None = None,
        **options: Any,
    ) -> None:
        """`modalities`: name -> (AE title, port) on loopback; `options` go into its JSON file."""
        self.folder = folder
        self.ae_title = ae_title
        self.dicom_port = free_port()
        self.http_port = free_port()
        self.modalities = dict(modalities or {})
        self.process: subprocess.Popen[bytes] | None = None
        self._options = options
        self._client = httpx.Client(
            base_url=f"http://{HOST}:{self.http_port}",
            timeout=30,
            # It closes idle connections, at times just as the next request comes.
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        folder.mkdir(parents=True, exist_ok=True)

    # --- its life -----------------------------------------------------------------------------

    def start(self, timeout_s: float = 30) -> Orthanc:
        """Start it and wait until REST and DICOM answer."""
        config = self.folder / "orthanc.json"
        config.write_text(json.dumps(self._configuration()))
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, str(config)],
                stdout=log,
                stderr=log,
                env={**os.environ, "TCP_NODELAY": "1"},
            )
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self._answers():
                return self
            time.sleep(0.05)
        self.kill()
        raise RuntimeError((self.folder / "orthanc.log").read_text()[-2000:])

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end("terminate")

    def kill(self) -> None:
        """SIGKILL: what it has acknowledged is on its disk, the rest is gone."""
        self._end("kill")

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self._client.close()

    def pause(self) -> None:
        """SIGSTOP: it accepts TCP connections and never answers."""
        self._signal(19)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(18)

    # --- what it holds ------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        """GET of its REST interface, parsed."""
        return self._client.get(path).raise_for_status().json()

    def post(self, path: str, body: Any) -> Any:
        """POST of JSON to its REST interface, parsed."""
        return self._client.post(path, json=body).raise_for_status().json()

    def put(self, path: str, body: Any) -> None:
        """PUT of JSON to its REST interface."""
        self._client.put(path, json=body).raise_for_status()

    def count_instances(self) -> int:
        """Objects it holds."""
        return int(self.get("/statistics")["CountInstances"])

    def find(self, level: str, **query: str) -> list[dict[str, Any]]:
        """Resources (Study, Series, Instance) that match, expanded."""
        body = {"Level": level, "Query": query, "Expand": True, "CaseSensitive": True}
        found: list[dict[str, Any]] = self.post("/tools/find", body)
        return found

    def sop_instance_uids(self, **query: str) -> list[str]:
        """SOP Instance UIDs of the objects that match, sorted; repeats would show."""
        rows = self.find("Instance", **query)
        return sorted(row["MainDicomTags"]["SOPInstanceUID"] for row in rows)

    def file(self, sop_instance_uid: str) -> bytes:
        """Part 10 file of an object, as it stored it."""
        (row,) = self.find("Instance", SOPInstanceUID=sop_instance_uid)
        return self._client.get(f"/instances/{row['ID']}/file").raise_for_status().content

    # --- what it does -------------------------------------------------------------------------

    def upload(self, file: Path) -> str:
        """Give it a file over REST; answers Orthanc's identifier of the object."""
        answer = self._client.post("/instances", content=file.read_bytes()).raise_for_status()
        return str(answer.json()["ID"])

    def upload_folder(self, folder: Path) -> int:
        """Give it every ``.dcm`` file below a folder; answers how many."""
        return len([self.upload(file) for file in sorted(folder.rglob("*.dcm"))])

    def delete_series(self, series_uid: str) -> None:
        """Remove a series."""
        for row in self.find("Series", SeriesInstanceUID=series_uid):
            self._client.delete(f"/series/{row['ID']}").raise_for_status()

    def delete_instance(self, sop_instance_uid: str) -> None:
        """Remove one object."""
        for row in self.find("Instance", SOPInstanceUID=sop_instance_uid):
            self._client.delete(f"/instances/{row['ID']}").raise_for_status()

    def set_modality(self, name: str, ae_title: str, port: int) -> None:
        """Make a peer on loopback known, now and over restarts."""
        self.modalities[name] = (ae_title, port)
        body = {"AET": ae_title, "Host": HOST, "Port": port}
        self._client.put(f"/modalities/{name}", json=body).raise_for_status()

    def send_study(self, study_uid: str, modality: str) -> None:
        """C-STORE a whole study to a known peer and wait for the end."""
        rows = self.find("Study", StudyInstanceUID=study_uid)
        self._send([row["ID"] for row in rows], modality)

    def send_series(self, series_uid: str, modality: str) -> None:
        """C-STORE a series to a known peer and wait for the end."""
        rows = self.find("Series", SeriesInstanceUID=series_uid)
        self._send([row["ID"] for row in rows], modality)

    def send_instance(self, sop_instance_uid: str, modality: str) -> None:
        """C-STORE one object to a known peer and wait for the end."""
        rows = self.find("Instance", SOPInstanceUID=sop_instance_uid)
        self._send([row["ID"] for row in rows], modality)

    def _send(self, identifiers: list[str], modality: str) -> None:
        body = {"Resources": identifiers, "Synchronous": True}
        self.post(f"/modalities/{modality}/store", body)

    # --- inside -------------------------------------------------------------------------------

    def _configuration(self) -> dict[str, Any]:
        return {
            "Name": "test PACS",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "Plugins": [],
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "DicomAet": self.ae_title,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowMove": True,
            "StableAge": 1,
            "DicomModalities": {
                name: [ae_title, HOST, port] for name, (ae_title, port) in self.modalities.items()
            },
            **self._options,
        }

    def _answers(self) -> bool:
        try:
            self._client.get("/system", timeout=1).raise_for_status()
            with socket.create_connection((HOST, self.dicom_port), timeout=1):
                return True
        except (httpx.HTTPError, OSError):
            return False

    def _end(self, how: str) -> None:
        if self.process is not None:
            getattr(self.process, how)()
            self.process.wait(timeout=30)
            self.process = None

    def _signal(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)


@contextmanager
def running_orthanc(
    folder: Path,
    ae_title: str = "ORTHANC",
    modalities: Mapping[str, tuple[str, int]] | None = None,
    **options: Any,
) -> Iterator[Orthanc]:
    """An Orthanc for the length of a block; killed at its end, whatever happened."""
    pacs = Orthanc(folder / "orthanc", ae_title, modalities, **options)
    try:
        yield pacs.start()
    finally:
        pacs.close()
