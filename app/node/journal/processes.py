"""Heartbeats of the node's processes: who is there, and whose heart has stopped.

Clocks of several machines differ and jump. Nobody compares a time of another machine with its
own: a watcher sees whether a heartbeat *changes*, and measures how long it did not by its own
monotonic clock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from app.node.journal.tables import PROCESS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

WORKER: Final = "worker"

BEATS_PER_LEASE: Final = 6
"""So many chances to be heard, on a machine that is busy, before a process counts as silent."""
_LONGEST_PERIOD_S: Final = 5.0


def beat_period_s(lease_s: float) -> float:
    """Time between two heartbeats of a process that counts as silent after `lease_s`, s."""
    return min(_LONGEST_PERIOD_S, lease_s / BEATS_PER_LEASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """One process.

    Attributes
    ----------
    process_id : str
        Unique and stable over restarts, for example host name and number.
    role : str
        ``worker``, ``listener`` or ``web``.
    beat : float
        Epoch seconds of the process's own clock.
    detail : dict
        What it says about itself; free of patient data.
    """

    process_id: str
    role: str
    beat: float
    detail: Mapping[str, Any] = field(default_factory=dict)


def beat(c: Connection, heart: Heartbeat) -> None:
    """Write a heartbeat."""
    values = {"role": heart.role, "beat": heart.beat, "detail": json.dumps(heart.detail)}
    known = c.execute(
        sa.update(PROCESS).where(PROCESS.c.process_id == heart.process_id).values(**values)
    )
    if not known.rowcount:
        c.execute(sa.insert(PROCESS).values(process_id=heart.process_id, **values))


def heartbeats(c: Connection, role: str | None = None) -> list[Heartbeat]:
    """Every process that ever lived, or those of one role."""
    query = sa.select(PROCESS).order_by(PROCESS.c.process_id)
    if role is not None:
        query = query.where(PROCESS.c.role == role)
    return [
        Heartbeat(
            process_id=row.process_id, role=row.role, beat=row.beat, detail=json.loads(row.detail)
        )
        for row in c.execute(query)
    ]


def forget(c: Connection, process_id: str) -> None:
    """Remove a process that will not come back and owns nothing any more."""
    c.execute(sa.delete(PROCESS).where(PROCESS.c.process_id == process_id))


@dataclass(slots=True)
class PulseWatch:
    """Who has been silent for how long, by the watcher's own monotonic clock.

    Attributes
    ----------
    lease_s : float
        Silent for longer: dead.
    """

    lease_s: float
    _seen: dict[str, tuple[float, float]] = field(default_factory=dict)

    def silent(self, hearts: list[Heartbeat], monotonic_s: float) -> list[str]:
        """List the processes whose heartbeat has not changed within the lease.

        Parameters
        ----------
        hearts : list of Heartbeat
            As just read.
        monotonic_s : float
            Now.

        Returns
        -------
        list of str
            Process ids. A process is watched for the whole lease before it counts as dead, so
            that after a start, or after `contact_lost`, everybody has time to speak.
        """
        known = self._seen
        self._seen = {}
        for heart in hearts:
            last_beat, since = known.get(heart.process_id, (heart.beat, monotonic_s))
            is_same = last_beat == heart.beat
            self._seen[heart.process_id] = (heart.beat, since if is_same else monotonic_s)
        return [
            process_id
            for process_id, (_, since) in self._seen.items()
            if monotonic_s - since > self.lease_s
        ]

    def contact_lost(self) -> None:
        """Forget everything: the database did not answer, so nobody could speak."""
        self._seen.clear()
