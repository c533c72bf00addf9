from __future__ import annotations

from app.node.intake.survey import survey
from app.node.journal.facts import ArrivalFacts
from tests.builders.arrival_facts import series_facts, slice_facts


def counts(facts: list[ArrivalFacts]):
    return [(count.source, count.expected, count.present) for count in survey(facts).counts]


def test_headers_without_counts_announce_nothing():
    assert counts(series_facts(15)) == []
    assert survey([]).objects == 0
    assert counts([]) == []


def test_images_in_acquisition_are_summed_over_acquisitions():
    first = series_facts(8, images_in_acquisition=8)
    second = series_facts(3, images_in_acquisition=8, acquisition_number=2)
    assert counts([*first, *second]) == [("images_in_acquisition", 16, 11)]


def test_images_in_acquisition_that_only_some_objects_have_announce_nothing():
    first = series_facts(8, images_in_acquisition=8)
    assert counts([*first, *series_facts(3, acquisition_number=2)]) == []
    assert counts([slice_facts(0, images_in_acquisition=8), slice_facts(1)]) == []


def test_a_number_below_what_is_here_counts_something_else():
    assert counts(series_facts(15, images_in_acquisition=3)) == []


def test_number_of_slices_counts_places_and_not_the_objects_of_two_echoes():
    second = series_facts(11, echo_time=20.0, number_of_slices=11)
    facts = [*series_facts(11, number_of_slices=11), *second]
    assert counts(facts) == [("number_of_slices", 11, 11)]


def test_series_instances_count_objects():
    assert counts(series_facts(7, series_instances=15)) == [("series_instances", 15, 7)]


def test_one_enhanced_object_with_15_frames_holds_its_stack():
    whole = slice_facts(0, is_enhanced=True, number_of_frames=15, image_position=None)
    assert counts([whole]) == [("enhanced", 1, 1)]


def test_a_part_of_a_concatenation_holds_no_whole_stack():
    part = slice_facts(
        0, is_enhanced=True, number_of_frames=15, is_concatenated=True, image_position=None
    )
    assert counts([part]) == []
