"""Signs of life of a process to the one that started it: a counter in memory that both can see.

Writing it can wait for nobody: neither for the reader, nor for a disk, nor for a database. So a
process that waits for a locked journal is never taken for one that hangs.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final

Beat = Callable[[], None]
"""A sign of life."""

_COUNTER: Final = struct.Struct("=Q")


class Lifeline:
    """The parent's end; the child inherits `descriptor`."""

    def __init__(self) -> None:
        """Make the memory (memfd_create(2))."""
        self.descriptor = os.memfd_create("lifeline")
        os.pwrite(self.descriptor, bytes(2 * _COUNTER.size), 0)

    def beats(self) -> int:
        """How many signs of life there were."""
        return int(_COUNTER.unpack(os.pread(self.descriptor, _COUNTER.size, 0))[0])

    def is_ending(self) -> bool:
        """Whether it has begun to end by itself: from then on it does not beat."""
        return any(os.pread(self.descriptor, _COUNTER.size, _COUNTER.size))

    def close(self) -> None:
        """Give the memory back; the child keeps its own end."""
        os.close(self.descriptor)


def beats_into(descriptor: int | None) -> Beat:
    """Give the child's end.

    Parameters
    ----------
    descriptor : int or None
        As inherited; None: nobody watches.

    Returns
    -------
    Beat
        Call it once per turn of the loop that must not stand still.
    """
    if descriptor is None:
        return no_beat
    numbers = count(1)

    def beat() -> None:
        with suppress(OSError):
            os.pwrite(descriptor, _COUNTER.pack(next(numbers)), 0)

    return beat


def end_into(descriptor: int | None) -> Beat:
    """Give what the child calls once, when it begins to end."""
    if descriptor is None:
        return no_beat

    def end() -> None:
        with suppress(OSError):
            os.pwrite(descriptor, _COUNTER.pack(1), _COUNTER.size)

    return end


def no_beat() -> None:
    """Nobody watches."""
