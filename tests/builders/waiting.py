"""Wait for something that another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

LONG_S = 180.0
"""What takes a second on a free machine, and much longer on a busy one, is done by then. Nothing
waits so long unless it fails: a limit that shows how fast something is belongs in a benchmark."""


def comes_true(
    condition: Callable[[], object], within_s: float = LONG_S, every_s: float = 0.02
) -> bool:
    """Whether it holds in time."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return bool(condition())
        time.sleep(every_s)
    return True


def eventually(condition: Callable[[], object], within_s: float = LONG_S) -> None:
    """Wait until it holds; fail where it does not in time."""
    assert comes_true(condition, within_s), "not in time"
