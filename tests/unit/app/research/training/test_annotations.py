"""What annotators' numbers mean, and which masks belong to no image."""

from __future__ import annotations

import numpy as np
import pytest

from app.research.training.annotations import (
    count_from_top,
    is_annotated,
    known_labels,
    require_inside,
    require_numbered,
    require_structures,
    spider_labels,
)
from app.research.training.supervision import OUTSIDE, SOME_CANAL, SOME_VERTEBRA, UNKNOWN
from operators.errors import UnreadableInputError
from operators.imaging.volume import LabelMap


def test_spiders_numbers_become_discs_and_sets() -> None:
    mask = np.array([0, 1, 25, 26, 100, 101, 125, 201, 225, 300])
    some = SOME_VERTEBRA
    assert spider_labels(mask).tolist() == [
        *(OUTSIDE, some, some, UNKNOWN, SOME_CANAL),
        *(some, some, 100, 100, UNKNOWN),
    ]


def test_numbers_outside_of_the_scheme_are_unknown() -> None:
    assert known_labels(np.array([0, 26, 49, 53, 62, 100, 7, 254])).tolist() == [
        *(0, 26, 49, 53, 62, 100, UNKNOWN, UNKNOWN),
    ]


def test_t13_is_counted_by_its_height_and_the_sacrum_not_at_all() -> None:
    column = np.array([19, 28, 20, 21, 26])[None, :, None]
    assert count_from_top(column).ravel().tolist() == [1, 2, 3, 4, 0]


def test_background_and_unknown_say_nothing_and_a_set_of_labels_does() -> None:
    labels = np.array([0, UNKNOWN, OUTSIDE, SOME_CANAL, 49])
    assert is_annotated(labels).tolist() == [False, False, False, True, True]


def test_a_mask_may_lose_a_fifth_of_its_volume_to_the_image_and_no_more() -> None:
    drawn = LabelMap(np.full((1, 1, 10), 49, np.uint8), np.eye(4))
    coarse = np.diag([1.0, 1.0, 2.0, 1.0])
    require_inside(drawn, LabelMap(np.full((1, 1, 4), 49, np.uint8), coarse))  # 8 of 10 mm3
    with pytest.raises(UnreadableInputError, match="only 60%") as raised:
        require_inside(drawn, LabelMap(np.full((1, 1, 3), 49, np.uint8), coarse))
    assert raised.value.reasons == ("mask_elsewhere",)


def test_8_of_10_body_voxels_need_a_number_and_other_parts_none() -> None:
    labels = np.array([49] * 10 + [41] * 10)
    numbers = np.array([1] * 8 + [0] * 12)
    require_numbered(labels, numbers)
    numbers[0] = 0
    with pytest.raises(UnreadableInputError) as raised:
        require_numbered(labels, numbers)
    assert raised.value.reasons == ("numbers_elsewhere",)


def test_vertebra_numbers_in_the_place_of_structures_are_refused() -> None:
    for structures in ([0, 26, 49, 100], [0, 100], [0, 49, 7], [0, 26]):
        require_structures(np.array(structures))
    for numbers in ([0, 20, 26], [0, 120], [0, 28, 128, 226]):
        with pytest.raises(UnreadableInputError, match="swapped") as raised:
            require_structures(np.array(numbers))
        assert raised.value.reasons == ("other_kind",)
