"""How long to wait before the next attempt.

The jitter follows from the delivery's key, not from a random number: a repeat after a crash
computes the same time, and a thousand deliveries still spread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.dicom.uids import digest

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


def retry_delay_s(attempts: int, key: str, settings: DeliverySettings) -> float:
    """Delay before the next attempt: doubling, half of it jitter.

    Parameters
    ----------
    attempts : int
        Attempts so far, 1 or more.
    key : str
        Of the delivery.
    settings : DeliverySettings
        First and longest delay, s.

    Returns
    -------
    float
        Between the two, s.
    """
    exponent = min(attempts, _LARGEST_EXPONENT)
    span = min(settings.first_delay_s * 2.0**exponent, settings.longest_delay_s)
    delay = span * (1 + jitter(key, attempts)) / 2
    return min(max(delay, settings.first_delay_s), settings.longest_delay_s)


def confirm_delay_s(
    since_sent_s: float, settings: DeliverySettings, longest_s: float = CONFIRM_LONGEST_S
) -> float:
    """Delay before the peer is asked (again) whether it holds an object: doubling.

    Parameters
    ----------
    since_sent_s : float
        Time since the peer acknowledged it, s.
    settings : DeliverySettings
        When to ask first, s.
    longest_s : float
        Longest delay, s.

    Returns
    -------
    float
        Delay from now, s.
    """
    if since_sent_s < settings.confirm_after_s:
        return settings.confirm_after_s - since_sent_s
    return min(max(since_sent_s, CONFIRM_FIRST_S), longest_s)


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
    return now - released_at >= settings.give_up_after_h * _SECONDS_PER_HOUR
