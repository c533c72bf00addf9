"""How long a delivery takes at a real PACS, and how quick our C-STORE is beside dcmtk's.

Run: ``python -m tests.benchmarks.deliver`` (needs Orthanc, and dcmsend for the comparison).
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.node.delivery.attempt import Courier
from app.node.journal.deliveries import due
from app.node.journal.engine import reading
from app.node.peers.store import read_storable, store_files
from app.settings.peers import DimsePeerSettings
from tests.builders.orthanc import HOST, Orthanc, free_port, running_orthanc
from tests.builders.planned_deliveries import journal_in, node_of, plan_job, segmentation_file

JOBS = 30
OBJECTS = 300
WAITING = 1000


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def peer_of(pacs: Orthanc) -> DimsePeerSettings:
    return DimsePeerSettings(name="pacs", ae_title=pacs.ae_title, host=HOST, port=pacs.dicom_port)


def deliveries(folder: Path, pacs: Orthanc) -> None:
    """Two objects stored, listed by C-FIND and noted: from planned to delivered."""
    engine = journal_in(folder)
    courier = Courier(engine, node_of(folder, peer_of(pacs)))
    took_ms = []
    for number in range(JOBS):
        job = plan_job(engine, folder, f"job {number}", objects=2, now=time.time())
        began = time.perf_counter()
        if not courier.attempt(job.group()).is_finished:
            raise SystemExit("a delivery did not finish")
        took_ms.append(1000 * (time.perf_counter() - began))
    took_ms.sort()
    say(
        f"2 objects stored and confirmed: median {statistics.median(took_ms):.0f} ms, "
        f"longest {took_ms[-1]:.0f} ms ({JOBS} jobs)"
    )


def waiting(folder: Path) -> None:
    """What a dead destination with many waiting deliveries costs."""
    engine = journal_in(folder)
    dead = DimsePeerSettings(name="pacs", ae_title="DEAD", host=HOST, port=free_port())
    courier = Courier(engine, node_of(folder, dead))
    jobs = [plan_job(engine, folder, f"w{n}", objects=1, now=time.time()) for n in range(WAITING)]
    began = time.perf_counter()
    delays = [courier.attempt(job.group()).delay_s or 0.0 for job in jobs]
    each_ms = 1000 * (time.perf_counter() - began) / WAITING
    began = time.perf_counter()
    with reading(engine) as c:
        left = due(c, time.time())
    asked_ms = 1000 * (time.perf_counter() - began)
    say(
        f"{WAITING} deliveries to a dead destination: {each_ms:.1f} ms each, then {len(left)} due "
        f"(asked in {asked_ms:.1f} ms), next attempts in {min(delays):.0f} to {max(delays):.0f} s"
    )


def throughput(folder: Path, pacs: Orthanc) -> None:
    """The same 300 objects of 0.4 MB by us and by dcmsend."""
    for number in range(OBJECTS):
        path = folder / f"{number:03}.dcm"
        segmentation_file(path, "2.25.1", "2.25.2", f"2.25.{number + 10}", size_bytes=400_000)
    files = [read_storable(path) for path in sorted(folder.glob("*.dcm"))]
    began = time.perf_counter()
    store_files(peer_of(pacs), "BENCH", files, on_answer=lambda _file, _status: None)
    ours = OBJECTS / (time.perf_counter() - began)
    say(f"C-STORE to Orthanc, ours: {ours:.0f} objects/s")
    dcmsend = shutil.which("dcmsend")
    if dcmsend:
        pacs.delete_series("2.25.2")
        began = time.perf_counter()
        subprocess.run(
            [dcmsend, "-aec", pacs.ae_title, "+sd", HOST, str(pacs.dicom_port), str(folder)],
            check=True,
            env={**os.environ, "TCP_NODELAY": "1"},
        )
        theirs = OBJECTS / (time.perf_counter() - began)
        say(
            f"C-STORE to Orthanc, dcmsend: {theirs:.0f} objects/s (ours: {ours / theirs:.2f} of it)"
        )


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_orthanc(folder) as pacs:
            deliveries(folder / "jobs", pacs)
            (folder / "objects").mkdir()
            throughput(folder / "objects", pacs)
        waiting(folder / "waiting")


if __name__ == "__main__":
    main()
