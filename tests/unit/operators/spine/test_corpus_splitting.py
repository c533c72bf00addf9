"""One centre per vertebral body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.errors import NoSpineFoundError
from operators.spine.corpus_splitting import find_corpus_centres
from tests.builders.spine_phantom import LEVEL, TOP, body_rows, pir_map, spine_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

ERODED = 16 * 12 * 16
"""Voxels of a 20 x 16 x 20 body less 2 on every side."""


def centres_in(parts: NDArray[np.unsignedinteger]):
    return find_corpus_centres(pir_map(parts), smallest_body_voxels=100)


def centre_of_level(level: int):
    return (15.5, TOP + level * LEVEL + 7.5, 13.5)


def fused(waist: int):
    """Six bodies; the third and the fourth are joined through their disc."""
    parts = spine_of(6).parts
    low, gap = 15 - waist // 2, slice(body_rows(2).stop, body_rows(3).start)
    parts[low : low + waist, gap, 14 - waist // 2 : 14 - waist // 2 + waist] = Structure.CORPUS
    return parts


def test_five_bodies_have_five_centres_lowest_first():
    found = centres_in(spine_of(5).parts)
    assert found.centres_zyx == tuple(centre_of_level(level) for level in (4, 3, 2, 1, 0))
    assert found.warnings == ()


def test_bodies_joined_by_a_4_voxel_bridge_part_by_erosion_alone():
    assert len(centres_in(fused(4)).centres_zyx) == 6


def test_bodies_joined_by_a_10_voxel_waist_are_divided_half_way():
    heights = [centre[1] for centre in centres_in(fused(10)).centres_zyx]
    bridge = 6 * 6 * 6  # half of the eroded waist: 6 x 6 voxels, 6 rows
    shift = bridge * 9.0 / (ERODED + bridge)
    expected = [TOP + level * LEVEL + 7.5 for level in (5, 4, 3, 2, 1, 0)]
    expected[2] -= shift
    expected[3] += shift
    assert heights == pytest.approx(expected, abs=0.25)  # the plane is right to a voxel


def test_bodies_joined_over_their_whole_face_give_a_named_warning():
    parts = fused(20)
    parts[6:26, body_rows(2).stop : body_rows(3).start, 1:4] = Structure.DISC
    found = centres_in(parts)
    assert len(found.centres_zyx) == 5
    assert found.warnings == ("merged_vertebral_bodies_not_separated: no_waist",)


def test_without_discs_nothing_is_divided():
    parts = fused(10)
    parts[(parts == Structure.DISC) | (parts == Structure.ENDPLATE)] = 0
    assert len(centres_in(parts).centres_zyx) == 5


def test_with_three_bodies_no_mean_size_is_trusted():
    parts = spine_of(3).parts
    parts[10:20, body_rows(0).stop : body_rows(1).start, 9:19] = Structure.CORPUS
    assert len(centres_in(parts).centres_zyx) == 2


def test_two_halves_side_by_side_stay_two_centres_and_divide_nothing():
    parts = spine_of(5).parts
    parts[15:17, body_rows(2), 4:24] = 0
    heights = sorted(centre[1] for centre in centres_in(parts).centres_zyx)
    assert heights.count(centre_of_level(2)[1]) == 2
    assert len(heights) == 6


def test_eroded_bodies_below_100_voxels_are_ignored():
    parts = spine_of(3).parts
    parts[:, body_rows(1), :][parts[:, body_rows(1), :] == Structure.CORPUS] = 0
    parts[10:18, body_rows(1).start : body_rows(1).start + 8, 10:18] = Structure.CORPUS  # 4^3 left
    assert len(centres_in(parts).centres_zyx) == 2


def test_the_dens_takes_its_place_by_height_above_all_bodies():
    parts = spine_of(3).parts
    parts[parts == Structure.CORPUS] = Structure.CORPUS_DENSE
    parts[14:18, 0:4, 12:16] = Structure.DENS
    centres = centres_in(parts).centres_zyx
    assert centres[-1] == (15.5, 1.5, 13.5)
    assert centres[:3] == tuple(centre_of_level(level) for level in (2, 1, 0))


@pytest.mark.parametrize("label", [0, Structure.DISC])
def test_no_body_is_no_spine(label: int):
    parts = np.full((8, 8, 8), label, np.uint8)
    with pytest.raises(NoSpineFoundError) as caught:
        centres_in(parts)
    assert caught.value.reasons == ("no_vertebral_body",)
