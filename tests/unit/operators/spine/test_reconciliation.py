"""Semantic map and instances agree with each other."""

from __future__ import annotations

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.spine.reconciliation import (
    adopt_missed_parts,
    reattach_posterior_pieces,
    rejoin_split_top,
    settle_articulars,
)
from tests.builders.spine_phantom import body_rows, spine_of

ISOTROPIC = (1.5, 1.5, 1.5)


def process(label: int, of_first: int, of_second: int, of_none: int = 0):
    """One articular process in a row of voxels, shared out between two vertebrae and nobody."""
    parts = np.zeros((3, 40, 3), np.uint8)
    vertebrae = np.zeros((3, 40, 3), np.uint16)
    total = of_first + of_second + of_none
    parts[1, 1 : 1 + total, 1] = label
    vertebrae[1, 1 : 1 + of_first, 1] = 1
    vertebrae[1, 1 + of_first : 1 + of_first + of_second, 1] = 2
    return parts, vertebrae


@pytest.mark.parametrize("label", [45, 46, 47, 48])
def test_an_articular_process_goes_to_the_vertebra_with_more_than_twice_the_rest(label: int):
    parts, vertebrae = process(label, 9, 4)
    settle_articulars(parts, vertebrae)
    assert (vertebrae == 1).sum() == 13


def test_twice_the_rest_is_not_enough():
    parts, vertebrae = process(45, 8, 4)
    settle_articulars(parts, vertebrae)
    assert ((vertebrae == 1).sum(), (vertebrae == 2).sum()) == (8, 4)


def test_the_arch_is_left_alone():
    parts, vertebrae = process(41, 9, 4)
    settle_articulars(parts, vertebrae)
    assert (vertebrae == 2).sum() == 4


def test_two_processes_are_judged_apart():
    parts, vertebrae = process(45, 9, 4)
    parts[1, 20:30, 1] = 45
    vertebrae[1, 20:30, 1] = 2
    settle_articulars(parts, vertebrae)
    assert ((vertebrae == 1).sum(), (vertebrae == 2).sum()) == (13, 10)


def test_a_process_that_is_mostly_free_ends_at_its_vertebra_never_as_background():
    parts, vertebrae = process(45, 2, 0, 10)
    claims = vertebrae.copy()
    settle_articulars(parts, vertebrae)
    assert adopt_missed_parts(parts, vertebrae, claims) == ()
    assert (vertebrae == 1).sum() == 12
    assert (parts == 45).sum() == 12


def test_instances_are_cut_to_vertebra_labels():
    spine = spine_of(3)
    parts, vertebrae = spine.parts, spine.vertebrae
    vertebrae[(parts == Structure.DISC)] = 2
    adopt_missed_parts(parts, vertebrae, vertebrae.copy())
    assert np.array_equal(vertebrae, spine.vertebrae)


def test_2_missing_voxels_all_around_grow_back():
    spine = spine_of(3)
    parts, vertebrae = spine.parts, spine.vertebrae
    vertebrae[(parts == Structure.CORPUS)] = 0
    for level in range(3):
        rows = body_rows(level)
        vertebrae[8:24, rows.start + 2 : rows.stop - 2, 6:22] = level + 1
    adopt_missed_parts(parts, vertebrae, vertebrae.copy())
    assert np.array_equal(vertebrae, spine.vertebrae)


def test_a_missed_piece_goes_to_the_vertebra_with_most_voxels_around_it():
    parts = np.zeros((3, 30, 12), np.uint8)
    vertebrae = np.zeros(parts.shape, np.uint16)
    parts[1, 2:28, 5] = Structure.ARCUS
    vertebrae[1, 2:6, 5], vertebrae[1, 22:28, 5] = 1, 2
    parts[1, 19:26, 6] = Structure.ARCUS
    vertebrae[1, 21:26, 6] = 2
    adopt_missed_parts(parts, vertebrae, vertebrae.copy())
    # 2 voxels grow from each side; the rest (8..19) sees 1 voxel of vertebra 1, 3 of vertebra 2.
    assert (vertebrae[1, 2:8, 5] == 1).all()
    assert (vertebrae[1, 8:28, 5] == 2).all()


def test_a_tie_goes_to_the_upper_vertebra():
    parts = np.zeros((3, 30, 3), np.uint8)
    vertebrae = np.zeros(parts.shape, np.uint16)
    parts[1, 2:28, 1] = Structure.ARCUS
    vertebrae[1, 2:6, 1], vertebrae[1, 24:28, 1] = 1, 2
    adopt_missed_parts(parts, vertebrae, vertebrae.copy())
    assert (vertebrae[1, 8:22, 1] == 1).all()


def test_a_piece_with_nothing_around_it_is_deleted_and_counted():
    spine = spine_of(3)
    parts, vertebrae = spine.parts, spine.vertebrae
    parts[30, 30:34, 52] = Structure.SPINOUS_PROCESS
    warnings = adopt_missed_parts(parts, vertebrae, vertebrae.copy())
    assert warnings == ("vertebra_fragments_deleted: 1",)
    assert np.array_equal(parts, spine.parts)


def split_top(faces: int):
    """A small topmost instance that shares so many voxel faces with the next vertebra."""
    parts = np.zeros((10, 40, 20), np.uint8)
    vertebrae = np.zeros(parts.shape, np.uint16)
    parts[1:9, 10:20, 1:11], vertebrae[1:9, 10:20, 1:11] = Structure.CORPUS, 2
    parts[1:2, 8:10, 1 : 1 + faces], vertebrae[1:2, 8:10, 1 : 1 + faces] = Structure.CORPUS, 1
    parts[1:9, 22:25, 1:11] = Structure.DISC
    return parts, vertebrae


@pytest.mark.parametrize(("faces", "joined"), [(8, False), (9, True)])
def test_a_split_top_is_joined_above_8_faces_of_1_5_mm(faces: int, *, joined: bool):
    parts, vertebrae = split_top(faces)
    warnings = rejoin_split_top(parts, vertebrae, ISOTROPIC)
    assert (warnings == ("split_topmost_vertebra_joined: 1",)) is joined
    assert (1 in vertebrae) is not joined


def test_a_disc_between_keeps_the_top_two_apart():
    parts, vertebrae = split_top(10)
    parts[5:9, 7:10, 15:19] = Structure.DISC
    assert rejoin_split_top(parts, vertebrae, ISOTROPIC) == ()


def test_a_top_of_half_the_volume_is_a_vertebra_of_its_own():
    parts, vertebrae = split_top(10)
    parts[1:9, 5:10, 1:11], vertebrae[1:9, 5:10, 1:11] = Structure.CORPUS, 1
    assert rejoin_split_top(parts, vertebrae, ISOTROPIC) == ()


@pytest.mark.parametrize(
    ("left", "right", "joined"), [(2, 2, False), (2, 1, True), (2, 0, True), (0, 0, True)]
)
def test_an_atlas_with_both_its_processes_is_no_piece_of_the_axis(
    left: int, right: int, *, joined: bool
):
    parts, vertebrae = split_top(10)
    for side, rows, own in (
        (Structure.COSTAL_PROCESS_LEFT, slice(12, 14), left),
        (Structure.COSTAL_PROCESS_RIGHT, slice(15, 17), right),
    ):
        parts[8, 20, rows], vertebrae[8, 20, rows] = side, 2
        parts[7, 20, rows], vertebrae[7, 20, rows] = side, 2
        parts[6, 20, rows], vertebrae[6, 20, rows] = side, 2  # six voxels of the second's
        at = slice(rows.start, rows.start + own)
        parts[1, 6, at], vertebrae[1, 6, at] = side, 1
    assert bool(rejoin_split_top(parts, vertebrae, ISOTROPIC)) is joined


@pytest.mark.parametrize(("body", "of_atlas"), [(39, 0), (40, 40)])
def test_the_dens_that_an_atlas_holds_goes_to_the_axis_but_no_whole_body_does(
    body: int, of_atlas: int
):
    parts, vertebrae = np.zeros((10, 40, 20), np.uint8), np.zeros((10, 40, 20), np.uint16)
    parts[2:6, 10:20, 2:4], vertebrae[2:6, 10:20, 2:4] = Structure.CORPUS, 2  # 80 voxels
    parts[1:9, 22:25, 1:11] = Structure.DISC
    for side, k in ((Structure.COSTAL_PROCESS_LEFT, 1), (Structure.COSTAL_PROCESS_RIGHT, 8)):
        parts[k, 5:8, 12:16], vertebrae[k, 5:8, 12:16] = side, 1
        parts[k, 14:17, 12:16], vertebrae[k, 14:17, 12:16] = side, 2
    dens = np.zeros(parts.shape, bool)
    dens[2:6, 5:10, 2:4].flat[:body] = True
    parts[dens], vertebrae[dens] = Structure.CORPUS, 1
    assert rejoin_split_top(parts, vertebrae, ISOTROPIC) == ()
    assert np.count_nonzero(vertebrae[dens] == 1) == of_atlas
    assert np.count_nonzero((vertebrae == 1) & (parts != Structure.CORPUS)) == 24


def test_without_discs_nothing_is_joined():
    parts, vertebrae = split_top(10)
    parts[parts == Structure.DISC] = 0
    assert rejoin_split_top(parts, vertebrae, ISOTROPIC) == ()


def test_a_loose_piece_of_arch_goes_to_its_only_neighbour():
    spine = spine_of(3)
    parts, vertebrae = spine.parts, spine.vertebrae
    tip = (slice(14, 18), slice(body_rows(1).start + 6, body_rows(1).start + 12), slice(45, 50))
    vertebrae[tip] = 1
    reattach_posterior_pieces(parts, vertebrae)
    assert np.array_equal(vertebrae, spine.vertebrae)


def test_a_loose_piece_with_articular_voxels_stays():
    spine = spine_of(3)
    parts, vertebrae = spine.parts, spine.vertebrae
    tip = (slice(14, 18), slice(body_rows(1).start + 6, body_rows(1).start + 12), slice(45, 50))
    vertebrae[tip] = 1
    parts[14, body_rows(1).start + 6, 45] = Structure.SUPERIOR_ARTICULAR_LEFT
    reattach_posterior_pieces(parts, vertebrae)
    assert (vertebrae[tip] == 1).all()
