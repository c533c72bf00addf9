"""What can be seen of a process from outside: its memory, and whether it gets anywhere."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

LOOK_S: Final = 0.5
"""How often a child is looked at, s."""

_BUSY_PART: Final = 0.01
"""A child that used less than this part of the time since the last look has computed nothing: a
waiting interpreter wakes up now and then."""


@dataclass(slots=True)
class Silence:
    """For how long a child that has work has told nothing, and has computed nothing.

    Attributes
    ----------
    is_awaited : bool
        Whether somebody waits for its answer; else nothing is counted.
    untold_s : float
        Since its last message, s. A turn in which we slept ourselves counts as a short one.
    idle_s : float
        Since it last used processor time, s: a process that is stopped, or whose threads wait
        for each other, uses none; one that computes a large tile does.
    """

    is_awaited: bool = False
    untold_s: float = 0.0
    idle_s: float = 0.0
    _processor_s: float = 0.0

    def look(self, processor_s: float) -> None:
        """Take in its processor time so far, s; called every `LOOK_S`."""
        if not self.is_awaited:
            return
        has_computed = processor_s - self._processor_s >= _BUSY_PART * LOOK_S
        self.idle_s = 0.0 if has_computed else self.idle_s + LOOK_S
        self.untold_s += LOOK_S
        self._processor_s = processor_s


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and all its descendants use."""

    resident_bytes: int
    processor_s: float


def usage_of(pid: int) -> Usage:
    """Resident memory and processor time of a process and its descendants; 0 where it is gone.

    Parameters
    ----------
    pid : int
        Process id.

    Returns
    -------
    Usage
        Bytes, and seconds since their starts.
    """
    total, seconds = 0, 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
                times = process.cpu_times()
                seconds += times.user + times.system
    return Usage(total, seconds)
