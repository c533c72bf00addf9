"""Values beyond a threshold, and those that are not."""

from __future__ import annotations

import pytest

from operators.anatomy.levels import LevelName
from operators.report.flags import THRESHOLDS, flags_of
from operators.spine.measurements.definitions import MEASURES
from operators.spine.measurements.measure import Measurement


def row(measure: str, value: float | None, instance: int = 7) -> Measurement:
    return Measurement(instance=instance, level="", measure=measure, value=value)


@pytest.mark.parametrize(
    ("measure", "value", "is_flagged"),
    [
        ("canal_ap_diameter", 9.94, True),
        ("canal_ap_diameter", 9.96, False),  # shown as 10.0
        ("slip", 2.96, True),  # shown as 3.0
        ("slip", 2.94, False),
        ("slip", -3.0, True),
        ("slip", -2.94, False),
        ("genant_grade_proposed", 1.0, True),
        ("genant_grade_proposed", 0.0, False),
        ("coronal_cobb", 10.0, True),
        ("body_anterior_height", 4.0, False),
        ("canal_ap_diameter", None, False),
    ],
)
def test_a_value_is_flagged_from_its_threshold_on(
    measure: str, value: float | None, *, is_flagged: bool
):
    assert bool(flags_of([row(measure, value)], {})) == is_flagged


@pytest.mark.parametrize(
    ("level", "confidence", "is_flagged"),
    [
        (23, 1.0, True),  # L4
        (24, 1.0, False),  # L5, which is wedged in health
        (24, 0.7, False),  # probably L5
        (24, 0.4, True),  # uncertain: rather one flag too many
        (28, 1.0, True),  # T13
        (5, 1.0, False),  # C5
    ],
)
def test_a_grade_is_flagged_at_the_levels_that_genant_defined_it_for(
    level: int, confidence: float, *, is_flagged: bool
):
    flags = flags_of([row("genant_grade_proposed", 2.0)], {7: LevelName(level, confidence)})
    assert bool(flags) == is_flagged


@pytest.mark.parametrize(
    ("instance", "level", "is_flagged"),
    [
        (7, 23, True),  # behind L4
        (107, 23, True),  # behind the disc L4/L5
        (7, 18, False),  # T11: the threshold is one of lumbar canals
        (107, 18, False),
        (107, 5, False),
    ],
)
def test_a_narrow_canal_is_flagged_where_the_threshold_was_published_for(
    instance: int, level: int, *, is_flagged: bool
):
    rows = [row("canal_ap_diameter", 8.0, instance)]
    assert bool(flags_of(rows, {7: LevelName(level, 1.0)})) == is_flagged
    assert flags_of(rows, {})  # running numbers alone: rather one flag too many


def test_every_threshold_lies_inside_the_plausible_range_of_its_measure_and_names_its_source():
    for threshold in THRESHOLDS:
        about = MEASURES[threshold.measure]
        for limit in (threshold.below, threshold.from_on):
            assert limit is None or about.low < limit <= about.high
        assert threshold.source
