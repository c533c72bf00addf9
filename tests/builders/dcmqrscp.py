"""A real PACS for tests where there is no Orthanc: dcmtk's dcmqrscp in a folder of its own.

It has what the campaign asks of `tests.builders.orthanc.Orthanc`: its life, and what it holds. It
keeps at most 500 studies, and of two objects with one identifier the later one.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from tests.builders.node_processes import free_port
from tests.builders.waiting import comes_true

PROGRAM = shutil.which("dcmqrscp") or ""
_CONFIGURATION = """\
NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 32
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{title} {store} RW (500, 1024mb) ANY
AETable END
"""


@dataclass
class Dcmqrscp:
    """One server: `start`, `kill` (SIGKILL), and what it holds."""

    folder: Path
    ae_title: str
    dicom_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def start(self) -> Dcmqrscp:
        """Start it and wait until its port answers."""
        self.store.mkdir(parents=True, exist_ok=True)
        config = self.folder / "dcmqrscp.cfg"
        config.write_text(
            _CONFIGURATION.format(port=self.dicom_port, title=self.ae_title, store=self.store)
        )
        with (self.folder / "dcmqrscp.log").open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--config", str(config)],
                stdout=log,
                stderr=log,
                env={**os.environ, "TCP_NODELAY": "1"},
                start_new_session=True,
            )
        assert comes_true(self._answers), "dcmqrscp does not answer"
        return self

    def kill(self) -> None:
        """SIGKILL, also of the processes that it made for associations."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """SIGSTOP: it accepts TCP connections and never answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def count_instances(self) -> int:
        """Files it holds."""
        return len(list(self.store.glob("*.dcm")))

    def sop_instance_uids(self) -> list[str]:
        """SOP Instance UIDs of the objects that it holds, sorted."""
        return sorted(self._files())

    def file(self, sop_instance_uid: str) -> bytes:
        """Part 10 file of an object, as it stored it."""
        return self._files()[sop_instance_uid].read_bytes()

    def _files(self) -> dict[str, Path]:
        found = {}
        for path in self.store.glob("*.dcm"):
            try:
                header = pydicom.dcmread(io.BytesIO(path.read_bytes()), stop_before_pixels=True)
            except (InvalidDicomError, EOFError):
                continue  # half a file of a server that was killed: it was not acknowledged
            found[str(header.SOPInstanceUID)] = path
        return found

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.dicom_port), timeout=1).close()
        except OSError:
            return False
        return True

    def _signal(self, number: int) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, number)


@contextmanager
def running_dcmqrscp(folder: Path, ae_title: str) -> Iterator[Dcmqrscp]:
    """One for the length of a block; killed at its end, whatever happened."""
    pacs = Dcmqrscp(folder / "dcmqrscp", ae_title)
    try:
        yield pacs.start()
    finally:
        pacs.kill()
