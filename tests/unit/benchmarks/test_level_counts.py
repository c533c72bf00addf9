"""Counts of the benchmark of level names: what counting decides, and the weights of variants."""

from __future__ import annotations

from collections import Counter

import pytest

from operators.anatomy.labels import L6_INSTANCE, T13_INSTANCE
from tests.benchmarks.level_counts import (
    PREVALENCE,
    among_people,
    decided_by_counting,
    vertebrae_of,
)

USUAL = set(range(1, 25))


def test_spines_are_told_apart_by_how_many_vertebrae_they_have() -> None:
    assert sum(PREVALENCE.values()) == pytest.approx(1.0)
    assert vertebrae_of(USUAL) == 24
    assert vertebrae_of(USUAL | {L6_INSTANCE}) == vertebrae_of(USUAL | {T13_INSTANCE}) == 25
    assert vertebrae_of(USUAL - {24}) == 23
    assert vertebrae_of(USUAL - {24} | {T13_INSTANCE}) == 24


def test_a_spine_weighs_as_much_as_people_have_such_a_number() -> None:
    counts = Counter({"names of 23": 20, "right of 23": 0, "names of 24": 20, "right of 24": 20})
    people = PREVALENCE[24] / (PREVALENCE[23] + PREVALENCE[24])
    assert among_people(counts, Counter({23: 2, 24: 2})) == pytest.approx(people)


def test_lumbar_levels_are_decided_where_the_last_rib_is_in_view() -> None:
    assert decided_by_counting([18, 19, 20, 21, 22, 23, 24]) == {20, 21, 22, 23, 24}
    assert decided_by_counting([19, 20, 21, 22, 23, 24]) == set()  # the topmost one shows no type
    assert decided_by_counting([21, 22, 23, 24]) == set()
