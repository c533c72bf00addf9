"""How fast and how lean the listener receives: ``python -m tests.benchmarks.receive``.

Objects of 0.4 MB are sent by dcmtk's ``dcmsend`` (TCP_NODELAY=1, else the sender's delayed
acknowledgements are measured) to a listener process of its own, on one and on eight associations.
Beside it, in the same run and on the same disk, a bare loop keeps the same promise for the same
objects without any DICOM: write, fsync, rename, fsync of the folder, commit (SQLite, WAL,
synchronous=FULL). Pairs alternate, so that a disturbance of the machine meets both; medians are
compared. Do not run it on tmpfs.

Then: time from the process's start until the port answers and its memory; a C-STORE while 200 TCP
clients hold connections open and say nothing; one object of 1 GB; and a soak of N associations
(``--associations``, 10,000 take some minutes), with the slope of memory, threads and open
files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import psutil
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, evt

from operators.dicom.identity.uids import derived_uid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
SENDER = {**os.environ, "TCP_NODELAY": "1"}
_SIDE = 448
"""448 x 448 x 2 bytes: 0.40 MB."""


@dataclass
class Listener:
    """A listener process."""

    process: psutil.Process
    port: int
    ready_s: float

    def rss_mb(self) -> float:
        return self.process.memory_info().rss / 1e6

    def handles(self) -> tuple[int, int]:
        return self.process.num_threads(), self.process.num_fds()


@contextlib.contextmanager
def listener(data: Path) -> Iterator[Listener]:
    """Start ``spine-node listener`` with its data in `data`; stop it by SIGTERM."""
    data.mkdir(parents=True, exist_ok=True)
    config = data / "app.yaml"
    node = {
        "data": str(data),
        "listener": {"port": 0, "ae_title": "NODE"},
        "retention": {"disk_reserve_mb": 500},
    }
    config.write_text(
        json.dumps({"application": {"title": "receive", "version": "0.0.0"}, "node": node})
    )
    command = [sys.executable, "-m", "app.cli.main", "listener", "--child", "--config", str(config)]
    start = time.monotonic()
    with (data / "log").open("w") as log:
        started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert started.stdout is not None
        said = json.loads(started.stdout.readline())
        yield Listener(psutil.Process(started.pid), said["port"], time.monotonic() - start)
    finally:
        started.terminate()
        started.wait(30)


def objects(folder: Path, count: int, series: str) -> list[Path]:
    """Write MR images of one series."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        dataset = _image(series, number)
        dataset.set_pixel_data(
            rng.integers(0, 4096, (_SIDE, _SIDE), dtype=np.uint16), "MONOCHROME2", 12
        )
        paths.append(folder / f"{number:05d}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def _image(series: str, number: int) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = derived_uid("receive", series, str(number))
    dataset.StudyInstanceUID = derived_uid("receive", "study")
    dataset.SeriesInstanceUID = derived_uid("receive", series)
    dataset.Modality = "MR"
    dataset.PatientID = "receive"
    dataset.InstanceNumber = number + 1
    dataset.ImagePositionPatient = [0.0, 0.0, 4.0 * number]
    dataset.ImageOrientationPatient = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    dataset.SeriesDescription = "t2 sag"
    return dataset


def send(port: int, paths: Sequence[Path]) -> None:
    """Send files on one association."""
    command = ["dcmsend", "-aec", "NODE", "127.0.0.1", str(port), *map(str, paths)]
    subprocess.run(command, env=SENDER, check=True, capture_output=True)


def received_per_s(port: int, parts: Sequence[Sequence[Path]]) -> float:
    """Objects per second, all associations at once; the senders' start counts."""
    start = time.monotonic()
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(lambda part: send(port, part), parts))
    return sum(map(len, parts)) / (time.monotonic() - start)


def bare_per_s(folder: Path, contents: Sequence[bytes]) -> float:
    """Objects per second of the loop that only keeps the promise."""
    folder.mkdir()
    journal = sqlite3.connect(folder / "journal.db", isolation_level=None)
    journal.execute("PRAGMA journal_mode=WAL")
    journal.execute("PRAGMA synchronous=FULL")
    journal.execute("CREATE TABLE object (name TEXT PRIMARY KEY, size INTEGER)")
    handle = os.open(folder, os.O_RDONLY)
    start = time.monotonic()
    for number, content in enumerate(contents):
        temporary = folder / "temporary"
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(folder / f"{number:05d}.dcm")
        os.fsync(handle)
        journal.execute("INSERT INTO object VALUES (?, ?)", (str(number), len(content)))
    elapsed = time.monotonic() - start
    os.close(handle)
    journal.close()
    return len(contents) / elapsed


def throughput(folder: Path, count: int, rounds: int) -> dict[str, object]:
    """Compare listener and bare loop."""
    rates: dict[str, list[float]] = {"bare": [], "one": [], "eight": []}
    with listener(folder / "node") as node:
        for turn in range(rounds):
            one = objects(folder / f"one{turn}", count, f"one{turn}")
            eight = [
                objects(folder / f"eight{turn}-{part}", count // 8, f"eight{turn}-{part}")
                for part in range(8)
            ]
            contents = [path.read_bytes() for path in one]
            rates["bare"].append(bare_per_s(folder / f"bare{turn}", contents))
            rates["one"].append(received_per_s(node.port, [one]))
            rates["bare"].append(bare_per_s(folder / f"bare{turn}b", contents))
            rates["eight"].append(received_per_s(node.port, eight))
            for made in folder.glob(f"*{turn}*"):
                shutil.rmtree(made)
        rss = node.rss_mb()
    bare, single, many = (median(rates[name]) for name in ("bare", "one", "eight"))
    return {
        "bare_per_s": round(bare, 1),
        "one_association_per_s": round(single, 1),
        "eight_associations_per_s": round(many, 1),
        "one_share_of_bare": round(single / bare, 2),
        "eight_share_of_bare": round(many / bare, 2),
        "rss_mb": round(rss, 1),
        "all": {name: [round(rate, 1) for rate in values] for name, values in rates.items()},
    }


def silent_clients(folder: Path, count: int) -> dict[str, object]:
    """Send one object while `count` TCP clients are connected and say nothing."""
    path = objects(folder / "silent", 1, "silent")
    with listener(folder / "node") as node, contextlib.ExitStack() as held:
        for _ in range(count):
            held.enter_context(socket.create_connection(("127.0.0.1", node.port)))
        start = time.monotonic()
        send(node.port, path)
        return {"silent_clients": count, "store_s": round(time.monotonic() - start, 3)}


def start_up(folder: Path) -> dict[str, object]:
    """Time to the bound port, best of three, and memory after it."""
    seen = []
    for turn in range(3):
        with listener(folder / f"start{turn}") as node:
            seen.append((node.ready_s, node.rss_mb()))
    return {"ready_s": round(min(seen)[0], 2), "rss_mb": round(min(seen)[1], 1)}


def large_object(folder: Path, megabytes: int) -> dict[str, object]:
    """Receive one Enhanced MR object and watch the memory meanwhile."""
    dataset = _image("large", 0)
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.NumberOfFrames = megabytes
    dataset.Rows = dataset.Columns = 724
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = bytes(724 * 724 * 2 * megabytes)
    path = folder / "large.dcm"
    dataset.save_as(path, enforce_file_format=True)
    del dataset
    with listener(folder / "large") as node:
        before = peak = node.rss_mb()
        start = time.monotonic()
        command = ["storescu", "-aec", "NODE", "127.0.0.1", str(node.port), str(path)]
        with subprocess.Popen(command, env=SENDER, stderr=subprocess.DEVNULL) as sender:
            while sender.poll() is None:
                peak = max(peak, node.rss_mb())
                time.sleep(0.02)
        return {
            "object_mb": round(path.stat().st_size / 1e6),
            "sent": sender.returncode == 0,
            "seconds": round(time.monotonic() - start, 1),
            "rss_growth_mb": round(peak - before, 1),
        }


def soak(folder: Path, associations: int) -> dict[str, object]:
    """Open and release associations, one object each, and look at what stays.

    The sender repeats the bytes of one real association, so that the listener is what is measured.
    The slope is the median of those between any two tenths (Theil-Sen), the first left out: pools
    and caches are filling then, and a single value may meet garbage that waits for the collector.
    """
    path = objects(folder / "soak", 1, "soak")[0]
    with listener(folder / "node-soak") as node:
        talk = _recorded(node.port, path)
        series = []
        start = time.monotonic()
        for tenth in range(10):
            for _ in range(associations // 10):
                _repeat(node.port, talk)
            time.sleep(0.5)
            series.append(round(node.rss_mb(), 2))
            if tenth == 0:
                handles = node.handles()
        elapsed = time.monotonic() - start
        time.sleep(2)
        slope = _median_slope(series[1:]) / (associations // 10) * 10000
        return {
            "associations": associations,
            "per_s": round(associations / elapsed, 1),
            "rss_mb_by_tenth": series,
            "rss_slope_mb_per_10000": round(slope, 2),
            "threads_fds_before": handles,
            "threads_fds_after": node.handles(),
        }


def _median_slope(values: Sequence[float]) -> float:
    pairs = combinations(enumerate(values), 2)
    return median((later - value) / (place - first) for (first, value), (place, later) in pairs)


def _recorded(port: int, path: Path) -> list[bytes]:
    """What a sender says on an association: request, object, release."""
    said: list[bytes] = []
    entity = AE(ae_title="SOAK")
    entity.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    handlers = [(evt.EVT_DATA_SENT, lambda event: said.append(event.data))]
    association = entity.associate("127.0.0.1", port, ae_title="NODE", evt_handlers=handlers)
    association.send_c_store(path)
    association.release()
    return [said[0], b"".join(said[1:-1]), said[-1]]


def _repeat(port: int, talk: Sequence[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in talk:
            connection.sendall(part)
            header = connection.recv(6, socket.MSG_WAITALL)
            answer = connection.recv(int.from_bytes(header[2:], "big"), socket.MSG_WAITALL)
        if header[0] != 6 or not answer:
            raise ConnectionError("the association was not released")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="on the disk that is measured")
    parser.add_argument("--count", type=int, default=304, help="objects per round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--associations", type=int, default=500)
    parser.add_argument("--large", type=int, default=0, metavar="MB")
    parser.add_argument("--only", choices=("start", "throughput", "silent", "large", "soak"))
    options = parser.parse_args(arguments)
    if shutil.which("dcmsend") is None:
        sys.stderr.write("receive: dcmtk is not installed (make peers)\n")
        return 2
    with tempfile.TemporaryDirectory(dir=options.folder or ROOT) as name:
        folder = Path(name)
        parts = {
            "start": lambda: start_up(folder),
            "throughput": lambda: throughput(folder, options.count, options.rounds),
            "silent": lambda: silent_clients(folder, 200),
            "soak": lambda: soak(folder, options.associations),
        }
        if options.large:
            parts["large"] = lambda: large_object(folder, options.large)
        chosen = [options.only] if options.only else list(parts)
        for part in chosen:
            sys.stdout.write(json.dumps({part: parts[part]()}) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
