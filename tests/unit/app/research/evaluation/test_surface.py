import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_erosion, distance_transform_edt
from scipy.spatial.transform import Rotation

from app.research.evaluation.surface import average_symmetric_surface_distance, border_positions_mm
from tests.builders.monai_metrics import surface_distance

MASKS = arrays(bool, (4, 5, 6))
SPACINGS = st.tuples(*[st.sampled_from([0.5, 0.75, 1.0, 3.3])] * 3)


def affine_of(*spacing: float) -> np.ndarray:
    return np.diag([*spacing, 1.0])


def cube(first: int, size: int) -> np.ndarray:
    mask = np.zeros((size + 6, size + 6, size + 6), bool)
    mask[first : first + size, 3 : 3 + size, 3 : 3 + size] = True
    return mask


def ball(radius_mm: float, spacing_mm: float) -> np.ndarray:
    n = int(np.ceil(15 / spacing_mm))
    axis = np.arange(-n, n + 1) * spacing_mm
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis**2)
    return distance <= radius_mm


def test_two_plates_4_slices_of_3_3_mm_apart_are_13_2_mm_apart():
    a, b = np.zeros((8, 6, 7), bool), np.zeros((8, 6, 7), bool)
    a[1], b[5] = True, True
    assert average_symmetric_surface_distance(a, b, affine_of(3.3, 1, 1)) == pytest.approx(13.2)


@pytest.mark.parametrize("size", [5, 8])
def test_a_cube_shifted_by_one_voxel_is_off_by_its_two_end_faces_over_its_border(size: int):
    # Behind: the whole face moves by one; ahead: the face without its rim, which stays border.
    moved = size**2 + (size - 2) ** 2
    border = size**3 - (size - 2) ** 3
    found = average_symmetric_surface_distance(cube(2, size), cube(3, size), affine_of(1, 1, 1))
    assert found == pytest.approx(moved / border)


def test_balls_of_10_and_14_mm_around_one_centre_are_4_mm_apart_within_half_a_voxel():
    spacing = 0.5
    found = average_symmetric_surface_distance(
        ball(10, spacing), ball(14, spacing), affine_of(spacing, spacing, spacing)
    )
    assert found == pytest.approx(4.0, abs=spacing / 2)


def test_a_distance_to_an_absent_structure_is_undefined():
    mask, nothing = cube(3, 4), np.zeros((10, 10, 10), bool)
    for pair in ((mask, nothing), (nothing, mask), (nothing, nothing)):
        assert np.isnan(average_symmetric_surface_distance(*pair, affine_of(1, 1, 1)))


def test_the_edge_of_the_image_is_border():
    assert len(border_positions_mm(np.ones((3, 3, 3), bool), affine_of(1, 1, 1))) == 26


def test_border_voxels_stand_where_the_affine_puts_them():
    mask = np.zeros((3, 4, 5), bool)
    mask[2, 1, 3] = True
    affine = affine_of(3.3, 0.5, 0.6)
    affine[:3, 3] = (10, -20, 30)
    assert border_positions_mm(mask, affine) == pytest.approx(np.array([[16.6, -19.5, 31.8]]))


def test_a_shear_changes_the_distance_as_geometry_says():
    a, b = np.zeros((3, 3, 3), bool), np.zeros((3, 3, 3), bool)
    a[0, 0, 0], b[1, 0, 0] = True, True
    sheared = np.eye(4)
    sheared[:3, 0] = (3.0, 4.0, 0.0)
    assert average_symmetric_surface_distance(a, b, sheared) == pytest.approx(5.0)


@settings(deadline=None, max_examples=50)
@given(MASKS, MASKS, SPACINGS)
def test_it_agrees_with_a_distance_transform_of_the_borders(
    a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float]
):
    found = average_symmetric_surface_distance(a, b, affine_of(*spacing))
    if not a.any() or not b.any():
        assert np.isnan(found)
        return
    borders = [mask & ~binary_erosion(mask) for mask in (a, b)]
    away = [distance_transform_edt(~border, sampling=spacing) for border in borders]
    expected = (away[1][borders[0]].mean() + away[0][borders[1]].mean()) / 2
    assert found == pytest.approx(expected)


@settings(deadline=None, max_examples=50)
@given(MASKS, MASKS, st.integers(0, 1000))
def test_turning_and_moving_the_patient_changes_nothing(a: np.ndarray, b: np.ndarray, seed: int):
    turned = np.eye(4)
    turned[:3, :3] = Rotation.random(random_state=seed).as_matrix() * [3.3, 0.7, 0.7]
    turned[:3, 3] = (100, -50, 20)
    straight = average_symmetric_surface_distance(a, b, affine_of(3.3, 0.7, 0.7))
    oblique = average_symmetric_surface_distance(a, b, turned)
    assert oblique == pytest.approx(straight, nan_ok=True, abs=1e-9)


def test_monais_directed_distances_average_to_ours_and_its_pooled_one_differs():
    inside = np.zeros((2, 12, 20, 20), bool)
    inside[0, 3:8, 4:12, 5:15] = True
    inside[1, 4:7, 8:10, 2:18] = True
    spacing = (3.3, 0.9, 0.7)
    ours = average_symmetric_surface_distance(*inside, np.diag([*spacing, 1.0]))
    truth, guess = inside
    there, back = surface_distance(guess, truth, spacing), surface_distance(truth, guess, spacing)
    assert ours == pytest.approx((there + back) / 2, abs=1e-5)
    assert abs(ours - surface_distance(guess, truth, spacing, symmetric=True)) > 0.01
