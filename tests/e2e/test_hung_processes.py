"""A real node whose processes are stopped, not killed, and whose journal is spoilt or too new."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import psutil
import yaml
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

from tests.builders.node import REPOSITORY, TITLE, Node, running_node

HUNG_S = 6.0
"""Long enough that a process of a busy machine is not taken for a hung one."""
ROLES = 3


def process_of(node: Node, role: str) -> psutil.Process:
    children = psutil.Process(node._process.pid).children()
    return next(child for child in children if role in child.cmdline())


def is_ready(node: Node) -> bool:
    try:
        return node.page("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def count_ready(node: Node) -> int:
    """Processes that have come up so far, those that were started again included."""
    return node.log().count('"number": 701')


@contextmanager
def open_association(node: Node) -> Iterator[Association]:
    entity = AE("SCANNER")
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", node.ports["listener"], ae_title=TITLE)
    assert association.is_established
    yield association
    association.release()


def change(node: Node, **section: object) -> None:
    """Write it into the settings of the running node, and have them read."""
    document = yaml.safe_load(node.config.read_text("utf-8"))
    document["node"].update(section)
    node.config.write_text(yaml.safe_dump(document), "utf-8")
    node._process.send_signal(signal.SIGHUP)


def tell_of_a_peer(node: Node, name: str) -> None:
    """Have the running node know a peer; who is connected meanwhile stays so."""
    listener = process_of(node, "listener").pid
    with open_association(node) as association:
        change(
            node,
            peers=[{"name": name, "ae_title": "X", "host": "127.0.0.1", "port": 4}],
            routes=[{"destinations": [name]}],
        )
        shown = f'id="to-{name}"'

        def is_shown() -> bool:
            assert association.send_c_echo().Status == 0
            try:
                return shown in node.page("/destinations").text
            except httpx.TransportError:
                return False

        node.wait_until(is_shown, 120)
    # One event of `serve`, one of the listener.
    node.wait_until(lambda: node.log().count('"number": 706') == 2)
    assert process_of(node, "listener").pid == listener


def refuse_another_folder(node: Node) -> None:
    """Settings that need a restart are named, and change nothing."""
    kept = node.config.read_text("utf-8")
    change(node, data=str(node.folder / "elsewhere"))
    node.wait_until(lambda: '"number": 707' in node.log())
    assert "cannot change node.data: restart the node" in node.log()
    assert not (node.folder / "elsewhere").exists()
    node.config.write_text(kept, "utf-8")


def test_whatever_is_stopped_is_back_within_seconds_and_a_spoilt_journal_ends_the_node(
    tmp_path: Path,
):
    with running_node(tmp_path, hung_after_s=HUNG_S) as node:
        node.wait_until(lambda: is_ready(node) and count_ready(node) == ROLES, 120)
        tell_of_a_peer(node, "archive")
        # Each has to have begun: one that is still starting is given five minutes.
        node.wait_until(lambda: is_ready(node) and count_ready(node) == 2 * ROLES - 1, 120)
        refuse_another_folder(node)
        stopped = [process_of(node, role) for role in ("listener", "web", "worker")]
        begun = time.monotonic()
        for process in stopped:
            process.send_signal(signal.SIGSTOP)
        psutil.wait_procs(stopped, timeout=120)
        assert time.monotonic() - begun > HUNG_S - 1
        node.wait_until(lambda: is_ready(node), 120)
        assert node.log().count('"number": 704') == 3
        journal = node.data / "journal.db"
        with closing(sqlite3.connect(journal)) as c:
            c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with journal.open("r+b") as out:
            out.seek(8192)
            out.write(os.urandom(40_000))
        assert node._process.wait(120) == 50
        assert "SPN-9102" in node.log()
        assert node.log().count('"number": 704') == 3  # who ends by itself is not killed


def test_a_journal_of_a_newer_version_ends_serve_with_a_code_of_its_own(tmp_path: Path):
    node = Node(tmp_path, 0, {})
    node.data.mkdir()
    with closing(sqlite3.connect(node.data / "journal.db")) as c:
        c.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)")
        c.execute("INSERT INTO schema_version VALUES (9999)")
        c.commit()
    command = [sys.executable, "-m", "app.cli.main", "serve", "--config", str(node.config)]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=REPOSITORY, timeout=200, check=False
    )
    assert ended.returncode == 50
    assert "SPN-9101" in ended.stderr
