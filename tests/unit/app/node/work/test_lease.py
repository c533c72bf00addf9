from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from app.errors import ServiceError
from app.node.journal.engine import transaction
from app.node.journal.processes import Heartbeat, PulseWatch, beat, heartbeats
from app.node.telemetry.events import Event
from app.node.work.lease import Pulse, worker_name
from tests.builders.journals import empty_journal


@dataclass
class QueueDouble:
    taken: list[list[str]] = field(default_factory=list)
    error: ServiceError | None = None

    def take_over(self, names: list[str]) -> int:
        if self.error is not None:
            raise self.error
        self.taken.append(names)
        return 2


@dataclass
class Watcher:
    pulse: Pulse
    queue: QueueDouble
    told: list[int]
    now: list[float]

    def tick_at(self, now: float) -> list[str]:
        self.now[0] = now
        return self.pulse.tick()


def a_watcher(data: Path) -> Watcher:
    queue, told, now = QueueDouble(), [], [0.0]

    def emit(event: Event, **_: object) -> None:
        told.append(event.number)

    pulse = Pulse(
        engine=empty_journal(data),
        queue=queue,  # type: ignore[arg-type]
        name="me-0",
        watch=PulseWatch(lease_s=30),
        clock=lambda: 1000.0 + now[0],
        monotonic=lambda: now[0],
        emit=emit,
        detail=lambda: {"pid": 1},
    )
    with transaction(pulse.engine) as c:
        beat(c, Heartbeat(process_id="gone-0", role="worker", beat=5.0))
        beat(c, Heartbeat(process_id="listener", role="listener", beat=5.0))
    return Watcher(pulse, queue, told, now)


def test_names_are_the_lowest_free_number_of_the_machine(tmp_path: Path):
    with worker_name(tmp_path, "host/with space") as first:
        with worker_name(tmp_path, "host/with space") as second:
            assert (first, second) == ("host-with-space-0", "host-with-space-1")
        with worker_name(tmp_path, "host/with space") as again:
            assert again == second
        with worker_name(tmp_path, "other") as other:
            assert other == "other-0"


def test_a_worker_silent_for_the_lease_is_taken_over_again_and_again_but_never_oneself(
    tmp_path: Path,
):
    watcher = a_watcher(tmp_path)
    assert watcher.pulse.period_s == 5
    assert [watcher.tick_at(now) for now in (0.0, 29.0)] == [[], []]
    assert watcher.tick_at(31.0) == ["gone-0"]
    assert watcher.tick_at(36.0) == ["gone-0"]
    assert watcher.queue.taken == [["gone-0"], ["gone-0"]]
    assert watcher.told == [320, 320]
    with transaction(watcher.pulse.engine) as c:
        (_, own) = heartbeats(c, "worker")
    assert (own.process_id, own.beat) == ("me-0", 1036.0)
    watcher.pulse.engine.dispose()


def test_a_worker_whose_own_clock_stands_still_does_not_take_over_itself(tmp_path: Path):
    watcher = a_watcher(tmp_path)
    watcher.pulse.clock = lambda: 7.0
    watcher.tick_at(0.0)
    assert watcher.tick_at(31.0) == ["gone-0"]
    watcher.pulse.engine.dispose()


def test_after_an_outage_everybody_has_the_whole_lease_and_it_is_told_once(tmp_path: Path):
    watcher = a_watcher(tmp_path)
    watcher.tick_at(0.0)
    watcher.queue.error = ServiceError("no engine")
    assert watcher.tick_at(31.0) == []
    watcher.tick_at(32.0)
    watcher.queue.error = None
    assert watcher.tick_at(60.0) == []
    assert watcher.tick_at(91.0) == ["gone-0"]
    assert watcher.told == [321, 320]
    watcher.pulse.engine.dispose()


def test_a_worker_that_is_leaving_beats_on_and_takes_nothing_over(tmp_path: Path):
    watcher = a_watcher(tmp_path)
    watcher.tick_at(0.0)
    watcher.pulse.is_leaving = True
    watcher.tick_at(31.0)
    assert watcher.queue.taken == []
    with transaction(watcher.pulse.engine) as c:
        assert heartbeats(c, "worker")[-1].beat == 1031.0
    watcher.pulse.engine.dispose()
