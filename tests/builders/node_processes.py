"""The node's real processes, each one to be killed and started again at will."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.builders.stub_inference_child import COMMAND
from tests.builders.warm_start import WarmParent, WarmProcess

ROOT = Path(__file__).resolve().parents[2]
_BYTECODE = "PYTHONDONTWRITEBYTECODE"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != _BYTECODE} | {
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
}
"""Bytecode is kept: a process that compiles all it imports takes twice as long to start."""
STUB_WORKER = (sys.executable, "-m", "tests.builders.stub_worker")


def write_config(path: Path, node: Mapping[str, Any]) -> Path:
    """The repository's app.yaml with another `node` section."""
    document = yaml.safe_load((ROOT / "app.yaml").read_text(encoding="utf-8"))
    document["node"] = dict(node)
    document["models"]["directory"] = str(ROOT / "models")
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def role_command(role: str, config: Path) -> tuple[str, ...]:
    """A role as `spine-node serve` starts it."""
    return (sys.executable, "-m", "app.cli.main", role, "--child", "--config", str(config))


def stub_worker_command(config: Path, *options: str) -> tuple[str, ...]:
    """The real worker with the stand-in for its inference child."""
    return (*STUB_WORKER, "--config", str(config), "--", *COMMAND, *options)


@dataclass
class NodeProcess:
    """One role. `log`: where its standard error goes.

    `parent`: it is forked from that one, with its environment.
    """

    role: str
    command: Sequence[str]
    log: Path
    parent: WarmParent | None = None
    process: subprocess.Popen[str] | WarmProcess | None = None
    port: int = 0
    starts: int = 0

    def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as log:
            if self.parent is not None:
                self.process = self.parent.start(self.command, log.fileno())
                return
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def wait_ready(self) -> None:
        """Until it says so; what it says before is not for us."""
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("event") == "ready":
                self.port = int(message["port"])
                return
        raise RuntimeError(f"{self.role} ended with {self.process.wait()}: see {self.log.name}")

    def children(self) -> list[psutil.Process]:
        if self.process is None:
            return []
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self._forget()

    def terminate(self, timeout_s: float = 60) -> int:
        """SIGTERM, as a service manager does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout_s)
        self._forget()
        return code

    def _forget(self) -> None:
        assert self.process is not None
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None


def free_port() -> int:
    """A port that nobody listens on now; a listener that is restarted needs a fixed one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
