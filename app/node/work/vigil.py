"""Whether the threads of a worker get on: what each one does has begun at a time, and has a limit.

Only the worker's main loop shows signs of life to whoever started the process. It does so while no
other thread is over its limit, so that one thread that hangs counts as a process that hangs.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from app.node.journal.engine import BUSY_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future

_P = ParamSpec("_P")
_T = TypeVar("_T")

INTAKE: Final = "intake"
PULSE: Final = "pulse"
RETENTION: Final = "retention"
INFERENCE: Final = "inference"
JOURNAL: Final = "journal"
SCAN: Final = "scan"
COURIER: Final = "courier"
PEER: Final = "peer"

_JOURNAL_STEP_S: Final = 10.0 * BUSY_TIMEOUT_S
"""A step that writes to the journal a few times waits at most `BUSY_TIMEOUT_S` for each, s."""
_FILES_S: Final = 900.0
"""50 000 files deleted or 20 000 headers read on a network disk, 15 or 40 ms each, s."""
_TRANSFER_S: Final = 43_200.0
"""One association, whose every wait has a limit of its own: 2 GB on the slowest line that
`app.node.peers.dimse.Patience` takes, 50 kB/s, s."""

LIMITS_S: Final[Mapping[str, float]] = MappingProxyType(
    {
        **dict.fromkeys((INTAKE, PULSE, INFERENCE, JOURNAL), _JOURNAL_STEP_S),
        **dict.fromkeys((RETENTION, SCAN), _FILES_S),
        **dict.fromkeys((COURIER, PEER), _TRANSFER_S),
    }
)
"""How long one step of each kind of work may take, s. A long turn signs after every step."""


@dataclass(slots=True)
class _Doing:
    name: str
    since: float


@dataclass(slots=True)
class Vigil:
    """What is being done in a process, and since when; used by all its threads.

    Attributes
    ----------
    limits_s : mapping
        Kind of work -> seconds; a kind that is missing has no limit.
    monotonic : callable
        Monotonic seconds.
    """

    limits_s: Mapping[str, float]
    monotonic: Callable[[], float] = time.monotonic
    _doing: dict[object, _Doing] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, key: object, name: str) -> None:
        """Note that work begins; `key` tells it from other work that goes on."""
        with self._lock:
            self._doing[key] = _Doing(name, self.monotonic())

    def end(self, key: object) -> None:
        """Note that it ended."""
        with self._lock:
            self._doing.pop(key, None)

    def is_doing(self, key: object) -> bool:
        """Whether that work goes on."""
        with self._lock:
            return key in self._doing

    @contextmanager
    def doing(self, name: str) -> Iterator[None]:
        """Watch over what this thread does while the context lasts."""
        key = threading.get_ident()
        self.begin(key, name)
        try:
            yield
        finally:
            self.end(key)

    def sign(self) -> None:
        """Tell that this thread has got on: a step is done, the next one has the whole limit."""
        with self._lock:
            mine = self._doing.get(threading.get_ident())
            if mine is not None:
                mine.since = self.monotonic()

    def forgive(self) -> None:
        """Give everything its whole limit again: who waits for a journal that is away hangs not."""
        with self._lock:
            now = self.monotonic()
            for one in self._doing.values():
                one.since = now

    def overdue(self) -> tuple[str, ...]:
        """Kinds of work of which a step is over its limit, in the order of their names."""
        with self._lock:
            now = self.monotonic()
            late = {
                one.name
                for one in self._doing.values()
                if now - one.since > self.limits_s.get(one.name, float("inf"))
            }
        return tuple(sorted(late))


class WatchedPool(ThreadPoolExecutor):
    """Threads whose every task is watched over."""

    def __init__(self, size: int, name: str, vigil: Vigil) -> None:
        super().__init__(size, thread_name_prefix=name)
        self._name, self._vigil = name, vigil

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Run it in one of the threads; its time counts from when it begins."""

        def watched() -> _T:
            with self._vigil.doing(self._name):
                return fn(*args, **kwargs)

        return super().submit(watched)
