"""The breaker: 10 failures open it, one trial in 15 minutes, the first success closes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.delivery.circuit import Breaker, Gate, Way, gate
from app.journal.destinations import DestinationHealth, health_of
from app.journal.engine import reading
from tests.builders.planned_deliveries import START, Heard, VirtualClock, journal_in


class Bench:
    """Breakers of one destination in two processes, and a clock for both."""

    def __init__(self, data: Path) -> None:
        self.engine = journal_in(data)
        self.clock, self.heard = VirtualClock(), Heard()
        self.one, self.two = (
            Breaker(engine, "pacs", clock=self.clock, emit=self.heard)
            for engine in (self.engine, journal_in(data))
        )

    def fail(self, times: int) -> None:
        for number in range(times):
            (self.one, self.two)[number % 2].note(works=False, error="unreachable")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("open_until", "verdict"),
    [
        (None, Gate(way=Way.FREE)),
        (START + 1, Gate(way=Way.BLOCKED, wait_s=1)),
        (START + 900, Gate(way=Way.BLOCKED, wait_s=900)),
        (START, Gate(way=Way.TRIAL)),
        (START - 5000, Gate(way=Way.TRIAL)),
        (START + 3600, Gate(way=Way.TRIAL)),  # the clock was set back by an hour
    ],
)
def test_the_gate_follows_from_the_end_of_the_pause(
    open_until: float | None, verdict: Gate
) -> None:
    assert gate(DestinationHealth(open_until=open_until), START) == verdict


def test_nine_failures_leave_it_closed_and_the_tenth_opens_it_for_all_processes(
    bench: Bench,
) -> None:
    bench.fail(9)
    assert bench.two.wait_s("a") == 0
    bench.fail(1)
    assert 900 <= bench.one.wait_s("a") <= 990
    assert 900 <= bench.two.wait_s("a") <= 990
    assert bench.heard.events == [(506, {"peer": "pacs", "pause_s": 900.0})]


def test_a_success_in_between_starts_the_count_anew(bench: Bench) -> None:
    bench.fail(9)
    bench.two.note(works=True)
    bench.fail(9)
    assert bench.one.wait_s("a") == 0
    assert bench.heard.events == []


def test_after_the_pause_exactly_one_of_two_processes_goes(bench: Bench) -> None:
    bench.fail(10)
    bench.clock.advance(900)
    assert bench.one.wait_s("a") == 0
    assert bench.two.wait_s("b") > 0
    bench.fail(1)
    bench.clock.advance(899)
    assert bench.two.wait_s("b") > 0
    bench.clock.advance(1)
    assert bench.two.wait_s("b") == 0
    assert [number for number, _ in bench.heard.events] == [506]


def test_a_trial_that_never_reports_is_followed_by_another_after_15_minutes(bench: Bench) -> None:
    bench.fail(10)
    bench.clock.advance(900)
    assert bench.one.wait_s("a") == 0  # and its process is killed here
    bench.clock.advance(899)
    assert bench.two.wait_s("b") > 0
    bench.clock.advance(1)
    assert bench.two.wait_s("b") == 0


def test_the_first_success_closes_it_and_says_so_once(bench: Bench) -> None:
    bench.fail(12)
    bench.clock.advance(900)
    bench.one.wait_s("a")
    bench.one.note(works=True)
    bench.two.note(works=True)
    assert bench.two.wait_s("b") == 0
    assert [number for number, _ in bench.heard.events] == [506, 507]
    with reading(bench.engine) as c:
        assert health_of(c, "pacs") == DestinationHealth()


def test_an_attempt_that_taught_nothing_changes_nothing(bench: Bench) -> None:
    bench.fail(9)
    bench.one.note(works=False)
    with reading(bench.engine) as c:
        assert health_of(c, "pacs").consecutive_failures == 9


def test_those_who_wait_are_spread_over_90_s_behind_the_trial(bench: Bench) -> None:
    bench.fail(10)
    waits = [bench.one.wait_s(str(key)) for key in range(100)]
    assert min(waits) >= 900
    assert 70 < max(waits) - min(waits) <= 90
