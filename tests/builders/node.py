"""A running node (``spine-node serve``) for tests: its own folder, free ports, killable."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
import yaml

from app.node.journal.engine import journal_url, open_journal, reading
from app.node.journal.tables import METADATA

REPOSITORY = Path(__file__).resolve().parents[2]
TITLE = "SPINENODE"


class Node:
    """The processes of one node; `start` again after `kill` keeps folder and DICOM port."""

    def __init__(self, folder: Path, port: int, settings: Mapping[str, Any]) -> None:
        """`port`: the listener's, 0 for any; `settings`: the ``node`` section without data."""
        self.folder, self.data = folder, folder / "data"
        folder.mkdir(parents=True, exist_ok=True)
        document = yaml.safe_load((REPOSITORY / "app.yaml").read_text(encoding="utf-8"))
        document["models"]["directory"] = str(REPOSITORY / "models")
        node = {"listener": {}, "web": {}, **settings, "data": str(self.data)}
        node["listener"] = {"ae_title": TITLE, **node["listener"], "port": port}
        node["web"] = {**node["web"], "port": 0}
        document["node"] = node
        self.config = folder / "app.yaml"
        self.config.write_text(yaml.safe_dump(document), encoding="utf-8")
        self.ports: dict[str, int] = {}
        self._ready = threading.Condition()
        self._process: subprocess.Popen[str] | None = None

    def start(self, *, wait_for: tuple[str, ...] = ("listener", "web")) -> Node:
        """Start and wait until these roles are ready."""
        self.ports = {}
        command = [
            sys.executable,
            "-m",
            "app.cli.main",
            "serve",
            "--json",
            "--config",
            str(self.config),
        ]
        with (self.folder / "node.log").open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=REPOSITORY,
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")},
            )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        deadline = time.monotonic() + 120
        with self._ready:
            while not set(wait_for) <= self.ports.keys():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the node did not start:\n{self.log()[-3000:]}")
                self._ready.wait(0.2)
        return self

    def _listen(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                message = json.loads(line)
                with self._ready:
                    self.ports[message["role"]] = int(message["port"])
                    self._ready.notify_all()

    def log(self) -> str:
        """Everything the node logged."""
        return (self.folder / "node.log").read_text(encoding="utf-8")

    def stop(self) -> int:
        """End it with SIGTERM; its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        code = self._process.wait(120)
        self._process = None
        return code

    def kill(self) -> None:
        """Kill all its processes at once, as a power cut would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table of the journal."""
        engine = open_journal(journal_url(self.data, None))
        try:
            with reading(engine) as connection:
                found = connection.execute(sa.select(METADATA.tables[table])).mappings()
                return [dict(row) for row in found]
        finally:
            engine.dispose()

    def page(self, path: str) -> httpx.Response:
        """GET a page."""
        return httpx.get(f"http://127.0.0.1:{self.ports['web']}{path}", timeout=60)

    def wait_until(self, is_so: Any, timeout_s: float = 300) -> None:
        """Poll `is_so()` until it is true."""
        deadline = time.monotonic() + timeout_s
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"it never came true:\n{self.log()[-3000:]}")
            time.sleep(0.2)


@contextmanager
def running_node(folder: Path, port: int = 0, **settings: Any) -> Iterator[Node]:
    """A started node; ended when the context ends."""
    node = Node(folder, port, settings)
    try:
        yield node.start()
    finally:
        node.stop()
