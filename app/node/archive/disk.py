"""The disk reserve: below it nothing more is taken, and nothing that was taken is deleted for it.

It is asked before every object and now and then during a large one, so the node recovers by
itself as soon as there is space again.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

from app.errors import DiskFullError
from app.node.telemetry.events import DISK_LOW, DISK_RECOVERED
from app.node.telemetry.logs import silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.node.telemetry.logs import Emit

MEGABYTE: Final = 1_000_000


def free_bytes(folder: Path) -> int:
    """Space that this process may still use on the file system of a folder, bytes."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


class DiskReserve:
    """Tells whether there is space for another object.

    Parameters
    ----------
    folder : Path
        On the file system that is watched; exists.
    reserve_mb : int
        Space that stays free, MB (10^6 bytes).
    emit : Emit
        Told once when the reserve is reached and once when it is left again.
    free : callable
        Folder -> free bytes; for tests.
    """

    def __init__(
        self,
        folder: Path,
        reserve_mb: int,
        *,
        emit: Emit = silent,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._folder = folder
        self._reserve = reserve_mb * MEGABYTE
        self._emit = emit
        self._free = free
        self._lock = threading.Lock()
        self._is_low = False

    def renew(self, reserve_mb: int) -> None:
        """Keep another space free from now on, MB."""
        self._reserve = reserve_mb * MEGABYTE

    def check(self) -> None:
        """Pass while the reserve is untouched.

        Raises
        ------
        DiskFullError
            If less than the reserve is free.
        """
        free = self._free(self._folder)
        is_low = free < self._reserve
        with self._lock:
            has_changed, self._is_low = is_low != self._is_low, is_low
        if has_changed:
            self._emit(DISK_LOW if is_low else DISK_RECOVERED, free_mb=free // MEGABYTE)
        if is_low:
            raise DiskFullError
