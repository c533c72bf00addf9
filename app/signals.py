"""SIGTERM and SIGINT as a wish that a run asks for, not as an end of the process.

Holoscan replaces the process's signal handlers while a graph runs and ends the process with code
1 after three seconds. So the signals are blocked in every thread and taken by one that waits for
them. Enter `stop_requests` before anything starts threads (numpy, torch): a thread made earlier
would still receive the signal.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT})
_POLL_S: Final = 0.2
"""How often the waiting thread looks whether it is still needed."""


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """Event that is set by SIGTERM or SIGINT while the context lasts.

    Yields
    ------
    threading.Event
        Ask it between steps and tiles. SIGKILL still ends the process at once.
    """
    stop, is_over = threading.Event(), threading.Event()

    def wait_for_signals() -> None:
        while not is_over.is_set():
            if signal.sigtimedwait(_SIGNALS, _POLL_S) is not None:
                stop.set()

    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    waiter = threading.Thread(target=wait_for_signals, name="signals", daemon=True)
    waiter.start()
    try:
        yield stop
    finally:
        is_over.set()
        waiter.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
