from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from operators.dicom.reading.geometry import ImagePlane, place, plane_of
from operators.errors import GeometryError
from tests.builders.mr_series import SAGITTAL, turned


def _plane(position: object, **changes: object) -> ImagePlane:
    header = Dataset()
    header.ImagePositionPatient = position
    header.ImageOrientationPatient = list(SAGITTAL)
    header.PixelSpacing = [0.9, 0.6]
    header.Rows, header.Columns = 40, 32
    for keyword, value in changes.items():
        setattr(header, keyword, value)
    return plane_of(header)


def test_slices_ascend_along_row_cross_column_whatever_their_order():
    planes = [_plane([x, 0, 0]) for x in (8.0, -4.0, 0.0, 4.0)]

    placement = place(planes)

    # Row to posterior, column to inferior: the normal points to the right (-x).
    assert placement.order == (0, 3, 2, 1)


def test_affine_puts_row_and_column_spacing_on_their_own_axes():
    planes = [_plane([10.0 - 4 * n, 20.0, 30.0]) for n in range(3)]

    affine = place(planes).affine_lps

    assert np.allclose(affine @ [0, 0, 0, 1], [10, 20, 30, 1])
    assert np.allclose(affine @ [1, 0, 0, 1], [6, 20, 30, 1])
    assert np.allclose(affine @ [0, 1, 0, 1], [10, 20, 29.1, 1])
    assert np.allclose(affine @ [0, 0, 1, 1], [10, 20.6, 30, 1])


@given(
    st.tuples(st.floats(-30, 30), st.floats(-30, 30)),
    st.tuples(st.floats(0.2, 2), st.floats(0.2, 2)),
    st.floats(0.5, 8),
    st.permutations(range(6)),
)
def test_every_voxel_centre_lies_where_the_image_plane_module_says(
    turns_deg: tuple[float, float],
    spacing: tuple[float, float],
    distance: float,
    order: list[int],
):
    orientation = np.reshape(turned(SAGITTAL, *turns_deg), (2, 3))
    normal = np.cross(*orientation)
    positions = [np.array([5.0, -7.0, 11.0]) + n * distance * normal for n in order]
    planes = [
        ImagePlane(position, orientation, spacing, (40, 32), "", ("", "", ""))
        for position in positions
    ]

    placement = place(planes)

    assert [order[index] for index in placement.order] == list(range(6))
    k, j, i = 4, 39, 31
    expected = positions[order.index(4)] + orientation[0] * spacing[1] * i
    expected = expected + orientation[1] * spacing[0] * j
    assert np.abs((placement.affine_lps @ [k, j, i, 1])[:3] - expected).max() < 1e-9


def test_a_header_that_makes_no_sense_gives_no_place():
    plane = _plane([1, 2], ImageOrientationPatient=[0, 0, 0, 0, 0, 0], PixelSpacing=[0.9, -0.6])

    assert plane.position_lps is None
    assert plane.axes is None
    assert plane.spacing_mm is None


def test_planes_without_position_are_not_placed():
    with pytest.raises(GeometryError) as caught:
        place([_plane([1, 2])] * 5)
    assert caught.value.reasons == ("missing_position",)
