"""How long the processes of the node have been silent."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.journal.tallies import ProcessRow


@dataclass(slots=True)
class Pulses:
    """How long each process has been silent, by this process's own monotonic clock.

    Clocks jump and differ between machines: only that a heartbeat *changed* counts. At the first
    sight of a process, with nothing to compare, its own time is believed.
    """

    _seen: dict[str, tuple[float, float]] = field(default_factory=dict)
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
            known, self._seen = self._seen, {}
            for row in processes:
                first = (row.beat, monotonic_s - max(0.0, now - row.beat))
                beat, since = known.get(row.process_id, first)
                self._seen[row.process_id] = (row.beat, since if beat == row.beat else monotonic_s)
            return {name: monotonic_s - since for name, (_, since) in self._seen.items()}
