"""``spine-node serve``: start the node's processes, keep them running, end them in order."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.errors import ExitCode
from app.node.lifeline import Lifeline
from app.node.telemetry import events
from app.service_manager import READY, STOPPING, ServiceManager

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.node.reload import Reload
    from app.node.telemetry.logs import EventLog
    from app.settings import Settings

FATAL_CODES: Final = frozenset({ExitCode.USAGE, ExitCode.MODEL})
"""A process that ends so before it was ever ready would only end so again."""
HOPELESS_CODES: Final = frozenset({ExitCode.JOURNAL})
"""No process can work any more, whichever it was that found out, and whenever."""

FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0
HEALTHY_AFTER_S: Final = 60.0
"""A process that ran this long is started again at once."""

_POLL_S: Final = 0.1
_LONGEST_TURN_S: Final = 1.0
"""A turn of our own that took longer counts as this long: who was asleep ourselves (a machine
that was suspended, a debugger) blames nobody for silence."""
_KILL_AFTER_S: Final = 15.0
"""Beyond the worker's own grace: time to write down what is true, s."""
START_LIMIT_S: Final = 300.0
"""Time before the first sign of life: a large journal to migrate, a slow disk, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How patient the supervisor is.

    Attributes
    ----------
    grace_s : float
        How long the processes may take to end, s.
    hung_after_s : float
        A process that shows no sign of life for so long is killed, s.
    """

    grace_s: float
    hung_after_s: float

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Take them from the settings."""
        node = settings.node
        return cls(grace_s=node.worker.grace_s, hung_after_s=node.hung_after_s)


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
    reads_anew : bool
        It reads new settings itself when told by SIGHUP; else it is started again.
    """

    role: str
    command: Sequence[str]
    on_ready: Callable[[str, int], None]
    reads_anew: bool = False
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    failures: int = 0
    silent_s: float = 0.0
    is_leaving: bool = False
    is_up: bool = False
    has_news: bool = False
    was_ready: threading.Event = field(default_factory=threading.Event)
    _lifeline: Lifeline | None = None
    _beats: int = 0

    def start(self) -> None:
        """Start it; its standard error is ours."""
        self.started_at = time.monotonic()
        self.silent_s, self._beats, self.is_leaving = 0.0, 0, False
        self.is_up = self.has_news = False
        if self._lifeline is not None:
            self._lifeline.close()
        self._lifeline = Lifeline()
        self.process = subprocess.Popen(  # noqa: S603 - our own command line
            (*self.command, "--lifeline", str(self._lifeline.descriptor)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(self._lifeline.descriptor,),
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
            self.is_up = True
            self.was_ready.set()
            self.on_ready(self.role, int(message["port"]))

    def leave(self) -> None:
        """Have it end in order; the next one is started as soon as it has."""
        if self.process is not None and self.process.poll() is None:
            self.is_leaving = True
            self.process.terminate()

    def renew(self) -> None:
        """Have it work by new settings."""
        if self.reads_anew:
            self.has_news = True
        else:
            self.leave()

    def tell_news(self) -> None:
        """Tell it of new settings; before it is ready, SIGHUP would end it."""
        if self.has_news and self.is_up and self.process is not None:
            self.has_news = False
            self.process.send_signal(signal.SIGHUP)

    def is_hung(self, turn_s: float, limits: Limits) -> bool:
        """Count its silence; who has not begun to beat, or has begun to end, has more time."""
        beats = 0 if self._lifeline is None else self._lifeline.beats()
        if beats != self._beats:
            self._beats, self.silent_s = beats, 0.0
            return False
        self.silent_s += turn_s
        limit_s = limits.hung_after_s
        if not beats:
            limit_s = max(START_LIMIT_S, limit_s)
        elif self.is_leaving or (self._lifeline is not None and self._lifeline.is_ending()):
            limit_s += limits.grace_s + _KILL_AFTER_S
        return self.silent_s > limit_s

    def plan_restart(self) -> float:
        """Seconds to wait, longer after every quick death."""
        lived = time.monotonic() - self.started_at
        self.failures = 0 if lived > HEALTHY_AFTER_S else self.failures + 1
        delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** max(self.failures - 1, 0))
        self.process, self.start_again_at = None, time.monotonic() + delay
        return delay


def supervise(
    children: Sequence[Child],
    *,
    stop: threading.Event,
    emit: EventLog,
    limits: Limits,
    manager: ServiceManager | None = None,
    reload: Reload | None = None,
) -> int:
    """Keep all processes running until `stop` is set or one cannot be run at all.

    Parameters
    ----------
    children : sequence of Child
        In the order of their start; ended in the same order.
    stop : threading.Event
        Set by SIGTERM or SIGINT.
    emit : EventLog
        Event log.
    limits : Limits
        How long they may be silent, and how long they may take to end.
    manager : ServiceManager, optional
        Told when all are ready, that this process lives, and that it stops.
    reload : Reload, optional
        When to read the settings anew.

    Returns
    -------
    int
        0 when asked to stop; the code of the process that cannot be run.
    """
    told = manager or ServiceManager()
    for child in children:
        child.start()
    code, is_told, before = 0, False, time.monotonic()
    while not code and not stop.wait(_POLL_S):
        now = time.monotonic()
        turn_s, before = min(now - before, _LONGEST_TURN_S), now
        code = next(
            (fatal for child in children if (fatal := _look_after(child, turn_s, limits, emit))), 0
        )
        if not is_told and all(child.was_ready.is_set() for child in children):
            told.tell(READY)
            is_told = True
        settings = None if reload is None else reload.take(emit)
        if settings is not None:
            limits, emit.least = Limits.of(settings), settings.node.log_level
            for child in children:
                child.renew()
        told.tell_alive()
    told.tell(STOPPING)
    _end(children, limits.grace_s, told)
    return code


def _look_after(child: Child, turn_s: float, limits: Limits, emit: EventLog) -> int:
    """Start it again where it died, kill it where it hangs; its exit code where that is no use."""
    if child.process is None:
        if time.monotonic() >= child.start_again_at:
            child.start()
        return 0
    code = child.process.poll()
    if code is None:
        if child.is_hung(turn_s, limits):
            emit(events.PROCESS_HUNG, role=child.role, silent_s=round(child.silent_s, 1))
            child.silent_s = 0.0
            child.process.kill()
        child.tell_news()
        return 0
    if code in HOPELESS_CODES or (code in FATAL_CODES and not child.was_ready.is_set()):
        emit(events.NODE_GIVEN_UP, role=child.role, code=code)
        return code
    if child.is_leaving:
        child.start()
        return 0
    emit(events.PROCESS_RESTARTED, role=child.role, code=code)
    child.plan_restart()
    return 0


def _end(children: Sequence[Child], grace_s: float, told: ServiceManager) -> None:
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + grace_s + _KILL_AFTER_S
    while any(process.poll() is None for process in running) and time.monotonic() < deadline:
        told.tell_alive()
        time.sleep(_POLL_S)
    for process in running:
        process.kill()
        process.wait()


def role_command(role: str, options: Sequence[str]) -> list[str]:
    """Command line that runs one role as a child of this process."""
    return [sys.executable, "-m", "app.cli.main", role, "--child", *options]
