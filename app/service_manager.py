"""What systemd is told by its notification socket (sd_notify(3)): ready, alive, stopping."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field

READY = "READY=1"
ALIVE = "WATCHDOG=1"
STOPPING = "STOPPING=1"


@dataclass(slots=True)
class ServiceManager:
    """The manager that started this process, if there is one.

    Attributes
    ----------
    address : str
        Its datagram socket, ``@`` first for an abstract one; empty: there is none.
    watchdog_s : float
        It ends this process after so long without a sign of life, s; 0: never.
    """

    address: str = ""
    watchdog_s: float = 0.0
    _told_at: float = field(default=float("-inf"))

    def tell(self, state: str) -> None:
        """Send one state; a manager that is gone is no fault of ours."""
        if not self.address:
            return
        name = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto(state.encode(), name)

    def tell_alive(self) -> None:
        """Send a sign of life where one is due: two within the manager's patience."""
        now = time.monotonic()
        if self.watchdog_s and now - self._told_at >= self.watchdog_s / 2:
            self._told_at = now
            self.tell(ALIVE)
