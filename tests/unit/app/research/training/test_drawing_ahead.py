"""Batches come in order from any number of threads, never further than is allowed."""

from __future__ import annotations

import os
import threading
import time

import pytest

from app.research.training.drawing_ahead import DrawnAhead, default_workers


def slow_first(number: int) -> int:
    """Every third sample takes longer than its successors."""
    time.sleep(0.01 if number % 3 == 0 else 0.0)
    return number


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_batches_come_in_order_although_samples_are_ready_out_of_order(
    workers: int, batch: int
) -> None:
    taken = []
    with DrawnAhead(slow_first, 4, batch, workers) as ahead:
        for step in range(4, 12):
            ahead.allow(min(step + 5, 11))
            taken += ahead.take()
    assert taken == list(range(4 * batch, 12 * batch))


@pytest.mark.parametrize(("workers", "batch", "batches"), [(1, 2, 1), (2, 2, 2), (3, 1, 3)])
def test_no_more_batches_wait_than_keep_the_threads_busy(
    workers: int, batch: int, batches: int
) -> None:
    asked = []
    with DrawnAhead(asked.append, 0, batch, workers) as ahead:
        ahead.allow(1000)
        ahead.allow(1000)
    assert len(asked) <= batches * batch


def test_nothing_is_drawn_beyond_what_is_allowed() -> None:
    asked = []
    with DrawnAhead(lambda n: asked.append(n) or n, 0, 2, 8) as ahead:
        ahead.allow(1)
        assert [*ahead.take(), *ahead.take()] == [0, 1, 2, 3]
        with pytest.raises(IndexError):
            ahead.take()
    assert sorted(asked) == [0, 1, 2, 3]


def test_two_threads_draw_at_the_same_time_and_one_does_not() -> None:
    both = threading.Barrier(2, timeout=10)
    with DrawnAhead(lambda _: both.wait() >= 0, 0, 2, 2) as ahead:
        ahead.allow(0)
        assert ahead.take() == [True, True]
    alone = threading.Barrier(2, timeout=0.1)
    with DrawnAhead(lambda _: alone.wait(), 0, 2, 1) as ahead:
        ahead.allow(0)
        with pytest.raises(threading.BrokenBarrierError):
            ahead.take()


def test_an_error_surfaces_with_its_own_batch_and_ends_the_threads() -> None:
    def draw(number: int) -> int:
        if number == 3:
            raise FileNotFoundError(number)
        return number

    with DrawnAhead(draw, 0, 1, 4) as ahead:
        ahead.allow(9)
        assert [ahead.take() for _ in range(3)] == [[0], [1], [2]]
        with pytest.raises(FileNotFoundError, match="3"):
            ahead.take()
    assert not [t for t in threading.enumerate() if t.name.startswith("draw")]


def test_leaving_waits_for_the_draws_that_run_and_drops_those_that_wait() -> None:
    begun, release = [], threading.Event()

    def draw(number: int) -> None:
        begun.append(number)
        release.wait(10)

    with DrawnAhead(draw, 0, 4, 2) as ahead:
        ahead.allow(9)
        while len(begun) < 2:
            time.sleep(0.001)
        threading.Timer(0.05, release.set).start()
    assert begun == [0, 1]


def test_a_cpu_gets_one_thread_and_a_gpu_one_per_core_but_one_up_to_8(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for cores, wanted in ((1, 1), (2, 1), (4, 3), (64, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=cores: set(range(n)))
        assert default_workers("cuda:0") == wanted
        assert default_workers("cpu") == 1
