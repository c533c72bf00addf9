"""Where image planes lie in the patient.

Only positions, orientations and pixel spacings count (DICOM PS3.3 C.7.6.2); SpacingBetweenSlices,
SliceThickness and SliceLocation are never used. Whether planes form a regular volume is
`operators.dicom.regularity`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.errors import GeometryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

_SAME_POSITION_MM = 0.01
COSINE_TOLERANCE = 1e-3
"""Rounded direction cosines differ by 1e-4; 1e-3 is 0.06 degrees, 0.3 mm over a spine."""

_MAX_LENGTH_ERROR = 0.01
_SAGITTAL_NORMAL = np.array([1.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class ImagePlane:
    """Place and kind of one plane; None where the header doesn't say or makes no sense.

    Attributes
    ----------
    position_lps : (3,) ndarray or None
        Centre of the first voxel, mm.
    axes : (2, 3) ndarray or None
        Unit vectors along a row (i grows) and along a column (j grows).
    spacing_mm : tuple of 2 floats or None
        Between rows, between columns.
    shape : tuple of 2 ints
        Rows, columns.
    frame_of_reference : str
        UID of the coordinate system, empty where absent.
    contrasts : tuple of 3
        Echo, temporal position and b-value: what may tell images at one position apart.
    """

    position_lps: NDArray[np.float64] | None
    axes: NDArray[np.float64] | None
    spacing_mm: tuple[float, float] | None
    shape: tuple[int, int]
    frame_of_reference: str
    contrasts: tuple[object, object, object]


@dataclass(frozen=True, slots=True)
class Placement:
    """Planes in order.

    Attributes
    ----------
    order : tuple of int
        Indices of the planes along the normal (row x column).
    affine_lps : (4, 4) ndarray of float64
        Maps the index ``(k, j, i, 1)`` to mm.
    """

    order: tuple[int, ...]
    affine_lps: NDArray[np.float64]


def plane_angle_deg(orientation: Sequence[float]) -> float:
    """Angle between a plane and the patient's sagittal plane.

    Parameters
    ----------
    orientation : sequence of 6 floats
        ImageOrientationPatient: direction cosines of the row, then of the column.

    Returns
    -------
    float
        0 (sagittal) to 90 degrees, whichever way the normal points; NaN where the six numbers
        are no orientation.

    Examples
    --------
    >>> plane_angle_deg([0, 1, 0, 0, 0, -1])
    0.0
    >>> plane_angle_deg([1, 0, 0, 0, 1, 0])
    90.0
    """
    numbers = _numbers(orientation, 6)
    axes = None if numbers is None else _unit_axes(numbers)
    if axes is None:
        return math.nan
    cosine = abs(float(np.cross(axes[0], axes[1]) @ _SAGITTAL_NORMAL))
    return math.degrees(math.acos(min(1.0, cosine)))


def plane_of(header: Dataset) -> ImagePlane:
    """Read a plane's place from its classic header.

    Parameters
    ----------
    header : Dataset
        Of a `Frame`.

    Returns
    -------
    ImagePlane
        What makes no sense (wrong count, not finite, not orthogonal, not positive) is None.
    """
    position = _numbers(header.get("ImagePositionPatient"), 3)
    orientation = _numbers(header.get("ImageOrientationPatient"), 6)
    spacing = _numbers(header.get("PixelSpacing"), 2)
    positive = spacing is not None and min(spacing) > 0
    echo = (header.get("EchoTime"), header.get("EchoNumbers"))
    return ImagePlane(
        position_lps=None if position is None else np.array(position),
        axes=None if orientation is None else _unit_axes(orientation),
        spacing_mm=(spacing[0], spacing[1]) if spacing is not None and positive else None,
        shape=(_size(header.get("Rows")), _size(header.get("Columns"))),
        frame_of_reference=str(header.get("FrameOfReferenceUID", "")),
        contrasts=(
            tuple(str(value) for value in echo),
            str(header.get("TemporalPositionIdentifier")),
            str(header.get("DiffusionBValue")),
        ),
    )


def place(planes: Sequence[ImagePlane]) -> Placement:
    """Order planes in which `judge` found nothing, and say where they lie.

    Parameters
    ----------
    planes : sequence of ImagePlane
        In any order.

    Returns
    -------
    Placement
        Slices along the normal; the step from slice to slice is the mean one, so that the first
        and the last slice lie exactly where their headers say.
    """
    order = tuple(group[0] for group in groups_along_normal(planes))
    first, last = planes[order[0]], planes[order[-1]]
    affine = np.eye(4)
    affine[:3, 0] = (position_of(last) - position_of(first)) / (len(order) - 1)
    affine[:3, 1] = axes_of(first)[1] * spacing_of(first)[0]
    affine[:3, 2] = axes_of(first)[0] * spacing_of(first)[1]
    affine[:3, 3] = position_of(first)
    return Placement(order, affine)


def _numbers(value: object, count: int) -> tuple[float, ...] | None:
    """Exactly `count` finite numbers, or None."""
    try:
        numbers = tuple(float(part) for part in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def _size(value: object) -> int:
    return value if isinstance(value, int) else 0


def _unit_axes(orientation: Sequence[float]) -> NDArray[np.float64] | None:
    """Row and column as unit vectors; None where they aren't nearly so, or not orthogonal."""
    axes = np.reshape(np.asarray(orientation, dtype=np.float64), (2, 3))
    lengths = np.linalg.norm(axes, axis=1)
    if not np.all(np.abs(lengths - 1.0) < _MAX_LENGTH_ERROR):
        return None
    axes = axes / lengths[:, None]
    return axes if abs(float(axes[0] @ axes[1])) < COSINE_TOLERANCE else None


def position_of(plane: ImagePlane) -> NDArray[np.float64]:
    """Position of a plane that has one, else GeometryError."""
    if plane.position_lps is None:
        raise GeometryError("a plane has no position", reasons=("missing_position",))
    return plane.position_lps


def axes_of(plane: ImagePlane) -> NDArray[np.float64]:
    """Row and column directions of a plane that has them, else GeometryError."""
    if plane.axes is None:
        raise GeometryError("a plane has no orientation", reasons=("missing_orientation",))
    return plane.axes


def spacing_of(plane: ImagePlane) -> tuple[float, float]:
    """Pixel spacing of a plane that has one, else GeometryError."""
    if plane.spacing_mm is None:
        raise GeometryError("a plane has no spacing", reasons=("missing_pixel_spacing",))
    return plane.spacing_mm


def groups_along_normal(planes: Sequence[ImagePlane]) -> list[list[int]]:
    """Group the planes (by index) that share a place along the normal, in order of place."""
    along = along_normal(planes)
    groups: list[list[int]] = []
    for index in np.argsort(along, kind="stable"):
        if groups and along[index] - along[groups[-1][0]] < _SAME_POSITION_MM:
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
    return groups


def along_normal(planes: Sequence[ImagePlane]) -> NDArray[np.float64]:
    """Place of each plane along the first plane's normal, in mm."""
    normal = np.cross(*axes_of(planes[0]))
    along: NDArray[np.float64] = np.array([position_of(plane) @ normal for plane in planes])
    return along
