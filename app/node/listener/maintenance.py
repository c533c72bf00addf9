"""What the listener does beside the associations: it is alone, lives, and looks after its disk."""

from __future__ import annotations

import os
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.errors import DiskFullError, JournalDamagedError, JournalError, RoleTakenError
from app.node.journal.engine import transaction
from app.node.journal.locks import LISTENER, holding
from app.node.journal.processes import Heartbeat, beat

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Engine

    from app.node.listener.services import ListenerServices

HANDOVER_S: Final = 3.0
"""How long port and lock may still be held by a listener that was killed, s."""
HANDOVER_POLL_S: Final = 0.1
_FLUSH_S: Final = 1.0


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Be the only listener of a data folder while the context lasts.

    A second one, on whatever port, would take the first one's half-received files for left over.

    Raises
    ------
    RoleTakenError
        If another one lives.
    """
    deadline = time.monotonic() + HANDOVER_S
    while True:
        with holding(data, LISTENER) as is_ours:
            if is_ours:
                yield
                return
        if time.monotonic() > deadline:
            raise RoleTakenError
        time.sleep(HANDOVER_POLL_S)


@dataclass(slots=True)
class Maintenance:
    """Shows a sign of life, watches the disk, and writes what the journal would not take before.

    Attributes
    ----------
    services : ListenerServices
        What associations share.
    engine : Engine
        Journal.
    port : int
        That is listened at, for whoever checks it.
    period_s : float
        Time between two heartbeats, s; may change while it keeps.
    damage : JournalDamagedError or None
        What ended it: waiting does not mend a damaged journal.
    """

    services: ListenerServices
    engine: Engine
    port: int
    period_s: float
    damage: JournalDamagedError | None = field(default=None)

    def keep(self, stop: threading.Event) -> None:
        """Do it until `stop` is set; sets it where the journal is damaged."""
        while True:
            try:
                self._tell()
            except JournalDamagedError as error:
                self.damage = error
                stop.set()
                return
            except JournalError:
                pass  # those who send are told; the next turn tries again
            with suppress(DiskFullError):
                self.services.reserve.check()
            self.services.spool.remove_abandoned()
            pause_s = min(_FLUSH_S, self.period_s)
            for _ in range(round(self.period_s / pause_s)):
                self.services.recorder.flush()
                if stop.wait(pause_s):
                    return

    def _tell(self) -> None:
        services = self.services
        heart = Heartbeat(
            process_id=f"listener@{socket.gethostname()}",
            role="listener",
            beat=services.clock(),
            detail={
                "pid": os.getpid(),
                "port": self.port,
                "associations": services.admission.established,
            },
        )
        with transaction(self.engine) as connection:
            beat(connection, heart)
