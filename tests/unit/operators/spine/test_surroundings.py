"""What lies beside a part is found at the right distance, in every direction, on any grid."""

from __future__ import annotations

import numpy as np
import pytest

from operators.spine.surroundings import Look, first_met

SPACING = (3.0, 1.0, 1.0)


def block() -> tuple[np.ndarray, np.ndarray]:
    """A part of 2 x 4 x 5 voxels in the middle of an empty map."""
    labels, own = np.zeros((8, 20, 20), np.uint8), np.zeros((8, 20, 20), bool)
    own[3:5, 8:12, 7:12] = True
    labels[own] = 49
    return labels, own


def towards(*direction: float) -> np.ndarray:
    return np.array(direction) / np.linalg.norm(direction)


@pytest.mark.parametrize(
    ("direction", "wall", "face"),
    [
        ((0, 1, 0), np.s_[:, 14], 2 * 5),
        ((0, -1, 0), np.s_[:, 5], 2 * 5),
        ((0, 0, 1), np.s_[:, :, 14], 2 * 4),
        ((1, 0, 0), np.s_[5], 4 * 5),
    ],
)
def test_every_voxel_of_the_face_meets_a_wall_three_mm_away(
    direction: tuple[int, int, int], wall: tuple[slice, ...], face: int
) -> None:
    labels, own = block()
    labels[wall] = 26
    met = first_met(labels, own, Look(towards(*direction), 3.0, (26,)), SPACING)
    assert met.tolist() == [26] * face
    nearer = first_met(labels, own, Look(towards(*direction), 1.9, (26,)), SPACING)
    assert nearer.tolist() == [0 if direction[0] == 0 else 26] * face  # one voxel is 3 mm there


def test_the_first_of_two_is_met_and_what_is_not_looked_for_is_looked_through() -> None:
    labels, own = block()
    labels[:, 13], labels[:, 14], labels[:, 15] = 61, 100, 26
    both = first_met(labels, own, Look(towards(0, 1, 0), 5.0, (26, 100)), SPACING)
    assert set(both.tolist()) == {100}
    sacrum = first_met(labels, own, Look(towards(0, 1, 0), 5.0, (26,)), SPACING)
    assert set(sacrum.tolist()) == {26}


def test_a_slanting_look_goes_along_the_slant() -> None:
    labels, own = block()
    slanting = Look(towards(0, 1, 1), 4.2, (26,))  # three voxels down and three back
    labels[:, 14, 15:] = 26
    assert set(first_met(labels, own, slanting, SPACING).tolist()) == {0}
    labels[:, 14, 14] = 26  # from the corner (11, 11)
    assert np.count_nonzero(first_met(labels, own, slanting, SPACING)) == 2


def test_the_edge_of_the_image_and_the_part_itself_are_nothing() -> None:
    labels, own = block()
    own[:, 18:] = True
    labels[own] = 49
    met = first_met(labels, own, Look(towards(0, 1, 0), 30.0, (49,)), SPACING)
    assert set(met.tolist()) == {0}


def test_an_empty_part_has_no_face() -> None:
    labels, own = block()
    met = first_met(labels, np.zeros_like(own), Look(towards(0, 1, 0), 3.0, (49,)), SPACING)
    assert met.size == 0
