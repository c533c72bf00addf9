"""Processes forked from one that has imported everything: a start costs milliseconds, not seconds.

What runs in them is the same `main` with the same arguments, environment and descriptors as in a
process of its own; only the imports are done already. A campaign of kills spends its time on faults
then, not on imports.

Run by `WarmParent` alone: ``python -m tests.builders.warm_start DESCRIPTOR``.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

MODULES: Final = (
    "app.cli.main",
    "app.node.listener.listener",
    "app.node.work.worker",
    "tests.builders.stub_worker",
)
"""What listener and worker import on their way to being ready."""
ENDED: Final = -1
"""For a return code: only the parent, which is another process, could know it."""
_MESSAGE_BYTES: Final = 1 << 16


@dataclass
class WarmProcess:
    """As much of `subprocess.Popen` as a `NodeProcess` uses."""

    pid: int
    descriptor: int
    stdout: IO[str]

    def poll(self) -> int | None:
        """`ENDED` where it has ended."""
        return ENDED if select.select([self.descriptor], [], [], 0)[0] else None

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended."""
        if not select.select([self.descriptor], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return ENDED

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """By its descriptor, so that never another process with its number is hit."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, number)


class WarmParent:
    """The one that has imported everything."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            number = other.fileno()
            command = (sys.executable, "-m", "tests.builders.warm_start", str(number))
            self._process = subprocess.Popen(
                command, cwd=root, env=environment, stdin=subprocess.DEVNULL, pass_fds=(number,)
            )

    def start(self, command: Sequence[str], log: int) -> WarmProcess:
        """Run ``python -m MODULE ARGUMENTS...``; `log`: descriptor of its standard error."""
        assert command[1] == "-m"
        reading, writing = os.pipe()
        message = json.dumps(command[2:]).encode()
        socket.send_fds(self._socket, [message], [writing, log])
        os.close(writing)
        answer, descriptors, _, _ = socket.recv_fds(self._socket, _MESSAGE_BYTES, 1)
        if not answer:
            raise RuntimeError(f"the warm parent ended with {self._process.wait()}")
        return WarmProcess(int(answer), descriptors[0], os.fdopen(reading, encoding="utf-8"))

    def close(self) -> None:
        """End it; its processes are to be ended before."""
        self._socket.close()
        self._process.wait(60)


@contextmanager
def warm_parent(root: Path, environment: Mapping[str, str]) -> Iterator[WarmParent]:
    """A parent for processes with this environment."""
    parent = WarmParent(root, environment)
    try:
        yield parent
    finally:
        parent.close()


def main() -> int:
    for module in MODULES:
        importlib.import_module(module)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        while True:
            message, descriptors, _, _ = socket.recv_fds(asked, _MESSAGE_BYTES, 2)
            if not message:
                return 0
            pid = os.fork()
            if not pid:
                break
            for descriptor in descriptors:
                os.close(descriptor)
            _answer(asked, pid)
    for descriptor, target in zip(descriptors, (1, 2), strict=True):
        os.dup2(descriptor, target)
        os.close(descriptor)
    # Those of the parent know what its own descriptors were.
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    sys.argv = json.loads(message)
    return int(importlib.import_module(sys.argv[0]).main() or 0)


def _answer(asked: socket.socket, pid: int) -> None:
    """Hand the child over, and forget those that have ended meanwhile."""
    descriptor = os.pidfd_open(pid)
    socket.send_fds(asked, [str(pid).encode()], [descriptor])
    os.close(descriptor)
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    sys.exit(main())
