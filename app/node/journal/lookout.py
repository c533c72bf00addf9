"""Watches what no table tells: processes that fell silent, jobs that stand still, a full disk.

Each process that asks has a lookout of its own, because stillness is measured by the watcher's
monotonic clock.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from app.node.journal import tallies
from app.node.journal.attention import AttentionRow, Circumstances, read_attention
from app.node.journal.attention_kinds import Found
from app.node.journal.pulses import Pulses, Stillness
from app.node.journal.states import JobState
from app.node.journal.tables import JOB
from app.node.tls import EXPIRES_SOON_S, own_certificates

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from app.node.journal.tallies import ProcessRow
    from app.settings import NodeSettings

ROLES: Final = ("listener", "worker", "web")
"""At least one process of each must have reported lately."""

LEAVING: Final = "leaving"
"""Key of a heartbeat's detail: true where the process said that it ends."""

HANGING: Final = "hanging"
"""Key of a worker's detail: which of its threads hang; empty where none does."""

UNUSABLE: Final = "models_unusable"
"""Key of a worker's detail: why its models cannot be used; empty where they can, or still load."""

_BYTES_PER_MB: Final = 1_000_000
_QUEUE: Final = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When somebody looks.

    Attributes
    ----------
    now : float
        Epoch seconds.
    monotonic_s : float
        Seconds that no clock change touches.
    free_bytes : int
        Free space of the data folder's disk.
    """

    now: float
    monotonic_s: float
    free_bytes: int


@dataclass(slots=True)
class Lookout:
    """What one process has seen so far.

    Attributes
    ----------
    pulses : Pulses
        Who has been silent for how long.
    """

    pulses: Pulses = field(default_factory=Pulses)
    _jobs: Stillness = field(default_factory=Stillness)
    _missing: Stillness = field(default_factory=Stillness)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(
        self, connection: Connection, node: NodeSettings, moment: Moment
    ) -> list[AttentionRow]:
        """Count everything that needs a person, by kind.

        Parameters
        ----------
        connection : Connection
            Reading.
        node : NodeSettings
            Lease, reserve, destinations, alert channels.
        moment : Moment
            Now.

        Returns
        -------
        list of AttentionRow
            Every kind.
        """
        return read_attention(connection, self.circumstances(connection, node, moment))

    def circumstances(
        self, connection: Connection, node: NodeSettings, moment: Moment
    ) -> Circumstances:
        """Find what the journal alone does not know, now."""
        processes = tallies.list_processes(connection, moment.now)
        silences = self.pulses.silences(processes, now=moment.now, monotonic_s=moment.monotonic_s)
        reserve_bytes = node.retention.disk_reserve_mb * _BYTES_PER_MB
        lease_s, stalled_after_s = node.worker.lease_s, node.alerts.stalled_after_s
        with self._lock:
            lost, unfilled = _silent(processes, silences, lease_s)
            # At a start nobody has reported yet: a role is missed only after the lease.
            missed = self._missing.ages(unfilled, monotonic_s=moment.monotonic_s)
            lost += [Found(role, None, 0.0) for role, age in missed.items() if age > lease_s]
            lost += _hanging(processes, silences, lease_s)
            observed = {
                "process_silent": lost,
                "models_unusable": _without_models(processes, silences, lease_s),
                "certificate_expires": _expiring(node, moment.now),
                "disk_low": _LOW_DISK if moment.free_bytes < reserve_bytes else [],
                "job_stalled": self._stalled(connection, moment.monotonic_s, stalled_after_s),
            }
        return Circumstances(
            observed=observed,
            destinations=frozenset(peer.name for peer in node.peers),
            channels=node.alerts.channels,
        )

    def _stalled(self, connection: Connection, monotonic_s: float, after_s: float) -> list[Found]:
        """Find running jobs that do not move, and waiting ones that nobody takes."""
        running = connection.execute(
            sa.select(
                JOB.c.job_id, JOB.c.started_at, JOB.c.run_number, JOB.c.step, JOB.c.fraction
            ).where(JOB.c.state == str(JobState.RUNNING))
        ).all()
        values: dict[str, tuple[object, ...]] = {row[0]: tuple(row[2:]) for row in running}
        if not running and connection.execute(_WAITING.limit(1)).first() is not None:
            values[_QUEUE] = tuple(connection.execute(_LAST_MOVE).one())
        ages = self._jobs.ages(values, monotonic_s=monotonic_s)
        still = {name for name, age in ages.items() if age > after_s}
        found = [Found(row[0], row[1], 0.0) for row in running if row[0] in still]
        if _QUEUE in still:
            found += [Found(row[0], row[1], 0.0) for row in connection.execute(_WAITING)]
        return found


def _silent(
    processes: list[ProcessRow], silences: dict[str, float], lease_s: float
) -> tuple[list[Found], dict[str, str]]:
    """Find processes that fell silent without a word, and roles that nobody fills."""
    found, unfilled = [], {}
    for role in ROLES:
        of_role = [row for row in processes if row.role == role]
        is_filled = any(silences[row.process_id] <= lease_s for row in of_role)
        lost = [row for row in of_role if silences[row.process_id] > lease_s]
        lost = [row for row in lost if not row.detail.get(LEAVING)]
        if role != "worker":
            # There is one of them: an older row is a predecessor under another name.
            lost = [] if is_filled else lost[:1]
        found += [Found(row.process_id, row.beat, row.beat) for row in lost]
        if not is_filled and not lost:
            unfilled[role] = role
    return found, unfilled


def _expiring(node: NodeSettings, now: float) -> list[Found]:
    """Find our certificates that expire soon or have expired."""
    return [
        Found(own.used_for, None, own.expires)
        for own in own_certificates(node)
        if own.expires < now + EXPIRES_SOON_S
    ]


def _hanging(
    processes: list[ProcessRow], silences: dict[str, float], lease_s: float
) -> list[Found]:
    """Find processes that report and of which a thread hangs."""
    return [
        Found(f"{row.process_id}: {hanging}", None, 0.0)
        for row in processes
        if (hanging := row.detail.get(HANGING)) and silences[row.process_id] <= lease_s
    ]


def _without_models(
    processes: list[ProcessRow], silences: dict[str, float], lease_s: float
) -> list[Found]:
    """Find workers that live and cannot work."""
    return [
        Found(row.process_id, None, 0.0)
        for row in processes
        if row.detail.get(UNUSABLE)
        and not row.detail.get(LEAVING)
        and silences[row.process_id] <= lease_s
    ]


_LOW_DISK: Final = [Found("data", None, 0.0)]
_WAITING: Final = sa.select(JOB.c.job_id, JOB.c.created_at).where(
    JOB.c.state.in_((str(JobState.WAITING), str(JobState.QUEUED)))
)
_LAST_MOVE: Final = sa.select(sa.func.max(JOB.c.finished_at), sa.func.max(JOB.c.started_at))
