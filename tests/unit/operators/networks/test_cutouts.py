from __future__ import annotations

import numpy as np
import pytest

from operators.errors import SegmentationError
from operators.networks.cutouts import cut, input_classes, move_onto_structure, place
from operators.networks.inference_config import DEFAULT_MAPPING


def test_the_14_structures_become_nine_classes_and_background():
    labels = np.array([[[0, 26, 41, 42, 48, 49, 50, 51, 60, 61, 62, 100]]], dtype=np.uint16)

    classes = input_classes(labels, DEFAULT_MAPPING)

    assert classes.dtype == np.uint8
    assert classes.tolist() == [[[0, 0, 1, 2, 8, 9, 9, 9, 0, 0, 0, 0]]]


def test_a_label_beyond_the_mapping_is_background():
    labels = np.array([[[300]]], dtype=np.uint16)

    assert input_classes(labels, {49: 9}).tolist() == [[[0]]]


def test_a_centre_on_a_structure_stays():
    classes = np.ones((4, 30, 6), dtype=np.uint8)

    assert move_onto_structure(classes, (1.7, 2.2, 3.9)) == (1.7, 2.2, 3.9)


def test_a_centre_on_background_moves_inferiorly_in_steps_of_5():
    classes = np.zeros((4, 30, 6), dtype=np.uint8)
    classes[1, 11:, 3] = 9

    assert move_onto_structure(classes, (1.7, 2.6, 3.9)) == (1.7, 12.6, 3.9)


def test_a_centre_with_no_structure_below_stays():
    classes = np.zeros((4, 30, 6), dtype=np.uint8)
    classes[1, 3, 3] = 9  # above the centre, and between two steps

    assert move_onto_structure(classes, (1.0, 8.0, 3.0)) == (1.0, 8.0, 3.0)


def test_a_centre_outside_the_map_is_refused_by_name():
    with pytest.raises(SegmentationError) as caught:
        move_onto_structure(np.zeros((4, 30, 6), dtype=np.uint8), (4.0, 0.0, 0.0))

    assert caught.value.reasons == ("centre_outside_map",)


def test_a_cutout_reaches_from_half_its_size_before_the_truncated_centre():
    classes = np.arange(6 * 8 * 10, dtype=np.uint16).reshape(6, 8, 10) % 251

    cutout = cut(classes.astype(np.uint8), (3.9, 4.9, 5.9), (4, 4, 6))

    assert cutout.start_zyx == (1, 2, 2)
    assert np.array_equal(cutout.classes_zyx, classes[1:5, 2:6, 2:8])


def test_a_cutout_beyond_the_border_is_padded_with_zeros():
    classes = np.full((6, 6, 6), 7, dtype=np.uint8)

    cutout = cut(classes, (0.0, 3.0, 5.0), (8, 8, 8))

    assert cutout.start_zyx == (-4, -1, 1)
    expected = np.zeros((8, 8, 8), dtype=np.uint8)
    expected[4:8, 1:7, 0:5] = 7
    assert np.array_equal(cutout.classes_zyx, expected)


def test_answers_land_where_the_cutout_was_taken_and_padding_is_dropped():
    classes = np.ones((6, 6, 6), dtype=np.uint8)
    cutout = cut(classes, (1.0, 3.0, 3.0), (8, 8, 8))
    answer = np.zeros((8, 8, 8), dtype=np.uint8)
    answer[:4, 0, 0] = 1  # index 0 along j and i is padding
    answer[4:6, 2:4, 2:5] = 2

    above, own, below = place(answer, cutout)

    assert above is None
    assert below is None
    assert own.box == (slice(1, 3), slice(1, 3), slice(1, 4))
    assert own.mask_zyx.all()
    assert own.mask_zyx.shape == (2, 2, 3)


def test_a_mask_is_stored_in_its_smallest_box():
    cutout = cut(np.ones((9, 9, 9), dtype=np.uint8), (4.0, 4.0, 4.0), (8, 8, 8))
    answer = np.zeros((8, 8, 8), dtype=np.uint8)
    answer[1, 2, 3] = answer[5, 2, 4] = 3

    _, _, below = place(answer, cutout)

    assert below.box == (slice(1, 6), slice(2, 3), slice(3, 5))
    assert below.mask_zyx.sum() == 2
