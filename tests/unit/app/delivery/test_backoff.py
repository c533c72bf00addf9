"""Delays: from 5 s to 15 min, doubling, spread, and the same after a crash."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.delivery.backoff import confirm_delay_s, is_expired, jitter, retry_delay_s
from app.settings import DeliverySettings

DEFAULT = DeliverySettings()


@given(st.integers(1, 10_000), st.text())
def test_every_delay_lies_between_5_s_and_15_min(attempts: int, key: str) -> None:
    assert 5 <= retry_delay_s(attempts, key, DEFAULT) <= 900


@pytest.mark.parametrize(
    ("attempts", "shortest", "longest"),
    [(1, 5, 10), (2, 10, 20), (3, 20, 40), (7, 320, 640), (8, 450, 900), (500, 450, 900)],
)
def test_the_delay_doubles_and_half_of_it_is_spread(
    attempts: int, shortest: float, longest: float
) -> None:
    delays = [retry_delay_s(attempts, str(key), DEFAULT) for key in range(400)]
    assert min(delays) >= shortest
    assert max(delays) < longest
    assert max(delays) - min(delays) > 0.9 * (longest - shortest)


def test_a_repeat_after_a_crash_computes_the_same_delay_and_the_next_one_another() -> None:
    assert retry_delay_s(9, "a", DEFAULT) == retry_delay_s(9, "a", DEFAULT)
    assert retry_delay_s(9, "a", DEFAULT) != retry_delay_s(10, "a", DEFAULT)
    assert retry_delay_s(9, "a", DEFAULT) != retry_delay_s(9, "b", DEFAULT)


def test_the_jitter_is_even() -> None:
    values = [jitter("key", number) for number in range(2000)]
    assert all(0 <= value < 1 for value in values)
    assert statistics.mean(values) == pytest.approx(0.5, abs=0.03)
    assert statistics.pstdev(values) == pytest.approx(12**-0.5, abs=0.02)


def test_a_peer_dead_for_72_hours_gets_about_390_attempts() -> None:
    now, attempts = 0.0, 0
    while not is_expired(0.0, now, DEFAULT):
        attempts += 1
        now += retry_delay_s(attempts, "key", DEFAULT)
    assert now >= 72 * 3600
    assert 370 < attempts < 410


@pytest.mark.parametrize(("hours", "expired"), [(0, False), (71.99, False), (72, True)])
def test_a_delivery_is_given_up_after_72_hours_and_not_before(hours: float, expired: bool) -> None:  # noqa: FBT001
    assert is_expired(1e9, 1e9 + hours * 3600, DEFAULT) is expired


@pytest.mark.parametrize(
    ("since_sent_s", "delay_s"), [(0, 1), (0.5, 1), (7, 7), (60, 60), (599, 60)]
)
def test_a_peer_is_asked_again_after_1_s_and_then_ever_more_seldom(
    since_sent_s: float, delay_s: float
) -> None:
    assert confirm_delay_s(since_sent_s, DEFAULT) == delay_s


def test_the_first_question_waits_as_the_site_says() -> None:
    settings = DeliverySettings(confirm_after_s=20)
    assert confirm_delay_s(5, settings) == 15
    assert confirm_delay_s(25, settings) == 25
