"""Grades change exactly where their sources say."""

from __future__ import annotations

import pytest

from operators.spine.measurements.grades import genant_grade, meyerding_grade


@pytest.mark.parametrize(
    ("ratios", "grade"),
    [
        ((1.0, 1.0, 1.0), 0),
        ((0.801, 1.0, 1.0), 0),
        ((0.80, 1.0, 1.0), 1),
        ((1.0, 0.751, 1.0), 1),
        ((1.0, 0.75, 1.0), 2),
        ((1.0, 1.0, 0.601), 2),
        ((1.0, 1.0, 0.60), 3),
        ((1.3, 1.2, 1.1), 0),
    ],
)
def test_the_largest_loss_of_height_decides(ratios: tuple[float, ...], grade: int) -> None:
    assert genant_grade(*ratios) == grade


@pytest.mark.parametrize(
    ("slip", "percent", "grade"),
    [
        (2.9, 9.0, 0),
        (3.0, 9.0, 1),
        (8.0, 24.9, 1),
        (8.1, 25.0, 2),
        (20, 62, 3),
        (30, 99, 4),
        (40, 130, 5),
    ],
)
def test_a_slip_is_graded_by_quarters_of_the_depth(slip: float, percent: float, grade: int) -> None:
    assert meyerding_grade(slip, percent) == grade
