"""Every C-STORE status has one meaning, over the whole range of 16 bits."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from pynetdicom.status import code_to_category

from app.node.peers.statuses import _RANGES, Answer, answer_of, name_of


def test_the_ranges_are_in_order_and_do_not_overlap() -> None:
    bounds = [bound for low, high, _ in _RANGES for bound in (low, high)]
    assert bounds == sorted(bounds)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(_RANGES))


def test_the_whole_range_is_counted_as_the_standard_divides_it() -> None:
    count = Counter(answer_of(status) for status in range(0x10000))
    # Success, 0x0001, 0x0107, 0x0111, 0x0116 and 4096 warnings.
    assert count[Answer.STORED] == 5 + 0x1000
    assert count[Answer.UNWANTED] == 4  # with C122 of STOW-RS
    assert count[Answer.BUSY] == 2 + 0x100
    # 0105-0106, 0112-0115, 0117, 0119-0121, 0123, 0211-0212, Cxxx.
    assert count[Answer.REFUSED] == 2 + 4 + 1 + 9 + 1 + 2 + 0x0FFF
    assert sum(count.values()) == 0x10000


def test_what_the_standard_calls_success_or_warning_is_stored_and_nothing_else_but_0111() -> None:
    stored = {status for status in range(0x10000) if answer_of(status) is Answer.STORED}
    good = {
        status for status in range(0x10000) if code_to_category(status) in {"Success", "Warning"}
    }
    assert stored == good | {0x0111}


@pytest.mark.parametrize(
    ("statuses", "answer"),
    [
        (range(0xA000, 0xA700), Answer.RETRY),
        (range(0xA700, 0xA800), Answer.BUSY),
        (range(0xA800, 0xB000), Answer.RETRY),
        (range(0xB000, 0xC000), Answer.STORED),
        (range(0xC000, 0xC122), Answer.REFUSED),
        ([0xC122], Answer.UNWANTED),
        (range(0xC123, 0xD000), Answer.REFUSED),
        (range(0xD000, 0x10000), Answer.RETRY),
        ([0x0122, 0x0118, 0x0124], Answer.UNWANTED),
        ([0x0110, 0x0213], Answer.BUSY),
        ([0x0002, 0x0104, 0x0108, 0x0125, 0x0210, 0xFE00, 0xFF00], Answer.RETRY),
        ([None], Answer.UNWANTED),
    ],
)
def test_a_range_has_one_meaning(statuses: list[int | None], answer: Answer) -> None:
    assert {answer_of(status) for status in statuses} == {answer}


def test_names_fit_their_column_of_the_journal() -> None:
    assert name_of(0x0122) == "status_0122"
    assert name_of(None) == "context_refused"
