"""The breaker: 10 failures open it, one trial per pause, the first success closes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.node.delivery.circuit import Breaker, Gate, Way, gate
from app.node.journal.destinations import DestinationHealth, health_of
from app.node.journal.engine import reading
from app.node.journal.tallies import list_destinations
from app.settings import DeliverySettings
from tests.builders.planned_deliveries import START, Heard, VirtualClock, journal_in

SETTINGS = DeliverySettings()


class Bench:
    """Breakers of one destination in two processes, and a clock for both."""

    def __init__(self, data: Path) -> None:
        self.engine = journal_in(data)
        self.clock, self.heard = VirtualClock(), Heard()
        self.one, self.two = (
            Breaker(engine, "pacs", SETTINGS, clock=self.clock, emit=self.heard)
            for engine in (self.engine, journal_in(data))
        )

    def fail(self, times: int) -> None:
        for number in range(times):
            (self.one, self.two)[number % 2].note_failure("unreachable")


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
    assert gate(DestinationHealth(open_until=open_until), START, 900) == verdict


def test_nine_failures_leave_it_closed_and_the_tenth_opens_it_for_all_processes(
    bench: Bench,
) -> None:
    bench.fail(9)
    assert bench.two.wait_s("a") == 0
    bench.fail(1)
    assert 450 <= bench.one.wait_s("a") <= 900
    assert 450 <= bench.two.wait_s("a") <= 900
    ((number, told),) = bench.heard.events
    assert number == 506
    assert told["peer"] == "pacs"
    assert 450 <= told["pause_s"] <= 900


def test_a_success_in_between_starts_the_count_anew(bench: Bench) -> None:
    bench.fail(9)
    bench.two.note_success()
    bench.fail(9)
    assert bench.one.wait_s("a") == 0
    assert bench.heard.events == []


def test_after_the_pause_exactly_one_of_two_processes_goes(bench: Bench) -> None:
    bench.fail(10)
    bench.clock.advance(900)
    assert bench.one.wait_s("a") == 0
    assert bench.two.wait_s("b") > 0
    bench.fail(1)
    bench.clock.advance(449)
    assert bench.two.wait_s("b") > 0
    bench.clock.advance(451)
    assert bench.two.wait_s("b") == 0
    assert [number for number, _ in bench.heard.events] == [506]


def test_a_trial_that_never_reports_is_followed_by_another(bench: Bench) -> None:
    bench.fail(10)
    bench.clock.advance(900)
    assert bench.one.wait_s("a") == 0  # and its process is killed here
    bench.clock.advance(449)
    assert bench.two.wait_s("b") > 0
    bench.clock.advance(451)
    assert bench.two.wait_s("b") == 0


def test_the_first_success_closes_it_and_says_so_once(bench: Bench) -> None:
    bench.fail(12)
    bench.clock.advance(900)
    bench.one.wait_s("a")
    bench.one.note_success()
    bench.two.note_success()
    assert bench.two.wait_s("b") == 0
    assert [number for number, _ in bench.heard.events] == [506, 507]
    with reading(bench.engine) as c:
        assert health_of(c, "pacs") == DestinationHealth()


def test_26_refusals_are_26_failures_and_keep_nothing_else_from_going(bench: Bench) -> None:
    for _ in range(26):
        bench.one.note_refusal("status_C000")
    assert bench.two.wait_s("a") == 0
    with reading(bench.engine) as c:
        row = list_destinations(c)["pacs"]
    assert (row.consecutive_failures, row.failures, row.last_error) == (26, 26, "status_C000")
    assert row.last_failure_at == bench.clock()
    assert bench.heard.events == []


def test_a_peer_that_refuses_an_object_at_its_trial_takes_others(bench: Bench) -> None:
    bench.fail(10)
    bench.clock.advance(900)
    assert bench.one.wait_s("a") == 0
    bench.one.note_refusal("status_C000")
    assert bench.two.wait_s("b") == 0


def test_what_was_refused_beside_a_success_is_on_record_and_not_in_a_row(bench: Bench) -> None:
    bench.one.note_success("status_A900")
    with reading(bench.engine) as c:
        row = list_destinations(c)["pacs"]
    assert (row.consecutive_failures, row.failures, row.last_error) == (0, 1, "status_A900")


@pytest.mark.parametrize("longest_s", [1.0, 30.0, 120.0])
def test_no_pause_is_longer_than_the_longest_delay_of_the_site(
    tmp_path: Path, longest_s: float
) -> None:
    settings = DeliverySettings(first_delay_s=0.5, longest_delay_s=longest_s)
    engine, clock = journal_in(tmp_path), VirtualClock()
    breaker = Breaker(engine, "pacs", settings, clock=clock, emit=Heard())
    for _ in range(40):
        breaker.note_failure("unreachable")
    waits = [breaker.wait_s(str(key)) for key in range(50)]
    assert min(waits) > 0
    assert max(waits) <= longest_s


def test_those_who_wait_are_spread_behind_the_trial(bench: Bench) -> None:
    bench.fail(10)
    waits = [bench.one.wait_s(str(key)) for key in range(100)]
    assert max(waits) <= 900
    assert max(waits) - min(waits) > 20
