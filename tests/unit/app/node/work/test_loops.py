"""Loops go on over outages, say so once, and end the worker by what waiting does not mend."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from app.errors import EngineError, JournalDamagedError
from app.node.telemetry.events import Event
from app.node.work import loops as module
from app.node.work.loops import Loops
from app.node.work.vigil import Vigil
from tests.builders.waiting import eventually


class Told:
    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, event: Event, **values: object) -> None:
        assert values.keys() <= set(event.fields)
        self.numbers.append(event.number)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def loops(told: Told, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loops]:
    monkeypatch.setattr(module, "_OUTAGE_PAUSE_S", 0.005)
    made = Loops(Vigil({}), told)
    yield made
    made.leave()


def test_turns_are_taken_until_it_is_to_stop(loops: Loops):
    stop, turns = threading.Event(), []
    loops.start("scan", lambda: turns.append(1), 0.001, stop)
    eventually(lambda: len(turns) >= 3)
    loops.check()
    stop.set()
    eventually(loops._running[0].done)
    loops.check()


def test_an_outage_is_told_once_and_again_only_after_it_has_worked(loops: Loops, told: Told):
    stop, turns = threading.Event(), iter("xx.xx.")
    done = threading.Event()

    def turn() -> None:
        what = next(turns, "end")
        if what == "x":
            raise EngineError
        if what == "end":
            done.set()

    loops.start("scan", turn, 0.001, stop)
    assert done.wait(60)
    stop.set()
    loops.check()
    assert told.numbers == [module.events.ENGINE_UNREACHABLE.number] * 2


@pytest.mark.parametrize("error", [JournalDamagedError(), ZeroDivisionError()])
def test_what_waiting_does_not_mend_ends_the_worker(loops: Loops, told: Told, error: Exception):
    def turn() -> None:
        raise error

    loops.start("scan", turn, 0.001, threading.Event())
    eventually(loops._running[0].done)
    with pytest.raises(type(error)):
        loops.check()
    assert told.numbers == []
