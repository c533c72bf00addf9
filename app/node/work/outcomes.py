"""What one attempt at a job came to, and what follows it: plain data, since the engine keeps it.

What is kept may be read by a later version: give a new key `NotRequired`, and take no key away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NotRequired, TypedDict

from app.errors import SpoolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operators.errors import SpineError


class Done(TypedDict):
    """It came to its end, good or bad: `app.run.record.ResultRecord` as plain data."""

    kind: Literal["done"]
    record: Mapping[str, Any]


class Failed(TypedDict):
    """It broke off: why, whether it counts as an attempt, whether another one is of no use.

    An attempt does not count where it was no fault of the job: the inference process never came up.
    """

    kind: Literal["failed"]
    code: str
    message: str
    counts: bool
    is_final: NotRequired[bool]
    record: NotRequired[Mapping[str, Any]]


class Ended(TypedDict):
    """The run is not to go on: it is cancelled, or over (somebody else ended it)."""

    kind: Literal["cancelled", "over"]


Outcome = Done | Failed | Ended


class Settled(TypedDict):
    """What follows an attempt: nothing (`delay_s` None), or the next one after `delay_s`.

    `attempts` are those that counted so far.
    """

    delay_s: float | None
    attempts: int


CANCELLED: Final[Ended] = {"kind": "cancelled"}
OVER: Final[Ended] = {"kind": "over"}


def done(record: Mapping[str, Any]) -> Done:
    """Outcome of an attempt that came to its end."""
    return {"kind": "done", "record": dict(record)}


def failed(error: SpineError, *, counts: bool = True) -> Failed:
    """Outcome of an attempt that broke off with a named error."""
    return {
        "kind": "failed",
        "code": error.code,
        "message": ", ".join(error.reasons) or error.message,
        "counts": counts,
        "is_final": isinstance(error, SpoolError) and "images_deleted" in error.reasons,
    }


def disk_failed(error: OSError) -> Failed:
    """Outcome of an attempt that the disk did not permit: no job's fault, tried again."""
    message = f"disk: {error.strerror}"
    return {"kind": "failed", "code": SpoolError.code, "message": message, "counts": False}
