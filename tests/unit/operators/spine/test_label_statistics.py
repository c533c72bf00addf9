"""Sizes, centres and boxes of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from operators.spine.label_statistics import (
    boxes_of,
    centres_of,
    from_the_top,
    is_one_of,
    mapped,
    voxel_counts,
    widened,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL_MAPS = hnp.arrays(np.uint16, (3, 4, 5), elements=st.integers(0, 9))


def two_boxes():
    labels = np.zeros((6, 10, 8), np.uint16)
    labels[1:3, 2:5, 1:2] = 7
    labels[4:5, 8:10, 2:6] = 3
    return labels


def test_two_boxes_have_6_and_8_voxels():
    assert voxel_counts(two_boxes()) == {3: 8, 7: 6}


def test_the_centre_of_a_box_is_its_middle():
    assert centres_of(two_boxes()) == {3: (4.0, 8.5, 3.5), 7: (1.5, 3.0, 1.0)}


def test_boxes_are_tight():
    assert boxes_of(two_boxes())[7] == (slice(1, 3), slice(2, 5), slice(1, 2))


def test_a_margin_ends_at_the_edge_of_the_array():
    box = (slice(1, 3), slice(2, 5), slice(1, 2))
    assert widened(box, 2, (6, 10, 8)) == (slice(0, 5), slice(0, 7), slice(0, 4))


def test_the_smaller_inferior_index_is_on_top():
    assert from_the_top(centres_of(two_boxes())) == [7, 3]


def test_an_empty_map_has_nothing():
    nothing = np.zeros((2, 2, 2), np.uint16)
    assert (voxel_counts(nothing), centres_of(nothing), boxes_of(nothing)) == ({}, {}, {})


@settings(max_examples=40, deadline=None)
@given(SMALL_MAPS, st.permutations(range(1, 10)))
def test_relabelling_there_and_back_changes_nothing(labels: NDArray[np.uint16], order: list[int]):
    there = dict(enumerate(order, start=1))
    back = {new: old for old, new in there.items()}
    assert np.array_equal(mapped(mapped(labels, there), back), labels)


@settings(max_examples=40, deadline=None)
@given(SMALL_MAPS, st.sets(st.integers(1, 12), min_size=1))
def test_membership_equals_numpys(labels: NDArray[np.uint16], wanted: set[int]):
    assert np.array_equal(is_one_of(labels, sorted(wanted)), np.isin(labels, sorted(wanted)))
