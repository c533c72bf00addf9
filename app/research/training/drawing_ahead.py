"""Samples drawn ahead of the step that needs them: by several threads, handed out in order.

A sample is drawn from its number alone, so it doesn't matter which thread draws it, or when; what
matters is which cases there are to draw from. Those change only where the loop looks for new ones,
and no sample is drawn across such a place (`DrawnAhead.allow`): the batches are the same with any
number of threads. Threads suffice, because SciPy and NumPy release the interpreter while they
compute.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from types import TracebackType
    from typing import Self

Sample = TypeVar("Sample")

_MOST_WORKERS = 8
"""Each takes about 100 MB while it draws a tile of the paper's preset, which then is 20 MB."""


def default_workers(device: str) -> int:
    """How many threads should draw samples for a network on a device.

    Parameters
    ----------
    device : str
        A torch device.

    Returns
    -------
    int
        One beside a network on the CPU, which uses all cores itself and is slower than any
        drawing; else a thread per core that this process may use, but for one, at most 8.
    """
    if device.startswith("cpu"):
        return 1
    return max(1, min(_MOST_WORKERS, len(os.sched_getaffinity(0)) - 1))


class DrawnAhead(Generic[Sample]):
    """Batches of samples, drawn by threads; a context that ends them.

    It draws as many batches ahead as keep all threads busy, one with one thread. On leaving it
    drops what nobody has begun to draw, and waits for the samples that are being drawn.

    Parameters
    ----------
    draw : callable
        Draws the sample of a number; called by several threads at once.
    first : int
        Number of the first batch.
    batch : int
        Samples per batch; batch n holds the numbers from n * ``batch``.
    workers : int
        Threads.
    """

    def __init__(self, draw: Callable[[int], Sample], first: int, batch: int, workers: int) -> None:
        self._draw, self._batch = draw, batch
        # Whoever waits for the last sample of a batch leaves the other threads something to do.
        self._ahead = 1 + -(-(workers - 1) // batch)
        self._next = first
        self._waiting: deque[list[Future[Sample]]] = deque()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="draw")

    def __enter__(self) -> Self:
        """Draw nothing yet: `allow` says how far."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def allow(self, last: int) -> None:
        """Draw the next batches, as far as they are wanted ahead, none beyond number ``last``."""
        while len(self._waiting) < self._ahead and self._next <= last:
            numbers = range(self._next * self._batch, (self._next + 1) * self._batch)
            self._waiting.append([self._threads.submit(self._draw, n) for n in numbers])
            self._next += 1

    def take(self) -> list[Sample]:
        """Wait for the next batch; raises what drawing it raised.

        Raises
        ------
        IndexError
            If `allow` let nobody draw it.
        """
        return [future.result() for future in self._waiting.popleft()]
