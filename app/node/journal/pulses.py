"""How long things have been as they are, by a clock that nobody sets.

Clocks jump and differ between machines: only that a value *changed* counts, and for how long it
did not is measured by this process's own monotonic clock.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from app.node.journal.tallies import ProcessRow


@dataclass(slots=True)
class Stillness:
    """For how long each of several values has not changed; used by one thread at a time."""

    _seen: dict[str, tuple[Hashable, float]] = field(default_factory=dict)

    def ages(
        self,
        values: Mapping[str, Hashable],
        *,
        monotonic_s: float,
        believed: Mapping[str, float] | None = None,
    ) -> dict[str, float]:
        """Seconds since each value changed.

        Parameters
        ----------
        values : mapping
            Name -> value as just read; names that are missing are forgotten.
        monotonic_s : float
            Now.
        believed : mapping, optional
            Age at first sight by name, s; default 0.

        Returns
        -------
        dict
            Name -> seconds.
        """
        known, self._seen = self._seen, {}
        for name, value in values.items():
            first = (value, monotonic_s - (believed or {}).get(name, 0.0))
            last, since = known.get(name, first)
            self._seen[name] = (value, since if last == value else monotonic_s)
        return {name: monotonic_s - since for name, (_, since) in self._seen.items()}


@dataclass(slots=True)
class Pulses:
    """How long each process has been silent.

    At the first sight of a process, with nothing to compare, its own time is believed.
    """

    _stillness: Stillness = field(default_factory=Stillness)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def silences(
        self, processes: list[ProcessRow], *, now: float, monotonic_s: float
    ) -> dict[str, float]:
        """Seconds of silence by process.

        Parameters
        ----------
        processes : list of ProcessRow
            As just read.
        now : float
            Epoch seconds.
        monotonic_s : float
            Monotonic seconds.

        Returns
        -------
        dict
            Process id -> seconds since its heartbeat changed.
        """
        with self._lock:
            return self._stillness.ages(
                {row.process_id: row.beat for row in processes},
                monotonic_s=monotonic_s,
                believed={row.process_id: max(0.0, now - row.beat) for row in processes},
            )
