"""Where image planes lie in the patient.

Only positions, orientations and pixel spacings count (DICOM PS3.3 C.7.6.2); SpacingBetweenSlices,
SliceThickness and SliceLocation are never used. Whether planes form a regular volume is
`operators.dicom.reading.regularity`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.dicom.headers.header_values import numbers, texts, unreadable, whole_number
from operators.errors import GeometryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

_SAME_POSITION_MM = 0.01
COSINE_TOLERANCE = 1e-3
"""Rounded direction cosines differ by 1e-4; 1e-3 is 0.06 degrees, 0.3 mm over a spine."""

_MAX_LENGTH_ERROR = 0.01
_COARSEST_ROUNDING = 0.005
"""Cosines of two decimals are off by up to this; with fewer a plane has no orientation."""

_SMALLEST_PIXEL_MM, _LARGEST_PIXEL_MM = 0.01, 20.0
"""Beyond any MR protocol: zero, negative, or in other units (metres, micrometres)."""

_MOST_ROWS = 0xFFFF
_FARTHEST_MM = 1e6
"""A kilometre from the origin of the frame of reference is no place in a patient."""

_COUNTS = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
_MOST_DECIMALS = 16
_SKEW_OF_ROUNDING = 2 * math.sqrt(3)
"""Largest scalar product of two perpendicular unit vectors, in units of their rounding."""


@dataclass(frozen=True, slots=True)
class ImagePlane:
    """Place and kind of one plane; None where the header doesn't say or can't be understood.

    Attributes
    ----------
    position_lps : (3,) ndarray or None
        Centre of the first voxel, mm.
    axes : (2, 3) ndarray or None
        Unit vectors along a row (i grows) and along a column (j grows), perpendicular.
    spacing_mm : tuple of 2 floats or None
        Between rows, between columns.
    shape : tuple of 2 ints
        Rows, columns.
    frame_of_reference : str
        UID of the coordinate system, empty where absent.
    contrasts : tuple of 3
        Echo, temporal position and b-value: what may tell images at one position apart.
    problems : tuple of str
        Why a place is None: ``missing_``, ``unreadable_`` (no such numbers) or ``invalid_``
        (numbers that can't be), and ``position``, ``orientation`` or ``pixel_spacing``.
    cosine_rounding : float
        By how much each direction cosine may be off, by the decimals with which it is written.
    """

    position_lps: NDArray[np.float64] | None
    axes: NDArray[np.float64] | None
    spacing_mm: tuple[float, float] | None
    shape: tuple[int, int]
    frame_of_reference: str
    contrasts: tuple[object, object, object]
    problems: tuple[str, ...] = ()
    cosine_rounding: float = 0.0


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


def plane_of(header: Dataset) -> ImagePlane:
    """Read a plane's place from its classic header.

    Parameters
    ----------
    header : Dataset
        Of a `Frame`.

    Returns
    -------
    ImagePlane
        What makes no sense (wrong count, not finite, not perpendicular, no place in a patient, no
        size of a pixel) is None.
    """
    problems: list[str] = []
    position = _read(header, "ImagePositionPatient", "position", problems)
    orientation = _read(header, "ImageOrientationPatient", "orientation", problems)
    spacing = _read(header, "PixelSpacing", "pixel_spacing", problems)
    rounding = _rounding(texts(header, "ImageOrientationPatient")) if orientation else 0.0
    axes = _unit_axes(orientation, rounding) if orientation else None
    if orientation and axes is None:
        problems.append("invalid_orientation")
    if position and max(map(abs, position)) > _FARTHEST_MM:
        problems.append("invalid_position")
        position = ()
    if spacing and not _SMALLEST_PIXEL_MM <= min(spacing) <= max(spacing) <= _LARGEST_PIXEL_MM:
        problems.append("invalid_pixel_spacing")
        spacing = ()
    echo = (header.get("EchoTime"), header.get("EchoNumbers"))
    return ImagePlane(
        position_lps=np.array(position) if position else None,
        axes=axes,
        spacing_mm=(spacing[0], spacing[1]) if spacing else None,
        shape=(_size(header, "Rows"), _size(header, "Columns")),
        frame_of_reference=str(header.get("FrameOfReferenceUID", "")),
        contrasts=(
            tuple(str(value) for value in echo),
            str(header.get("TemporalPositionIdentifier")),
            str(header.get("DiffusionBValue")),
        ),
        problems=tuple(problems),
        cosine_rounding=rounding,
    )


def axes_in(header: Dataset) -> NDArray[np.float64] | None:
    """Row and column directions of a header as `plane_of` reads them, alone."""
    orientation = _read(header, "ImageOrientationPatient", "orientation", [])
    if not orientation:
        return None
    return _unit_axes(orientation, _rounding(texts(header, "ImageOrientationPatient")))


def place(planes: Sequence[ImagePlane]) -> Placement:
    """Order planes in which `judge` found nothing, and say where they lie.

    Parameters
    ----------
    planes : sequence of ImagePlane
        In any order.

    Returns
    -------
    Placement
        Slices along the normal. Step, origin, directions and spacing are medians over the slices
        (Theil-Sen for the step), so that one slice that is a little out of line, within the
        tolerances of `judge`, moves no other.
    """
    order = tuple(group[0] for group in groups_along_normal(planes))
    ordered = [planes[index] for index in order]
    positions = np.array([position_of(plane) for plane in ordered])
    steps = np.arange(len(ordered))
    low, high = np.triu_indices(len(ordered), 1)
    slopes = (positions[high] - positions[low]) / (high - low)[:, None]
    row, column = np.median([axes_of(plane) for plane in ordered], axis=0)
    between_rows, between_columns = np.median([spacing_of(plane) for plane in ordered], axis=0)
    affine = np.eye(4)
    affine[:3, 0] = np.median(slopes, axis=0)
    affine[:3, 1] = column * between_rows
    affine[:3, 2] = row * between_columns
    affine[:3, 3] = np.median(positions - steps[:, None] * affine[:3, 0], axis=0)
    return Placement(order, affine)


def farthest_off_grid_mm(positions: NDArray[np.float64], affine: NDArray[np.float64]) -> float:
    """Largest distance of a slice's own position, (N, 3) in mm, from where an affine puts it."""
    expected = affine[:3, 3] + np.arange(len(positions))[:, None] * affine[:3, 0]
    return float(np.linalg.norm(positions - expected, axis=1).max())


def _read(header: Dataset, keyword: str, name: str, problems: list[str]) -> tuple[float, ...]:
    """Numbers of an attribute, as many as its module asks for; else () and the problem's name."""
    values = numbers(header, keyword)
    if len(values) == _COUNTS[keyword]:
        return values
    is_there = keyword in unreadable(header) or header.get(keyword) is not None
    problems.append(f"{'unreadable' if is_there else 'missing'}_{name}")
    return ()


def _size(header: Dataset, keyword: str) -> int:
    """Rows or columns; 0 where they are not said or are more than 16 bits hold (PS3.3 C.7.6.3)."""
    size = whole_number(header, keyword) or 0
    return size if 0 < size <= _MOST_ROWS else 0


def _rounding(cosines: Sequence[str]) -> float:
    """Half a unit of the last decimal that any of the cosines has; whole numbers are exact."""
    decimals = max(_decimals(text) for text in cosines)
    exact = all(float(text).is_integer() for text in cosines)
    return 0.0 if exact else min(_COARSEST_ROUNDING, 0.5 * 10.0**-decimals)


def _decimals(text: str) -> int:
    mantissa, _, exponent = text.lower().partition("e")
    written = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return min(max(written, 0), _MOST_DECIMALS)


def _unit_axes(orientation: Sequence[float], rounding: float) -> NDArray[np.float64] | None:
    """Row and column as perpendicular unit vectors; None where they are not nearly so.

    The correction is the smallest one that makes them perpendicular (half to each), so that
    neither direction is trusted more than the other.
    """
    axes = np.reshape(np.asarray(orientation, dtype=np.float64), (2, 3))
    if np.abs(axes).max() > 1 + _MAX_LENGTH_ERROR:
        return None
    lengths = np.linalg.norm(axes, axis=1)
    if not np.all(np.abs(lengths - 1.0) < _MAX_LENGTH_ERROR):
        return None
    row, column = axes / lengths[:, None]
    skew = float(row @ column)
    if abs(skew) > max(COSINE_TOLERANCE, _SKEW_OF_ROUNDING * rounding):
        return None
    turned = np.array([row - column * skew / 2, column - row * skew / 2])
    turned[1] -= turned[0] * (turned[0] @ turned[1]) / (turned[0] @ turned[0])
    unit: NDArray[np.float64] = turned / np.linalg.norm(turned, axis=1)[:, None]
    return unit


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
