"""Where planes lie within their own plane: what all slices of one stack share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.dicom.identity.stack_identity import STATION_SHIFT_MM
from operators.dicom.reading.geometry import axes_of, position_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.dicom.reading.geometry import ImagePlane


def middle_of(plane: ImagePlane) -> NDArray[np.float64]:
    """Centre of a plane, LPS mm; its first voxel where the spacing is not said."""
    row, column = axes_of(plane)
    between_rows, between_columns = plane.spacing_mm or (0.0, 0.0)
    rows, columns = plane.shape
    across = row * between_columns * max(columns - 1, 0) / 2
    down = column * between_rows * max(rows - 1, 0) / 2
    middle: NDArray[np.float64] = position_of(plane) + across + down
    return middle


def in_plane(plane: ImagePlane) -> NDArray[np.float64]:
    """Part of a plane's centre that all slices of its stack share, LPS mm."""
    return across(middle_of(plane), np.cross(*axes_of(plane)))


def across(points: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points or offsets (..., 3) without their part along a unit normal (3,)."""
    projected: NDArray[np.float64] = points - (points @ normal)[..., None] * normal
    return projected


def linked(points_mm: NDArray[np.float64]) -> list[list[int]]:
    """Group points that are connected by steps of at most `STATION_SHIFT_MM`.

    Parameters
    ----------
    points_mm : (N, 3) ndarray
        In-plane places.

    Returns
    -------
    list of list of int
        Indices, ascending; the group of the first point first.

    Examples
    --------
    >>> linked(np.array([[0.0, 0, 0], [0, 0, 300], [0, 0, 8], [0, 0, 16]]))
    [[0, 2, 3], [1]]
    """
    left = set(range(len(points_mm)))
    groups = []
    while left:
        group, border = set[int](), {min(left)}
        while border:
            group |= border
            left -= border
            near = points_mm[sorted(border)]
            border = {
                index
                for index in left
                if np.linalg.norm(near - points_mm[index], axis=1).min() <= STATION_SHIFT_MM
            }
        groups.append(sorted(group))
    return groups
