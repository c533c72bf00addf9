"""Locks of the node's processes: files in the data folder, held by flock(2) while they live.

The kernel gives a lock back at the moment its process ends, however it ends; on shared storage
that holds for the processes of other machines, too.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTENER: Final = "listener"
"""Lock of the one listener that a data folder may have."""

_TRIES: Final = 3
_RETRY_S: Final = 0.02
"""`is_held` looks by holding the lock for a moment: whoever comes just then tries again."""


@contextmanager
def holding(data: Path, name: str) -> Iterator[bool]:
    """Hold a lock while the context lasts.

    Parameters
    ----------
    data : Path
        The node's data folder.
    name : str
        Of the lock.

    Yields
    ------
    bool
        False where somebody else holds it.
    """
    folder = data / "locks"
    folder.mkdir(exist_ok=True)
    descriptor = os.open(_file(data, name), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        yield _takes(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def is_held(data: Path, name: str) -> bool | None:
    """Whether a living process holds a lock; None where there never was such a lock."""
    try:
        descriptor = os.open(_file(data, name), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return not _takes(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _takes(descriptor: int, kind: int) -> bool:
    for number in range(_TRIES):
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if number + 1 < _TRIES and kind == fcntl.LOCK_EX:
                time.sleep(_RETRY_S)
                continue
            return False
        return True
    return False


def _file(data: Path, name: str) -> Path:
    return data / "locks" / f"{name}.lock"
