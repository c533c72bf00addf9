"""A real node whose processes are stopped, not killed; whose journal is spoilt; that is twice."""

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest

from tests.builders.node import REPOSITORY, Node, running_node

HUNG_S = 1.5


def process_of(node: Node, role: str) -> psutil.Process:
    children = psutil.Process(node._process.pid).children()
    return next(child for child in children if role in child.cmdline())


def is_ready(node: Node) -> bool:
    try:
        return node.page("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_whatever_is_stopped_is_back_within_seconds_and_a_spoilt_journal_ends_the_node(
    tmp_path: Path,
):
    with running_node(tmp_path, hung_after_s=HUNG_S) as node:
        node.wait_until(lambda: is_ready(node), 60)
        for role in ("listener", "web", "worker"):
            before = process_of(node, role)
            before.send_signal(signal.SIGSTOP)
            begun = time.monotonic()
            before.wait(HUNG_S + 10)
            assert time.monotonic() - begun > HUNG_S - 0.5
            node.wait_until(lambda: is_ready(node), 60)
        assert node.log().count('"number": 704') == 3
        journal = node.data / "journal.db"
        with closing(sqlite3.connect(journal)) as c:
            c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with journal.open("r+b") as out:
            out.seek(8192)
            out.write(random.Random(3).randbytes(40_000))
        assert node._process.wait(60) == 50
        assert "SPN-9102" in node.log()


def test_a_second_listener_on_another_port_ends_with_a_named_error_and_the_first_goes_on(
    tmp_path: Path,
):
    with running_node(tmp_path) as node:
        half = node.data / "spool" / "incoming" / "half-received"
        half.touch()
        command = [sys.executable, "-m", "app.cli", "listener", "--config", str(node.config)]
        second = subprocess.run(
            command, capture_output=True, text=True, cwd=REPOSITORY, timeout=60, check=False
        )
        assert second.returncode == 2
        assert "SPN-8010" in second.stderr
        assert half.exists()
        with socket.create_connection(("127.0.0.1", node.ports["listener"]), timeout=5):
            pass


@pytest.mark.parametrize("damage", ["newer", "garbage"])
def test_a_journal_that_cannot_be_used_ends_serve_with_its_own_code(tmp_path: Path, damage: str):
    node = Node(tmp_path, 0, {})
    node.data.mkdir()
    if damage == "newer":
        with closing(sqlite3.connect(node.data / "journal.db")) as c:
            c.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)")
            c.execute("INSERT INTO schema_version VALUES (9999)")
            c.commit()
    else:
        (node.data / "journal.db").write_bytes(random.Random(5).randbytes(50_000))
    command = [sys.executable, "-m", "app.cli", "serve", "--config", str(node.config)]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=REPOSITORY, timeout=60, check=False
    )
    assert ended.returncode == 50
    assert {"newer": "SPN-9101", "garbage": "SPN-9102"}[damage] in ended.stderr
    assert os.listdir(node.data)
