"""How long to wait before the next attempt: one function for every wait at a destination.

The jitter follows from the delivery's key, not from a random number: a repeat after a crash
computes the same time, and a thousand deliveries still spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from operators.dicom.identity.uids import digest

if TYPE_CHECKING:
    from app.settings import DeliverySettings

CONFIRM_FIRST_S: Final = 1.0
CONFIRM_LONGEST_S: Final = 60.0
"""Shortest and longest wait before a peer is asked again whether it holds an object, s."""

_SECONDS_PER_HOUR: Final = 3600.0
_DIGITS: Final = 13
_LARGEST_EXPONENT: Final = 60


def jitter(key: str, number: int) -> float:
    """Even spread that looks random and is not.

    Parameters
    ----------
    key : str
        Whose jitter, for example a delivery's key.
    number : int
        Which one, for example the number of the attempt.

    Returns
    -------
    float
        In [0, 1).
    """
    return int(digest((key, str(number)))[:_DIGITS], 16) / float(16**_DIGITS)


@dataclass(frozen=True, slots=True)
class Pace:
    """First and longest delay, s."""

    first_s: float
    longest_s: float


def retry_pace(settings: DeliverySettings) -> Pace:
    """How fast sending is tried again, and how long a destination pauses."""
    return Pace(settings.first_delay_s, settings.longest_delay_s)


def confirm_pace(settings: DeliverySettings) -> Pace:
    """How fast a peer is asked again whether it holds an object."""
    longest_s = min(CONFIRM_LONGEST_S, settings.longest_delay_s)
    return Pace(min(CONFIRM_FIRST_S, longest_s), longest_s)


def delay_s(number: int, key: str, pace: Pace, left_s: float = math.inf) -> float:
    """Delay before the next attempt of anything: doubling, half of it jitter.

    Parameters
    ----------
    number : int
        Attempts or failures so far.
    key : str
        Of the delivery, or name of the destination.
    pace : Pace
        First and longest delay.
    left_s : float
        What is left of the time allowed, s: the last attempt is made at its end, not behind it.

    Returns
    -------
    float
        Within the pace and the time left, not negative, s.
    """
    exponent = min(max(number, 0), _LARGEST_EXPONENT)
    span = min(pace.first_s * 2.0**exponent, pace.longest_s)
    delay = max(span * (1 + jitter(key, number)) / 2, pace.first_s)
    return max(0.0, min(delay, pace.longest_s, left_s))


def questions_within(since_s: float) -> int:
    """How often a peer was asked since it acknowledged an object, by doubling delays."""
    return int(since_s / CONFIRM_FIRST_S).bit_length()


def left_s(released_at: float, now: float, settings: DeliverySettings) -> float:
    """Give what is left of the time allowed for a delivery, s; negative: it is over."""
    return settings.give_up_after_h * _SECONDS_PER_HOUR - (now - released_at)


def is_expired(released_at: float, now: float, settings: DeliverySettings) -> bool:
    """Whether the time allowed for a delivery is over.

    Parameters
    ----------
    released_at, now : float
        Epoch seconds.
    settings : DeliverySettings
        Time allowed, hours.

    Returns
    -------
    bool
        True: it waits for a person from now on.
    """
    return left_s(released_at, now, settings) <= 0
