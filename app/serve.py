"""``spine-node serve``: start the node's processes, keep them running, end them in order."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.errors import ExitCode
from app.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.telemetry.logs import Emit

FATAL_CODES: Final = frozenset({ExitCode.USAGE, ExitCode.MODEL})
"""A process that ends so before it was ever ready would only end so again."""

FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0
HEALTHY_AFTER_S: Final = 60.0
"""A process that ran this long is started again at once."""

_POLL_S: Final = 0.1
_KILL_AFTER_S: Final = 15.0
"""Beyond the worker's own grace: time to write down what is true, s."""


@dataclass(slots=True)
class Child:
    """One supervised process.

    Attributes
    ----------
    role : str
        Name in logs.
    command : sequence of str
        What to start; says ``{"event": "ready", "port": N}`` on standard output.
    on_ready : callable
        Told (role, port) at every start.
    """

    role: str
    command: Sequence[str]
    on_ready: Callable[[str, int], None]
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    failures: int = 0
    was_ready: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start it; its standard error is ours."""
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own command line
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return  # a library printed something
        if isinstance(message, dict) and message.get("event") == "ready":
            self.was_ready.set()
            self.on_ready(self.role, int(message["port"]))

    def plan_restart(self) -> float:
        """Seconds to wait, longer after every quick death."""
        lived = time.monotonic() - self.started_at
        self.failures = 0 if lived > HEALTHY_AFTER_S else self.failures + 1
        delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** max(self.failures - 1, 0))
        self.process, self.start_again_at = None, time.monotonic() + delay
        return delay


def supervise(
    children: Sequence[Child], *, stop: threading.Event, emit: Emit, grace_s: float
) -> int:
    """Keep all processes running until `stop` is set or one cannot be run at all.

    Parameters
    ----------
    children : sequence of Child
        In the order of their start; ended in the same order.
    stop : threading.Event
        Set by SIGTERM or SIGINT.
    emit : Emit
        Event log.
    grace_s : float
        How long the processes may take to end, s.

    Returns
    -------
    int
        0 when asked to stop; the code of the process that cannot be run.
    """
    for child in children:
        child.start()
    code = 0
    while not stop.wait(_POLL_S):
        code = next((fatal for child in children if (fatal := _look_after(child, emit))), 0)
        if code:
            break
    _end(children, grace_s)
    return code


def _look_after(child: Child, emit: Emit) -> int:
    """Start it again where it died; its exit code where that is pointless."""
    if child.process is None:
        if time.monotonic() >= child.start_again_at:
            child.start()
        return 0
    code = child.process.poll()
    if code is None:
        return 0
    if code in FATAL_CODES and not child.was_ready.is_set():
        return code
    emit(events.PROCESS_RESTARTED, role=child.role, code=code)
    child.plan_restart()
    return 0


def _end(children: Sequence[Child], grace_s: float) -> None:
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + grace_s + _KILL_AFTER_S
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def role_command(role: str, options: Sequence[str]) -> list[str]:
    """Command line that runs one role as a child of this process."""
    return [sys.executable, "-m", "app.cli", role, "--child", *options]
