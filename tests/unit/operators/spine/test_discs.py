"""Discs and endplates carry the number of the vertebra above."""

from __future__ import annotations

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.anatomy.vertebrae import number_above
from operators.spine.discs import body_heights, number_discs, number_endplates
from tests.builders.spine_phantom import (
    DISC_VOXELS,
    LEVEL,
    PLATE_VOXELS,
    TOP,
    Spine,
    body_rows,
    spine_of,
)


def numbered(spine: Spine, numbers: tuple[int, ...]):
    """The spine with other vertebra numbers, topmost first."""
    table = np.array([0, *numbers], np.uint16)
    return spine.parts, table[spine.vertebrae]


def test_heights_run_from_top_to_bottom_whatever_the_numbers():
    parts, vertebrae = numbered(spine_of(3), [19, 28, 20])
    heights = body_heights(parts, vertebrae)
    assert list(heights) == [19, 28, 20]
    assert list(heights.values()) == [TOP + level * LEVEL + 7.5 for level in range(3)]


def test_each_disc_belongs_to_the_vertebra_above_it():
    parts, vertebrae = numbered(spine_of(4), [2, 3, 4, 5])
    assert number_discs(parts, vertebrae, body_heights(parts, vertebrae)) == ()
    for number in (102, 103, 104):
        assert (vertebrae == number).sum() == DISC_VOXELS


def test_both_plates_beside_a_disc_carry_its_vertebra():
    parts, vertebrae = numbered(spine_of(3), [2, 3, 4])
    number_endplates(parts, vertebrae, body_heights(parts, vertebrae))
    assert (vertebrae == 202).sum() == 2 * PLATE_VOXELS
    assert (vertebrae == 203).sum() == 2 * PLATE_VOXELS


def test_t13_lies_between_t12_and_l1():
    parts, vertebrae = numbered(spine_of(4), [19, 28, 20, 21])
    number_discs(parts, vertebrae, body_heights(parts, vertebrae))
    for level, number in enumerate((119, 128, 120)):
        assert (vertebrae[10, body_rows(level).stop + 3, 10]) == number


@pytest.mark.parametrize(("top", "expected"), [(2, 101), (20, 119), (28, 119), (8, 107), (1, 0)])
def test_a_disc_above_the_topmost_body_gets_the_number_before_it(top: int, expected: int):
    parts, vertebrae = numbered(spine_of(1), [top])
    parts[6:26, 0:3, 4:24] = Structure.DISC
    warnings = number_discs(parts, vertebrae, body_heights(parts, vertebrae))
    assert vertebrae[10, 1, 10] == expected
    assert warnings == (() if expected else ("disc_without_vertebra: 1",))


def test_a_plate_above_the_topmost_body_gets_that_bodys_number():
    parts, vertebrae = numbered(spine_of(2), [5, 6])
    parts[6:26, TOP - 1, 4:24] = Structure.ENDPLATE
    number_endplates(parts, vertebrae, body_heights(parts, vertebrae))
    assert vertebrae[10, TOP - 1, 10] == 205


def test_a_sacrum_never_owns_the_disc_above_the_topmost_vertebra():
    spine = spine_of(2, sacrum=True)
    parts, vertebrae = numbered(spine, [2, 3])
    vertebrae[parts == Structure.SACRUM] = 26
    parts[6:26, 0:3, 4:24] = Structure.DISC
    number_discs(parts, vertebrae, body_heights(parts, vertebrae))
    assert vertebrae[10, 1, 10] == 101
    assert 126 not in vertebrae


def test_a_vertebra_without_body_gets_no_height():
    parts, vertebrae = numbered(spine_of(3), [2, 3, 4])
    parts[(vertebrae == 3) & (parts == Structure.CORPUS)] = Structure.ARCUS
    heights = body_heights(parts, vertebrae)
    assert list(heights) == [2, 4]
    warnings = number_discs(parts, vertebrae, heights)
    assert warnings == ("disc_in_parts: 102 (2)",)


def test_a_topmost_vertebra_cut_to_its_arch_still_owns_the_plate_below_it():
    parts, vertebrae = numbered(spine_of(2), [2, 3])
    parts[(vertebrae == 2) & (parts == Structure.CORPUS)] = Structure.ARCUS
    number_endplates(parts, vertebrae, body_heights(parts, vertebrae))
    assert vertebrae[10, body_rows(0).stop, 10] == 202


def test_without_any_body_discs_stay_without_number():
    parts = np.zeros((4, 8, 8), np.uint8)
    parts[1:3, 1:3, 1:3] = Structure.DISC
    vertebrae = np.zeros(parts.shape, np.uint16)
    assert number_discs(parts, vertebrae, {}) == ("disc_without_vertebra: 1",)
    number_endplates(parts, vertebrae, {})
    assert not vertebrae.any()


def test_the_vertebra_above_l1_is_t12():
    assert [number_above(n) for n in (2, 20, 28, 25)] == [1, 19, 19, 24]
