"""Crumbs, islands and holes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.imaging.nifti import read_label_map
from operators.imaging.orientation import reorient
from operators.spine.semantic_cleanup import clean_semantic
from tests.builders.spine_phantom import BODY_VOXELS, pir_map, spine_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def cleaned(parts: NDArray[np.unsignedinteger]):
    return clean_semantic(pir_map(parts)).labels_zyx


def test_a_clean_spine_stays_as_it_is():
    spine = spine_of(4, sacrum=True)
    assert np.array_equal(cleaned(spine.parts), spine.parts)


@pytest.mark.parametrize(("voxels", "stays"), [(7, False), (8, True)])
def test_a_piece_of_arch_stays_from_8_voxels_of_1_5_mm_on(voxels: int, *, stays: bool):
    parts = spine_of(3).parts
    parts[30, 30, 40 : 40 + voxels] = Structure.ARCUS
    assert (cleaned(parts)[30, 30, 40] == Structure.ARCUS) is np.bool_(stays)


@pytest.mark.parametrize("label", [Structure.CORD, Structure.ENDPLATE, Structure.SACRUM])
def test_single_voxels_of_thin_structures_stay(label: int):
    parts = spine_of(3).parts
    parts[30, 30, 40] = label
    assert cleaned(parts)[30, 30, 40] == label


def test_edge_contact_does_not_save_a_crumb():
    parts = spine_of(3).parts
    parts[26, 2, 24:28] = Structure.CORPUS  # touches the first body nowhere by a face
    assert not (cleaned(parts)[26, 2] == Structure.CORPUS).any()


def island(gap_voxels: int):
    """A 4 x 8 x 8 block in front of the spine's box, so many free voxels away."""
    parts = np.zeros((40, 60, 90), np.uint8)
    parts[4:36, 0:60, 50:80] = Structure.CORPUS
    parts[10:14, 20:28, 50 - gap_voxels - 8 : 50 - gap_voxels] = Structure.DISC
    return parts


@pytest.mark.parametrize(("gap", "stays"), [(4, True), (5, False)])
def test_islands_stay_up_to_two_margins_of_2_voxels(gap: int, *, stays: bool):
    assert bool((cleaned(island(gap)) == Structure.DISC).any()) is stays


@pytest.mark.parametrize(("gap", "stays"), [(6, True), (7, False)])
def test_gaps_along_the_spine_may_be_one_margin_wider(gap: int, *, stays: bool):
    parts = np.zeros((20, 90, 20), np.uint8)
    parts[4:16, 0:50, 4:16] = Structure.CORPUS
    parts[4:16, 50 + gap : 60 + gap, 4:16] = Structure.DISC
    assert bool((cleaned(parts) == Structure.DISC).any()) is stays


def test_an_island_reaches_the_spine_over_another_island():
    parts = island(9)
    parts[10:14, 20:28, 45:46] = Structure.DISC
    assert (cleaned(parts) == Structure.DISC).sum() == 4 * 8 * 9


def test_a_hole_in_a_body_is_filled_and_a_notch_is_not():
    parts = spine_of(3).parts
    parts[10:13, 10:13, 10:13] = 0
    parts[6:9, 10:12, 4:6] = 0
    result = cleaned(parts)
    assert (result[10:13, 10:13, 10:13] == Structure.CORPUS).all()
    assert not result[6:9, 10:12, 4:6].any()


def test_a_hole_that_holds_another_structure_keeps_it():
    parts = spine_of(3).parts
    parts[10:14, 10:14, 10:14] = Structure.ARCUS
    assert (cleaned(parts)[10:14, 10:14, 10:14] == Structure.ARCUS).all()


def test_an_empty_map_stays_empty():
    assert not cleaned(np.zeros((4, 4, 4), np.uint8)).any()


@pytest.mark.parametrize("codes", [("L", "P", "S"), ("R", "A", "S"), ("P", "S", "L")])
def test_orientation_makes_no_difference(codes: tuple[str, str, str]):
    parts = spine_of(3).parts
    parts[30, 30, 40:45] = Structure.ARCUS
    parts[10:13, 10:13, 10:13] = 0
    expected = clean_semantic(pir_map(parts))
    turned = clean_semantic(reorient(pir_map(parts), codes))
    assert np.array_equal(reorient(turned, ("P", "I", "R")).labels_zyx, expected.labels_zyx)


def test_an_input_that_fills_its_whole_array_is_not_changed():
    parts = np.full((8, 8, 8), Structure.CORPUS, np.uint8)
    parts[3:5, 3:5, 3:5] = 0
    parts[0, 0, 0] = Structure.ARCUS
    before = parts.copy()
    assert (cleaned(parts) == Structure.CORPUS).sum() == 8**3 - 1
    assert np.array_equal(parts, before)


def test_the_input_is_not_changed():
    parts = spine_of(2).parts
    parts[10:13, 10:13, 10:13] = 0
    before = parts.copy()
    cleaned(parts)
    assert np.array_equal(parts, before)
    assert (before == Structure.CORPUS).sum() == 2 * BODY_VOXELS - 27


@pytest.mark.parametrize("case", ["sample1", "sample3", "clin8"])
def test_cleaning_equals_spineps_voxel_for_voxel(shared_data: Path, case: str):
    stage = shared_data / "data" / "oracle" / "stages" / case
    result = clean_semantic(read_label_map(stage / "c_network.nii.gz"))
    expected = read_label_map(stage / "d_cleaned.nii.gz")
    assert np.array_equal(result.labels_zyx, expected.labels_zyx)
