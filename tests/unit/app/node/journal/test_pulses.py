"""Silence by a clock that nobody sets."""

from app.node.journal.pulses import Pulses
from app.node.journal.tallies import ProcessRow


def row(beat: float) -> ProcessRow:
    return ProcessRow(process_id="node1-0", role="worker", beat=beat, detail={})


def silence(pulses: Pulses, beat: float, now: float, monotonic_s: float) -> float:
    return pulses.silences([row(beat)], now=now, monotonic_s=monotonic_s)["node1-0"]


def test_at_first_sight_the_time_of_the_process_is_believed():
    assert silence(Pulses(), 990.0, now=1000.0, monotonic_s=5.0) == 10.0
    assert silence(Pulses(), 2000.0, now=1000.0, monotonic_s=5.0) == 0.0


def test_afterwards_only_changes_count_however_wrong_the_other_clock_is():
    pulses = Pulses()
    silence(pulses, 990.0, now=1000.0, monotonic_s=5.0)
    assert silence(pulses, 50.0, now=1005.0, monotonic_s=10.0) == 0.0
    assert silence(pulses, 50.0, now=99999.0, monotonic_s=17.0) == 7.0


def test_a_process_that_left_and_came_back_is_seen_anew():
    pulses = Pulses()
    silence(pulses, 10.0, now=10.0, monotonic_s=0.0)
    assert pulses.silences([], now=11.0, monotonic_s=1.0) == {}
    assert silence(pulses, 10.0, now=40.0, monotonic_s=30.0) == 30.0
