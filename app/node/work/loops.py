"""The loops of a worker, each in a thread of its own: turn after turn, patient with outages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.errors import JournalDamagedError, ServiceError
from app.node.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from threading import Event

    from app.node.telemetry.logs import Emit
    from app.node.work.vigil import Vigil

_OUTAGE_PAUSE_S: Final = 1.0
_MOST: Final = 4


@dataclass(slots=True)
class Loops:
    """Starts loops, and tells when one ended by itself.

    Attributes
    ----------
    vigil : Vigil
        Watches over every turn.
    emit : Emit
        Event log.
    """

    vigil: Vigil
    emit: Emit
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_MOST, thread_name_prefix="loop")
    )
    _running: list[Future[None]] = field(default_factory=list)

    def start(self, name: str, turn: Callable[[], None], every_s: float, stop: Event) -> None:
        """Take a turn every `every_s` seconds until `stop` is set; one that hangs is overdue."""
        self.start_unwatched(lambda: self._go_round(name, turn, every_s, stop))

    def start_unwatched(self, work: Callable[[], None]) -> None:
        """Run what has limits of its own."""
        self._running.append(self._threads.submit(work))

    def check(self) -> None:
        """Raise what ended one of them."""
        for loop in self._running:
            if loop.done():
                loop.result()

    def leave(self) -> None:
        """Wait for none of them any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _go_round(self, name: str, turn: Callable[[], None], every_s: float, stop: Event) -> None:
        is_told = False
        pause_s = every_s
        while not stop.wait(pause_s):
            try:
                with self.vigil.doing(name):
                    turn()
                is_told, pause_s = False, every_s
            except JournalDamagedError:
                raise  # waiting does not mend it
            except ServiceError as error:
                if not is_told:
                    self.emit(events.ENGINE_UNREACHABLE, error=error.code)
                is_told, pause_s = True, max(every_s, _OUTAGE_PAUSE_S)
