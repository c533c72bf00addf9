"""What every status of a C-STORE response means for the object, as one table.

PS3.4 table B.2-1 (storage) and PS3.7 annex C (general statuses). A status that no table knows is
tried again until the time allowed is over: nothing is given up for an answer nobody understands.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import StrEnum
from typing import Final


class Answer(StrEnum):
    """What a peer's answer means for the object."""

    STORED = "stored"
    """The peer has it."""
    RETRY = "retry"
    """Not this object, not now."""
    BUSY = "busy"
    """Nothing now: the peer is out of resources or out of order."""
    UNWANTED = "unwanted"
    """The peer does not take this kind of object: a person decides."""
    REFUSED = "refused"
    """Never, as it is."""


_RANGES: Final[tuple[tuple[int, int, Answer], ...]] = (
    (0x0000, 0x0000, Answer.STORED),  # success
    (0x0001, 0x0001, Answer.STORED),  # warning: requested optional attributes not supported
    (0x0105, 0x0106, Answer.REFUSED),  # no such attribute; invalid attribute value
    (0x0107, 0x0107, Answer.STORED),  # warning: attribute list error
    (0x0110, 0x0110, Answer.BUSY),  # processing failure
    (0x0111, 0x0111, Answer.STORED),  # duplicate SOP instance: it is there already
    (0x0112, 0x0115, Answer.REFUSED),  # no such instance, event, argument; invalid argument
    (0x0116, 0x0116, Answer.STORED),  # warning: attribute value out of range
    (0x0117, 0x0117, Answer.REFUSED),  # invalid object instance
    (0x0118, 0x0118, Answer.UNWANTED),  # no such SOP class
    (0x0119, 0x0121, Answer.REFUSED),  # class-instance conflict; missing attribute
    (0x0122, 0x0122, Answer.UNWANTED),  # SOP class not supported
    (0x0123, 0x0123, Answer.REFUSED),  # no such action
    (0x0124, 0x0124, Answer.UNWANTED),  # not authorised
    (0x0211, 0x0212, Answer.REFUSED),  # unrecognised operation; mistyped argument
    (0x0213, 0x0213, Answer.BUSY),  # resource limitation
    (0xA700, 0xA7FF, Answer.BUSY),  # refused: out of resources
    (0xB000, 0xBFFF, Answer.STORED),  # warnings: coerced, elements discarded ...
    (0xC000, 0xCFFF, Answer.REFUSED),  # cannot understand
)
_STARTS: Final = [low for low, _, _ in _RANGES]


def answer_of(status: int | None) -> Answer:
    """Meaning of a C-STORE status.

    Parameters
    ----------
    status : int or None
        0x0000 to 0xFFFF; None: the peer accepted no presentation context for the object.

    Returns
    -------
    Answer
        ``RETRY`` for what the table does not list.

    Examples
    --------
    >>> answer_of(0xB007).name, answer_of(0xA900).name, answer_of(0x0122).name
    ('STORED', 'RETRY', 'UNWANTED')
    """
    if status is None:
        return Answer.UNWANTED
    place = bisect_right(_STARTS, status) - 1
    if place < 0:
        return Answer.RETRY
    _, high, answer = _RANGES[place]
    return answer if status <= high else Answer.RETRY


_NO_SUCH_KIND: Final = frozenset({None, 0x0118, 0x0122})


def is_kind_refused(status: int | None) -> bool:
    """Whether a peer refused a kind of object, whatever the object.

    Examples
    --------
    >>> is_kind_refused(None), is_kind_refused(0x0122), is_kind_refused(0x0124)
    (True, True, False)
    """
    return status in _NO_SUCH_KIND


def name_of(status: int | None) -> str:
    """Name of a status for the journal and the page.

    Examples
    --------
    >>> name_of(0xA700), name_of(None)
    ('status_A700', 'context_refused')
    """
    return "context_refused" if status is None else f"status_{status:04X}"
