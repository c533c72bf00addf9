import numpy as np
import pytest

from operators.imaging.components import components, fill_holes, parts_of_labels


def three_parts():
    mask = np.zeros((4, 6, 8), np.uint8)
    mask[0, 0, 0] = 5
    mask[1, 1, 1] = 9  # touches the first by a corner only
    mask[2:4, 3:6, 4:8] = 1
    return mask


def test_corner_neighbours_are_one_part_with_26_and_two_with_6_and_18():
    assert components(three_parts(), 26).count == 2
    assert components(three_parts(), 18).count == 3
    assert components(three_parts(), 6).count == 3


def test_sizes_boxes_and_centres_of_two_parts():
    found = components(three_parts(), 26)
    assert found.voxel_counts == (2, 24)
    assert found.boxes == (
        (slice(0, 2), slice(0, 2), slice(0, 2)),
        (slice(2, 4), slice(3, 6), slice(4, 8)),
    )
    assert found.centres_zyx.tolist() == [[0.5, 0.5, 0.5], [2.5, 4.0, 5.5]]
    assert found.by_size() == [2, 1]
    assert found.mask_of(2).sum() == 24


def test_an_empty_mask_has_no_parts():
    found = components(np.zeros((2, 3, 4), bool))
    assert (found.count, found.boxes, found.centres_zyx.shape) == (0, (), (0, 3))
    assert found.labels_zyx.shape == (2, 3, 4)


def test_a_mask_that_fills_everything_is_one_part():
    assert components(np.ones((2, 3, 4), bool), 6).voxel_counts == (24,)


def test_a_cavity_is_filled_and_a_bay_is_not():
    mask = np.ones((5, 5, 5), bool)
    mask[2, 2, 2] = False
    assert fill_holes(mask).all()
    mask[2, 2, :3] = False
    assert np.array_equal(fill_holes(mask), mask)


def test_a_cavity_open_only_by_an_edge_is_filled():
    mask = np.ones((5, 5, 5), bool)
    mask[1, 1, 2] = mask[0, 0, 2] = False
    filled = fill_holes(mask)
    assert filled[1, 1, 2]
    assert not filled[0, 0, 2]


@pytest.mark.parametrize("shape", [(1, 1, 6), (1, 6, 1), (6, 1, 1)])
@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_one_row_of_voxels_with_gaps_falls_into_its_parts(shape, connectivity):
    row = np.array([1, 0, 1, 1, 0, 1], np.uint8).reshape(shape)
    found = components(row, connectivity)
    assert found.labels_zyx.ravel().tolist() == [1, 0, 2, 2, 0, 3]
    assert found.voxel_counts == (1, 2, 1)
    parts, sizes = parts_of_labels(row, connectivity)
    assert parts.ravel().tolist() == [1, 0, 2, 2, 0, 3]
    assert sizes.tolist() == [2, 1, 2, 1]
