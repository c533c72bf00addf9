"""SIGTERM and SIGINT as a wish that a run asks for, not as an end of the process.

Holoscan replaces the process's signal handlers while a graph runs and ends the process with code
1 after three seconds. So the signals are blocked in every thread and taken by one that waits for
them. Enter `stop_requests` before anything starts threads (numpy, torch): a thread made earlier
would still receive the signal.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT})
_PR_SET_PDEATHSIG: Final = 1
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
            info = signal.sigtimedwait(_SIGNALS, _POLL_S)
            # A process that was frozen (SIGSTOP) beyond the time-out and wakes up gets an answer
            # that was never filled in, from CPython 3.11 at least.
            if info is not None and info.si_signo in _SIGNALS:
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


@contextmanager
def reload_requests() -> Iterator[threading.Event]:
    """Event that is set by SIGHUP while the context lasts; enter it in the main thread.

    Yields
    ------
    threading.Event
        Clear it when the wish is fulfilled. On a terminal it is never set: there, SIGHUP says that
        the terminal is gone, and ends the process as it always did.
    """
    wanted = threading.Event()
    if sys.stdin is not None and sys.stdin.isatty():
        yield wanted
        return
    before = signal.signal(signal.SIGHUP, lambda _number, _frame: wanted.set())
    try:
        yield wanted
    finally:
        signal.signal(signal.SIGHUP, before)


def ignore_stop_requests() -> None:
    """Leave SIGTERM and SIGINT to the parent process, whatever a library installs later.

    A service manager sends them to every process of a service; a child that somebody looks after
    must not end in the middle of its work because of that. Call it in the main thread.
    """
    # Ignored, for threads that exist already; blocked, for handlers that a library installs.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel for a signal at the moment the parent process ends, even by SIGKILL (Linux).

    Parameters
    ----------
    number : int
        Of the signal.

    Raises
    ------
    OSError
        If the kernel refuses.

    Notes
    -----
    It is the end of the parent's *thread* that counts (prctl(2), PR_SET_PDEATHSIG), so the parent
    must start this process from a thread that lives as long as itself. A parent that is dead
    already is not noticed: whoever reads a pipe from it sees its end.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
