"""A node under the real ``spine-node serve``, killed as a whole or in part; inference stands in."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.builders.counting_pacs import CountingPacs
from tests.builders.killable_node import QUICK, Journal, KillableNode, configure, is_alive
from tests.builders.node_processes import NodeProcess, free_port
from tests.builders.stub_inference_child import COMMAND
from tests.builders.waiting import comes_true

ROLES = frozenset({"listener", "worker", "web"})
END_S = 180.0
"""Who is just starting ends, or answers, when it has started: a busy machine delays that, s."""


@dataclass
class ServeProcess(NodeProcess):
    """`serve`; `port`: of its listener; `ports`: of each role."""

    ports: dict[str, int] = field(default_factory=dict)

    def wait_ready(self) -> None:
        """Until every process that it starts was ready once."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.ports = {}
        for line in self.process.stdout:
            message = json.loads(line)
            self.ports[message["role"]] = int(message["port"])
            if self.ports.keys() >= ROLES:
                self.port = self.ports["listener"]
                return
        raise RuntimeError(f"serve ended with {self.process.wait()}: see {self.log.name}")

    def kill(self) -> None:
        """SIGKILL to it and to everything below it, as to a control group."""
        below = self.children()
        super().kill()
        for process in below:
            if process.is_running():
                process.kill()
        wait_gone(below)

    def kill_alone(self) -> None:
        """SIGKILL to it; what is below it has to end by itself."""
        below = self.children()
        super().kill()
        wait_gone(below)


@dataclass
class ServedNode(KillableNode):
    """Listener and worker are those of `serve`, which alone is started from here."""

    serve: ServeProcess

    def kill(self, who: str, meanwhile: Callable[[], None] = lambda: None) -> bool:
        """Kill `tree` or `serve` and start it again, or a role, which `serve` starts again."""
        if who in ROLES:
            return self.kill_role(who)
        {"tree": self.serve.kill, "serve": self.serve.kill_alone}[who]()
        meanwhile()
        self.restart()
        return True

    def restart(self) -> None:
        """As a service manager does."""
        self.serve.start()
        self.serve.wait_ready()

    def kill_role(self, role: str) -> bool:
        """SIGKILL to one of the processes below `serve`."""
        chosen = [child for child in self.serve.children() if role in command_of(child)]
        for child in chosen:
            child.kill()
        return bool(chosen)

    def ask_page(self, path: str) -> int:
        """Status of the page's answer; 0: none."""
        try:
            return httpx.get(
                f"http://127.0.0.1:{self.serve.ports['web']}{path}", timeout=20
            ).status_code
        except httpx.HTTPError:
            return 0

    def silent(self) -> list[str]:
        """Roles that do not come back; the page is asked for all three."""
        if comes_true(lambda: self.ask_page("/readyz") == httpx.codes.OK, END_S, every_s=0.5):
            return []
        return ["web" if self.ask_page("/healthz") != httpx.codes.OK else "listener or worker"]


def command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def wait_gone(processes: list[psutil.Process]) -> None:
    if not comes_true(lambda: not any(map(is_alive, processes)), END_S):
        raise RuntimeError("a process outlived serve")


@contextmanager
def served_node(folder: Path, pacs: CountingPacs, **sections: Any) -> Iterator[ServedNode]:
    """A node that sends everything to `pacs`, ready; `sections` replace parts of its settings."""
    web = {"port": free_port()}
    config = configure(folder, pacs, **{"web": web, **sections})
    inference = shlex.join((*COMMAND, *QUICK))
    words = (sys.executable, "-m", "tests.builders.stub_node", inference)
    serve = ServeProcess(
        "serve", (*words, "serve", "--json", "--config", str(config)), folder / "serve.log"
    )
    data = folder / "data"
    node = ServedNode(
        listener=serve,
        worker=serve,
        journal=Journal(data / "journal.db"),
        data=data,
        config=config,
        serve=serve,
    )
    try:
        node.restart()
        yield node
    finally:
        serve.kill()
