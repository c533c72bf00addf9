"""Independent pieces of one image, several at a time, each on its own cores.

Thousands of short operations on two cores each wait for one another, all the more on a busy
machine. Cutouts need nothing of each other, and a piece that stays on one core gives the same bits
however many cores there are.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Run(Protocol):
    """Applies a function to items: results in the order of the items."""

    def __call__(
        self, function: Callable[[_Item], _Result], items: Iterable[_Item], /
    ) -> Iterator[_Result]:
        """Yield the results; few are finished ahead of the one that is waited for."""


@contextmanager
def abreast(workers: int) -> Iterator[Run]:
    """Work on several items at a time.

    Parameters
    ----------
    workers : int
        At a time. They share PyTorch's threads; with one, everything happens in the calling thread.

    Yields
    ------
    Run
        Its functions run without gradients. What they raise is raised where the result is due;
        items that have not begun by then, or at the end, are dropped.
    """
    if workers <= 1:
        yield map
        return
    threads = torch.get_num_threads()
    executor = ThreadPoolExecutor(workers)

    def run(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        def apart(item: _Item) -> _Result:
            with torch.inference_mode():  # a thread's own state
                return function(item)

        ahead: deque[Future[_Result]] = deque()
        for item in items:
            ahead.append(executor.submit(apart, item))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    # New threads inherit this number; the calling thread gets its own back.
    torch.set_num_threads(max(1, threads // workers))
    try:
        yield run
    finally:
        executor.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
