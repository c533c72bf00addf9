"""Several at a time: results in order, few ahead, errors where they are due, threads given back."""

import threading
from collections.abc import Iterator

import pytest
import torch

from operators.networks.abreast import abreast


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    with abreast(workers) as run:
        assert list(run(lambda n: n * n, range(20))) == [n * n for n in range(20)]


def test_as_many_run_at_the_same_time_as_there_are_workers() -> None:
    both_are_here = threading.Barrier(2, timeout=20)
    with abreast(2) as run:
        assert sorted(run(lambda _: both_are_here.wait(), range(2))) == [0, 1]


def test_few_items_are_taken_ahead_of_the_result_that_is_waited_for() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(50):
            taken.append(n)
            yield n

    with abreast(2) as run:
        results = run(lambda n: n, items())
        assert next(results) == 0
        assert len(taken) == 3


def test_an_error_comes_where_its_result_is_due() -> None:
    def fail(n: int) -> int:
        if n == 3:
            raise ValueError(n)
        return n

    with abreast(2) as run:
        results = run(fail, range(1000))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="3"):
            next(results)


@pytest.mark.usefixtures("four_threads")
def test_workers_share_the_threads_and_the_caller_gets_its_own_back() -> None:
    with abreast(2) as run:
        assert list(run(lambda _: torch.get_num_threads(), range(4))) == [2] * 4
    assert torch.get_num_threads() == 4


def test_nothing_is_recorded_for_gradients() -> None:
    weight = torch.ones(1, requires_grad=True)
    with abreast(2) as run:
        assert [one.requires_grad for one in run(lambda n: weight * n, range(3))] == [False] * 3
