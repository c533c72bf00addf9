from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.node.intake.coverage import cover
from tests.builders.arrival_facts import STEP_MM, series_facts, slice_facts


def test_fifteen_slices_at_regular_places_have_no_gap():
    coverage = cover(series_facts(15))
    assert (coverage.places, coverage.missing, coverage.missing_mm) == (15, 0, ())
    assert coverage.places_mm == tuple(round(STEP_MM * n, 2) for n in range(15))


@pytest.mark.parametrize("lost", range(1, 14))
def test_each_single_missing_inner_slice_of_15_is_named_with_its_place(lost: int):
    facts = [fact for number, fact in enumerate(series_facts(15)) if number != lost]
    coverage = cover(facts)
    assert coverage.missing == 1
    assert coverage.missing_mm == pytest.approx((STEP_MM * lost,), abs=0.01)


@given(
    st.integers(4, 40).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), min_size=3))
    ),
    st.randoms(use_true_random=False),
)
def test_missing_is_the_hull_less_what_is_here_where_two_neighbours_are_here(
    case: tuple[int, set[int]], order: random.Random
):
    slices, here = case
    ordered = sorted(here)
    steps = [second - first for first, second in pairwise(ordered)]
    facts = [fact for number, fact in enumerate(series_facts(slices)) if number in here]
    order.shuffle(facts)
    assume(min(steps) == 1)
    assert cover(facts).missing == ordered[-1] - ordered[0] + 1 - len(here)


def test_places_rounded_to_a_hundredth_of_a_millimetre_are_no_gap():
    facts = [slice_facts(n, image_position=(round(-3.3333 * n, 2), 0.0, 0.0)) for n in range(60)]
    assert cover(facts).missing == 0


def test_an_irregular_distance_of_1_6_steps_is_no_proof_that_a_slice_is_missing():
    facts = [slice_facts(n, image_position=(-x, 0.0, 0.0)) for n, x in enumerate((0, 4, 8, 14.4))]
    assert cover(facts).missing == 0


def test_three_orientations_of_a_localizer_are_not_compared_with_each_other():
    axial = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    facts = [
        *series_facts(3),
        *(
            slice_facts(n, image_orientation=axial, image_position=(0.0, 0.0, 9.0 * n))
            for n in range(3)
        ),
    ]
    coverage = cover(facts)
    assert (coverage.places, coverage.missing) == (6, 0)


def test_second_echo_with_7_of_11_slices_lacks_4_images():
    second = [slice_facts(n, echo_time=20.0, echo_number=2) for n in range(7)]
    coverage = cover([*series_facts(11), *second])
    assert (coverage.places, coverage.missing, coverage.lacking) == (11, 0, 4)


def test_echo_times_that_vary_by_1_percent_from_slice_to_slice_are_one_echo():
    facts = [slice_facts(n, echo_time=100 + n % 2) for n in range(11)]
    assert cover([*facts, *facts[:4]]).lacking == 0


def test_second_time_point_that_has_only_begun_lacks_its_other_slices():
    first = series_facts(11, temporal_position=1)
    assert cover([*first, slice_facts(0, temporal_position=2)]).lacking == 10


def test_repeats_that_nothing_tells_apart_say_nothing():
    assert cover([*series_facts(11), *series_facts(4)]).lacking == 0


def test_where_some_repeats_are_not_told_apart_no_contrast_lacks_anything():
    facts = [*series_facts(11), *series_facts(11), slice_facts(0, echo_time=20.0)]
    assert cover(facts).lacking == 0


def test_objects_without_a_place_are_passed_over():
    coverage = cover([slice_facts(0, image_position=None)])
    assert (coverage.places, coverage.missing, coverage.places_mm) == (0, 0, ())


@pytest.mark.parametrize("aside_mm", [0.0, 1.1, 2.2])
def test_two_stations_are_covered_each_for_itself(aside_mm: float):
    upper = [
        replace(fact, image_position=(fact.image_position[0] + aside_mm, -120.0, 450.0))
        for fact in series_facts(12)
    ]
    whole = cover([*series_facts(15), *upper])
    assert (whole.places, whole.missing, whole.lacking) == (27, 0, 0)
    gap = cover([*series_facts(15), *upper[:4], *upper[5:]])
    assert (gap.places, gap.missing) == (26, 1)
