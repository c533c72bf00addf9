"""Who a worker is, and that it is alive: a name nobody else has, and a heartbeat others watch.

A name is unique by a lock on a file and stable over restarts, because the engine gives back to a
restarted worker what it left behind, by name. Two workers of one name would run each other's
jobs. The jobs of a worker that does not come back are taken over by those that are alive.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.errors import JournalDamagedError, ServiceError
from app.node.journal.engine import transaction
from app.node.journal.locks import holding
from app.node.journal.processes import (
    WORKER,
    Heartbeat,
    PulseWatch,
    beat,
    beat_period_s,
    heartbeats,
)
from app.node.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy.engine import Engine

    from app.node.telemetry.logs import Emit
    from app.node.work.queue import JobQueue

_MOST_WORKERS: Final = 64


@contextmanager
def worker_name(data: Path, host: str) -> Iterator[str]:
    """Name of this worker, held while the context lasts.

    Parameters
    ----------
    data : Path
        The node's data folder.
    host : str
        Name of this machine.

    Yields
    ------
    str
        ``HOST-N`` with the lowest free number.

    Raises
    ------
    ServiceError
        If there are too many workers on this machine.
    """
    plain = re.sub(r"[^A-Za-z0-9.-]", "-", host)[:64] or "host"
    for number in range(_MOST_WORKERS):
        name = f"{plain}-{number}"
        with holding(data, name) as is_ours:
            if is_ours:
                yield name
                return
    raise ServiceError(f"{_MOST_WORKERS} workers run on this machine already")


@dataclass(slots=True)
class Pulse:
    """The heartbeat of a worker, and its watch over the others.

    Attributes
    ----------
    engine : Engine
        Journal.
    queue : JobQueue
        Takes over.
    name : str
        Of this worker.
    watch : PulseWatch
        With the lease, s.
    clock, monotonic : callable
        Epoch seconds for the heartbeat, monotonic seconds for the lease.
    emit : Emit
        Event log.
    detail : callable
        What the worker says about itself.
    """

    engine: Engine
    queue: JobQueue
    name: str
    watch: PulseWatch
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    emit: Emit
    detail: Callable[[], Mapping[str, Any]]
    is_connected: bool = True
    is_leaving: bool = False

    @property
    def period_s(self) -> float:
        """Time between two beats."""
        return beat_period_s(self.watch.lease_s)

    def tick(self) -> list[str]:
        """Beat, and take over from those that have been silent for the lease.

        Returns
        -------
        list of str
            Workers that are silent; empty while the journal or the engine does not answer.
        """
        heart = Heartbeat(
            process_id=self.name, role=WORKER, beat=self.clock(), detail=self.detail()
        )
        try:
            with transaction(self.engine) as c:
                beat(c, heart)
                hearts = heartbeats(c, WORKER)
            silent = self.watch.silent(hearts, self.monotonic())
            dead = [name for name in silent if name != self.name]
            count = self.queue.take_over(dead) if dead and not self.is_leaving else 0
        except JournalDamagedError:
            raise  # waiting does not mend it
        except ServiceError as error:
            # After an outage everybody's heartbeat looks old.
            self.watch.contact_lost()
            if self.is_connected:
                self.emit(events.ENGINE_UNREACHABLE, error=error.code)
            self.is_connected = False
            return []
        self.is_connected = True
        if count:
            self.emit(events.JOBS_TAKEN_OVER, count=count)
        return dead
