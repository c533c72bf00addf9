"""How a cohort tells how far it is and when it will end: live bar, JSON lines, or plain lines."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from app.console import emit_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HOUR_S: Final = 3600
_MINUTE_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a cohort is.

    Attributes
    ----------
    done, total : int
        Cases that are published, and all.
    failed : int
        Of those that are published, cases without any result.
    left_s : float or None
        Seconds until the end at the pace of this call; None before its first case.
    """

    done: int
    total: int
    failed: int
    left_s: float | None


def left_s(open_at_start: int, still_open: int, elapsed_s: float) -> float | None:
    """Expect the end in so many seconds, at the pace so far.

    Parameters
    ----------
    open_at_start, still_open : int
        Cases when this call began, and now.
    elapsed_s : float
        Since models were loaded, s.

    Examples
    --------
    >>> left_s(10, 8, 60.0)
    240.0
    """
    done = open_at_start - still_open
    return elapsed_s / done * still_open if done else None


def duration_text(seconds: float) -> str:
    """Duration for people.

    Examples
    --------
    >>> duration_text(7500), duration_text(45)
    ('2 h 05 min', '1 min')
    """
    minutes = max(1, round(seconds / _MINUTE_S))
    hours, rest = divmod(minutes, _HOUR_S // _MINUTE_S)
    return f"{hours} h {rest:02d} min" if hours else f"{minutes} min"


@contextmanager
def telling(*, as_json: bool) -> Iterator[Callable[[Standing], None]]:
    """Give a callback for the standing; no subject is named.

    Parameters
    ----------
    as_json : bool
        JSON lines on standard output; else a live bar where standard error is a terminal, a line
        per finished case elsewhere.
    """
    console = Console(stderr=True)
    if as_json:
        yield lambda standing: emit_json({"event": "progress", **_document(standing)})
    elif console.is_terminal:
        columns = (BarColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=console) as display:
            task = display.add_task("")
            yield lambda standing: display.update(
                task, completed=standing.done, total=standing.total, description=text_of(standing)
            )
    else:
        yield lambda standing: print(text_of(standing), file=sys.stderr, flush=True)  # noqa: T201


def text_of(standing: Standing) -> str:
    """One line."""
    failed = f", {standing.failed} without a result" if standing.failed else ""
    is_known = standing.left_s is not None and standing.done < standing.total
    end = f"; about {duration_text(standing.left_s or 0)} left" if is_known else ""
    return f"{standing.done} of {standing.total} cases{failed}{end}"


def _document(standing: Standing) -> dict[str, float | None]:
    rounded = None if standing.left_s is None else round(standing.left_s, 1)
    return {
        "done": standing.done,
        "total": standing.total,
        "failed": standing.failed,
        "left_s": rounded,
    }
