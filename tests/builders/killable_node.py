"""Listener and worker as real processes around one data folder, with a stand-in for inference.

They deliver to a `CountingPacs` at once. Whoever is killed is started again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.builders.counting_pacs import HOST, TITLE, CountingPacs
from tests.builders.node_processes import (
    NodeProcess,
    free_port,
    role_command,
    stub_worker_command,
    write_config,
)
from tests.builders.waiting import comes_true
from tests.builders.warm_start import WarmParent

QUICK = ("--work", "0.2")
"""The stand-in takes so many seconds for a series, and makes stand-in objects."""


@dataclass
class Journal:
    """The node's journal, read from outside."""

    path: Path

    def rows(self, query: str, *values: str) -> list[tuple]:
        if not self.path.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=30)) as c:
            return c.execute(query, values).fetchall()

    def has(self, query: str) -> bool:
        return bool(self.rows(query))


@dataclass
class KillableNode:
    """Listener and worker of one data folder, and who is killed how."""

    listener: NodeProcess
    worker: NodeProcess
    journal: Journal
    data: Path
    config: Path

    def start(self, *names: str) -> None:
        chosen = [process for process in (self.listener, self.worker) if process.role in names]
        for process in chosen:
            process.start()
        for process in chosen:
            process.wait_ready()

    def kill(self, who: str, meanwhile: Callable[[], None] = lambda: None) -> bool:
        """Kill and start again; False where there was nobody to kill.

        `meanwhile`: called while they are dead.
        """
        if who == "inference":
            return self._kill_inference()
        names = ("listener", "worker") if who == "both" else (who,)
        orphans = self.worker.children() if "worker" in names else []
        for process in (self.listener, self.worker):
            if process.role in names:
                process.kill()
        # One that was only starting notices at the end of its start, which a busy machine delays.
        if not comes_true(lambda: not any(map(is_alive, orphans)), 60):
            raise RuntimeError("the inference child outlived its worker")
        meanwhile()
        self.start(*names)
        return True

    def silent(self) -> list[str]:
        """Roles that do not answer though nobody holds them up."""
        return []

    def _kill_inference(self) -> bool:
        children = self.worker.children()
        for child in children:
            child.kill()
        return bool(children)


def peer_entry(name: str, pacs: CountingPacs) -> dict[str, Any]:
    """Its entry in the settings."""
    return {"name": name, "ae_title": TITLE, "host": HOST, "port": pacs.port}


def is_alive(process: psutil.Process) -> bool:
    """A zombie that nobody has waited for yet counts as dead."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _started_by(through: Sequence[str], command: Sequence[str]) -> tuple[str, ...]:
    """The command with something between each ``-m`` and its module."""
    words = ((word, *through) if word == "-m" else (word,) for word in command)
    return tuple(word for group in words for word in group)


@contextmanager
def killable_node(
    folder: Path,
    pacs: CountingPacs,
    *,
    child: Sequence[str] = QUICK,
    through: Sequence[str] = (),
    parent: WarmParent | None = None,
    **sections: Any,
) -> Iterator[KillableNode]:
    """A node that sends everything to `pacs`, ready; `sections` replace parts of its settings.

    `child`: options of the stand-in for inference (`tests.builders.stub_inference_child`);
    `through`: module and arguments by which every process is started, before its own; `parent`:
    listener and worker are forked from that one, with its environment.
    """
    data, config = folder / "data", configure(folder, pacs, **sections)
    worker = stub_worker_command(config, *child)
    listener, worker = (
        _started_by(through, command) for command in (role_command("listener", config), worker)
    )
    node = KillableNode(
        listener=NodeProcess("listener", listener, folder / "listener.log", parent),
        worker=NodeProcess("worker", worker, folder / "worker.log", parent),
        journal=Journal(data / "journal.db"),
        data=data,
        config=config,
    )
    try:
        node.start("listener", "worker")
        yield node
    finally:
        node.listener.kill()
        node.worker.kill()


def configure(folder: Path, pacs: CountingPacs, **sections: Any) -> Path:
    """Write the settings of a node that sends everything to `pacs` at once; answers their file."""
    settings = {
        "data": str(folder / "data"),
        "listener": {"port": free_port()},
        "peers": [peer_entry("pacs", pacs)],
        "routes": [{"destinations": ["pacs"]}],
        "completeness": {"quiet_s": 3600},
        "worker": {"lease_s": 2, "retry_after_s": 0.2, "attempts": 1000},
        "delivery": {"release": "auto", "first_delay_s": 0.2, "longest_delay_s": 1},
        "retention": {"disk_reserve_mb": 0},
        **sections,
    }
    return write_config(folder / "app.yaml", settings)
