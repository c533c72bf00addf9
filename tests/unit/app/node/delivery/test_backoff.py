"""Delays: from 5 s to 15 min, doubling, spread, and the same after a crash."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.node.delivery.backoff import (
    Pace,
    confirm_pace,
    delay_s,
    is_expired,
    jitter,
    left_s,
    questions_within,
    retry_pace,
)
from app.settings import DeliverySettings

DEFAULT = DeliverySettings()
PACE = retry_pace(DEFAULT)


@given(st.integers(1, 10_000), st.text())
def test_every_delay_lies_between_5_s_and_15_min(attempts: int, key: str) -> None:
    assert 5 <= delay_s(attempts, key, PACE) <= 900


@pytest.mark.parametrize(
    ("attempts", "shortest", "longest"),
    [(1, 5, 10), (2, 10, 20), (3, 20, 40), (7, 320, 640), (8, 450, 900), (500, 450, 900)],
)
def test_the_delay_doubles_and_half_of_it_is_spread(
    attempts: int, shortest: float, longest: float
) -> None:
    delays = [delay_s(attempts, str(key), PACE) for key in range(400)]
    assert min(delays) >= shortest
    assert max(delays) < longest
    assert max(delays) - min(delays) > 0.9 * (longest - shortest)


def test_a_repeat_after_a_crash_computes_the_same_delay_and_the_next_one_another() -> None:
    assert delay_s(9, "a", PACE) == delay_s(9, "a", PACE)
    assert delay_s(9, "a", PACE) != delay_s(10, "a", PACE)
    assert delay_s(9, "a", PACE) != delay_s(9, "b", PACE)


def test_the_jitter_is_even() -> None:
    values = [jitter("key", number) for number in range(2000)]
    assert all(0 <= value < 1 for value in values)
    assert statistics.mean(values) == pytest.approx(0.5, abs=0.03)
    assert statistics.pstdev(values) == pytest.approx(12**-0.5, abs=0.02)


def test_a_peer_dead_for_72_hours_gets_about_390_attempts() -> None:
    now, attempts = 0.0, 0
    while not is_expired(0.0, now, DEFAULT):
        attempts += 1
        now += delay_s(attempts, "key", PACE)
    assert now >= 72 * 3600
    assert 370 < attempts < 410


@pytest.mark.parametrize(("hours", "expired"), [(0, False), (71.99, False), (72, True)])
def test_a_delivery_is_given_up_after_72_hours_and_not_before(hours: float, expired: bool) -> None:  # noqa: FBT001
    assert is_expired(1e9, 1e9 + hours * 3600, DEFAULT) is expired


@given(st.integers(0, 10_000), st.text(), st.floats(0.001, 5000), st.floats(-10, 1e6))
def test_no_delay_is_longer_than_the_site_allows_or_than_what_is_left(
    number: int, key: str, longest_s: float, left: float
) -> None:
    for pace in (
        retry_pace(DeliverySettings(longest_delay_s=longest_s)),
        confirm_pace(DeliverySettings(longest_delay_s=longest_s)),
    ):
        assert 0 <= delay_s(number, key, pace, left) <= max(0.0, min(longest_s, left))


@pytest.mark.parametrize(
    ("since_sent_s", "shortest", "longest"),
    [(0, 1, 1), (0.5, 1, 1), (1, 1, 2), (7, 4, 8), (60, 30, 60), (599, 30, 60)],
)
def test_a_peer_is_asked_again_after_1_s_and_then_ever_more_seldom(
    since_sent_s: float, shortest: float, longest: float
) -> None:
    number, pace = questions_within(since_sent_s), confirm_pace(DEFAULT)
    delays = [delay_s(number, str(key), pace) for key in range(200)]
    assert shortest <= min(delays)
    assert max(delays) <= longest


def test_the_last_attempt_is_made_when_the_time_allowed_is_over_and_not_behind_it() -> None:
    settings = DeliverySettings(give_up_after_h=1)
    left = left_s(0.0, 3500.0, settings)
    assert left == 100
    assert delay_s(50, "key", Pace(5, 900), left) == 100
    assert is_expired(0.0, 3600.0, settings)
