"""What the page's process does beside answering: its heartbeat, and an eye on node and journal."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app import __version__
from app.errors import JournalDamagedError, JournalError, ServiceError
from app.node.journal import processes
from app.node.journal.engine import transaction
from app.node.journal.examination import examine
from app.node.journal.processes import Heartbeat, beat_period_s
from app.node.telemetry import events
from app.node.web.health import check_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.node.web.site import Site

EXAMINE_EVERY_S: Final = 10.0
_SHARE: Final = 50
"""Examining the journal, which reads all of it, takes at most one part in so many of the time."""


@dataclass(slots=True)
class Examiner:
    """Reads the journal's file again and again: damage shows before somebody needs the page hit.

    Attributes
    ----------
    site : Site
        The node.
    damage : JournalDamagedError or None
        Set once, and for good.
    """

    site: Site
    damage: JournalDamagedError | None = None

    def run(self, stop: threading.Event) -> None:
        """Examine until `stop` is set or the journal is damaged."""
        pause_s = 0.0
        while not stop.wait(pause_s):
            begun = time.monotonic()
            try:
                examine(self.site.engine)
            except JournalDamagedError as error:
                self.damage = error
                return
            except JournalError:
                pass  # busy or gone: the heartbeat tells
            pause_s = max(EXAMINE_EVERY_S, _SHARE * (time.monotonic() - begun))


def watch_until(stop: threading.Event, site: Site, threads: Sequence[threading.Thread]) -> None:
    """Tell the journal that the page lives; readiness rests on it.

    Parameters
    ----------
    stop : threading.Event
        Ends it.
    site : Site
        The node.
    threads : sequence of Thread
        The server that answers, and whoever sends alerts.

    Raises
    ------
    JournalDamagedError
        If the journal is damaged.
    ServiceError
        If one of the threads ended by itself.
    """
    examiner, period_s = Examiner(site), beat_period_s(site.node.worker.lease_s)
    threading.Thread(target=examiner.run, args=(stop,), name="examiner", daemon=True).start()
    while all(thread.is_alive() for thread in threads):
        try:
            _beat(site)
            check_all(site)  # watches the other processes, whether anybody asks or not
        except JournalDamagedError:
            raise
        except JournalError as error:
            # The page stays up and shows it; the next beat tries again.
            site.emit(events.INTERNAL_ERROR, role="web", place=error.message)
        if stop.wait(period_s):
            return
        if examiner.damage is not None:
            raise examiner.damage
    raise ServiceError("the web server or its alerts ended by themselves")


def _beat(site: Site) -> None:
    heart = Heartbeat(
        process_id=f"{socket.gethostname()}:web",
        role="web",
        beat=site.clock(),
        detail={"pid": os.getpid(), "version": __version__},
    )
    with transaction(site.engine) as connection:
        processes.beat(connection, heart)
