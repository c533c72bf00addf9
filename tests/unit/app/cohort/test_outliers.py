"""Modified z-scores by hand."""

from __future__ import annotations

import pytest

from app.cohort.outliers import LIMIT, Oddness, oddness_of

EVEN = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]


def test_a_score_is_the_distance_from_the_median_in_spreads():
    found = oddness_of([{"height": value} for value in [*EVEN, 30.0]])
    # Median 5; distances 4, 3, 2, 1, 0, 1, 2, 3, 25, of which the median is 2.
    assert [round(one.score, 4) for one in found] == [
        round(away / (1.4826 * 2), 4) for away in (4, 3, 2, 1, 0, 1, 2, 3, 25)
    ]
    assert found[-1].score > LIMIT
    assert found[-1].why == "height, z +8.4"
    assert {one.why for one in found[:-1]} == {""}


def test_where_half_are_equal_the_mean_distance_counts():
    found = oddness_of([{"discs": value} for value in [5.0] * 7 + [9.0]])
    assert found[0] == Oddness(0.0, "")
    assert found[-1].score == pytest.approx(4 / (1.2533 * 4 / 8))


def test_equal_values_and_few_values_say_nothing():
    assert {one.score for one in oddness_of([{"a": 1.0}] * 9)} == {0.0}
    assert oddness_of([{"a": 1.0}] * 6 + [{"a": 99.0}]) == [Oddness(0.0, "")] * 7


def test_the_worst_figure_is_named_and_a_missing_one_is_usual():
    figures = [{"disc_height": value, "volume": value} for value in EVEN]
    found = oddness_of([*figures, {"disc_height": -40.0}, {"volume": 9.0}, {}])
    assert found[-3].why.startswith("disc height, z -")
    assert found[-1] == Oddness(0.0, "")
