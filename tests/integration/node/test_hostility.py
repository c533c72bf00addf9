"""Peers that are unknown, silent, too many, or dead midway; disks and journals that fail."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

import app.node.archive.disk
import app.node.archive.incoming
import app.node.journal.engine
from app.errors import ConfigurationError
from app.node.listener.listener import serve_listener
from app.settings import NodeSettings
from tests.builders.dicom_sender import associated, data_set_of, rejection, sop_instance_uid_of
from tests.builders.listener import RunningListener, running_listener
from tests.builders.mr_series import make_series
from tests.builders.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
TIME_OUT_S = 60.0


@pytest.fixture
def slice_path(tmp_path: Path) -> Path:
    return make_series(tmp_path / "in", slices=1).paths[0]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RunningListener]:
    with running_listener(tmp_path / "data") as running:
        yield running


def send(node: RunningListener, path: Path) -> int | None:
    with associated(node.port) as sender:
        return sender.offer(data_set_of(path), sop_instance_uid_of(path))


def hung_up(connection: socket.socket) -> bool:
    """Whether the listener ends the connection, with an A-ABORT or without."""
    try:
        while connection.recv(1000):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize(
    ("settings", "called", "calling", "answer"),
    [
        ({}, "OTHER", "SENDER", (1, 1, 7)),
        ({"calling_ae_titles": ["SCANNER"]}, "NODE", "SENDER", (1, 1, 3)),
        ({"networks": ["10.9.8.0/24"]}, "NODE", "SENDER", (1, 1, 3)),
        ({"networks": ["127.0.0.0/8"], "calling_ae_titles": ["SENDER"]}, "NODE", "SENDER", ()),
        ({"also_called": ["SPINE_URGENT"]}, "SPINE_URGENT", "SENDER", ()),
    ],
)
def test_title_refusals_are_rejected_with_the_reason_that_dicom_has(  # noqa: PLR0917 -- a table
    settings: dict[str, object], called: str, calling: str, answer: tuple[int, ...], tmp_path: Path
) -> None:
    with running_listener(tmp_path / "data", **settings) as node:
        assert rejection(node.port, called=called, calling=calling) == answer
        refused = [values for number, values in node.told if number == 101]
        assert len(refused) == (1 if answer else 0)


def test_20_refused_peers_leave_nothing_on_the_disk(slice_path: Path, tmp_path: Path) -> None:
    with running_listener(tmp_path / "data", calling_ae_titles=["SCANNER"]) as node:
        for _ in range(20):
            assert rejection(node.port) == (1, 1, 3)
        assert node.files() == node.incoming() == []
        assert node.counters() == {}


def test_the_limit_counts_associations_and_a_place_is_free_again_after_a_release(
    tmp_path: Path,
) -> None:
    with running_listener(tmp_path / "data", max_associations=2) as node:
        with associated(node.port), associated(node.port):
            assert rejection(node.port) == (2, 3, 2)
        eventually(lambda: rejection(node.port) == ())


def test_one_peer_cannot_take_all_places(tmp_path: Path) -> None:
    with (
        running_listener(tmp_path / "data", max_associations_per_peer=1) as node,
        associated(node.port),
    ):
        assert rejection(node.port) == (2, 3, 2)


def test_a_c_store_waits_for_none_of_200_silent_clients(slice_path: Path, tmp_path: Path) -> None:
    limits = {"max_associations": 2, "acse_timeout_s": TIME_OUT_S}
    with running_listener(tmp_path / "data", **limits) as node, ExitStack() as held:
        for number in range(200):
            client = socket.create_connection(("127.0.0.1", node.port))
            held.callback(client.close)
            if number % 2:
                client.sendall(struct.pack(">BBL", 1, 0, 200) + bytes(100))
        start = time.monotonic()
        assert send(node, slice_path) == 0
        assert time.monotonic() - start < TIME_OUT_S / 2  # nor for the first of them to be left


def test_20_senders_that_die_within_an_object_leave_no_file(
    slice_path: Path, node: RunningListener
) -> None:
    data, uid = data_set_of(slice_path), sop_instance_uid_of(slice_path)
    for _ in range(20):
        with associated(node.port) as sender:
            connection = sender.take_over()
            pieces = sender.pdus_of(data, uid, pdu_bytes=512)
            connection.sendall(b"".join(pieces[: len(pieces) // 2]))
            eventually(lambda: bool(node.incoming()))
        eventually(lambda: node.incoming() == [])
    assert node.files() == []
    assert send(node, slice_path) == 0


def test_a_peer_that_stops_within_a_pdu_is_dropped_and_its_place_is_free(
    slice_path: Path, tmp_path: Path
) -> None:
    with running_listener(tmp_path / "data", max_associations=1, network_timeout_s=2) as node:
        with associated(node.port) as sender:
            connection = sender.take_over()
            connection.sendall(struct.pack(">BBL", 4, 0, 1000) + bytes(10))
            assert hung_up(connection)
        eventually(lambda: rejection(node.port) == ())


def test_a_pdu_of_2_gb_is_not_waited_for(slice_path: Path, node: RunningListener) -> None:
    before = psutil.Process().memory_info().rss
    with associated(node.port) as sender:
        connection = sender.take_over()
        connection.sendall(struct.pack(">BBL", 4, 0, 1 << 31))
        assert hung_up(connection)
    assert psutil.Process().memory_info().rss - before < 50e6
    assert send(node, slice_path) == 0


@pytest.mark.parametrize(
    "junk",
    [
        struct.pack(">BBL", 1, 0, 0),
        struct.pack(">BBL", 2, 0, 4) + bytes(4),
        struct.pack(">BBL", 3, 0, 4) + bytes(4),
        struct.pack(">BBL", 4, 0, 6) + struct.pack(">LBB", 2, 1, 3),
        struct.pack(">BBL", 4, 0, 10) + struct.pack(">LBB", 6, 1, 3) + b"\xff\xff\xff\xff",
        struct.pack(">BBL", 4, 0, 14) + struct.pack(">LBB", 10, 99, 3) + bytes(8),
        struct.pack(">BBL", 6, 0, 4) + bytes(4),
        struct.pack(">BBL", 9, 0, 4) + bytes(4),
        bytes(range(256)) * 4,
    ],
)
def test_broken_protocol_ends_one_association_and_nothing_else(
    junk: bytes, slice_path: Path, node: RunningListener
) -> None:
    with associated(node.port) as sender:
        connection = sender.take_over()
        connection.sendall(junk)
        assert hung_up(connection)
    assert send(node, slice_path) == 0


def test_a_full_disk_is_a_refusal_and_recovers_by_itself(
    slice_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [10**12]
    monkeypatch.setattr(
        app.node.archive.disk.os,
        "statvfs",
        lambda _folder: type("S", (), {"f_bavail": free[0], "f_frsize": 1})(),
    )
    with running_listener(tmp_path / "data") as node:
        free[0] = 10**9
        assert send(node, slice_path) == 0xA700
        assert node.files() == node.incoming() == []
        free[0] = 10**12
        assert send(node, slice_path) == 0
        eventually(lambda: node.counters() == {"refused_A700": 1, "stored": 1})
        assert [number for number, _ in node.told if number in {202, 203}] == [202, 203]


def test_a_disk_that_has_become_read_only_is_a_refusal_and_leaves_no_file(
    slice_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    with running_listener(tmp_path / "data") as node:
        with associated(node.port) as sender:
            data, uid = data_set_of(slice_path), sop_instance_uid_of(slice_path)
            with monkeypatch.context() as disk:
                disk.setattr(app.node.archive.incoming.os, "fsync", refuse)
                disk.setattr(Path, "unlink", refuse)
                assert sender.offer(data, uid) == 0xA700
            assert sender.offer(data, uid) == 0
        eventually(lambda: node.incoming() == [])
        assert len(node.instances()) == len(node.files()) == 1


def test_a_journal_that_is_locked_is_a_refusal_and_a_repeat_is_stored(
    slice_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.node.journal.engine, "BUSY_TIMEOUT_S", 1)
    with running_listener(tmp_path / "data") as node:
        other = sqlite3.connect(node.node.data / "journal.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert send(node, slice_path) == 0xA700
        other.execute("ROLLBACK")
        other.close()
        assert node.instances() == []
        assert send(node, slice_path) == 0
        assert len(node.instances()) == len(node.files()) == 1


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path, node: RunningListener) -> None:
    settings = {"data": tmp_path, "listener": {"port": node.port}}
    with pytest.raises(ConfigurationError, match=f"{node.port} cannot be bound"):
        serve_listener(
            NodeSettings.model_validate(settings),
            stop=threading.Event(),
            ready=lambda _port: None,
            emit=node.emit,
        )


def test_left_over_temporary_files_are_swept_at_the_start(tmp_path: Path) -> None:
    incoming = tmp_path / "data" / "spool" / "incoming"
    incoming.mkdir(parents=True)
    for number in range(3):
        (incoming / f"{number}.part").write_bytes(b"x")
    with running_listener(tmp_path / "data") as node:
        assert node.incoming() == []
        assert (201, {"count": 3}) in node.told


def test_150_associations_leave_memory_threads_and_files_as_they_were(
    slice_path: Path, node: RunningListener
) -> None:
    process = psutil.Process()

    def associate(count: int) -> None:
        for _ in range(count):
            assert send(node, slice_path) == 0

    associate(30)
    eventually(lambda: not [t for t in threading.enumerate() if t.name == "association"])
    threads, files, rss = process.num_threads(), process.num_fds(), process.memory_info().rss
    associate(150)
    eventually(lambda: process.num_threads() <= threads + 2 and process.num_fds() <= files + 2)
    assert process.memory_info().rss - rss < 12e6


def test_an_object_acknowledged_by_a_listener_that_is_killed_is_there_for_the_next_one(
    slice_path: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    config = tmp_path / "app.yaml"
    data.mkdir()
    config.write_text(
        "application: {title: t, version: 0.0.0}\n"
        f"node: {{data: {data}, listener: {{port: 0, ae_title: NODE}}}}\n"
    )
    command = [sys.executable, "-m", "app.cli.main", "listener", "--child", "--config", str(config)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as listener:
        port = int(listener.stdout.readline().split('"port":')[1].strip(" }\n"))
        with associated(port) as sender:
            assert sender.offer(data_set_of(slice_path), sop_instance_uid_of(slice_path)) == 0
            os.kill(listener.pid, signal.SIGKILL)
    with running_listener(data) as node:
        assert [row["state"] for row in node.instances()] == ["stored"]
        assert data_set_of(node.files()[0]) == data_set_of(slice_path)
        (row,) = node.series().values()
        assert (row["open_associations"], row["is_broken_off"]) == (0, 1)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed (make peers)")
def test_an_object_of_200_mb_needs_less_than_60_mb_of_memory(
    tmp_path: Path, node: RunningListener
) -> None:
    path = make_series(tmp_path / "in", slices=1).paths[0]
    dataset = pydicom.dcmread(path)
    dataset.PixelData = bytes(200 << 20)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path)
    del dataset
    process = psutil.Process()
    before = peak = process.memory_info().rss
    command = ["storescu", "-aec", "NODE", "127.0.0.1", str(node.port), str(path)]
    with subprocess.Popen(command, env={**os.environ, "TCP_NODELAY": "1"}) as sender:
        while sender.poll() is None:
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.02)
    assert sender.returncode == 0
    assert peak - before < 60e6
    assert node.files()[0].stat().st_size > 200 << 20
