"""Arrays in NIfTI's convention, as nibabel holds them, to volumes and back.

An array is indexed [i, j, k] and placed in RAS; ours are [k, j, i] in LPS. What is wrong with an
array or its affine is named as for a file (`operators.imaging.nifti_header`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.errors import GeometryError, PixelDataError
from operators.imaging.nifti import lps_of
from operators.imaging.nifti_header import affine_findings, message_of, names_of
from operators.imaging.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from operators.imaging.volume import LabelMap

_AXES: Final = 3
_REAL: Final = "biuf"
"""Kinds of NumPy type that hold real numbers: bool, signed, unsigned, floating."""


def volume_of(array: ArrayLike, affine: ArrayLike) -> Volume:
    """Place an array in the patient.

    Parameters
    ----------
    array : (I, J, K) array-like of real numbers
        Intensities, ``array[i, j, k]``; further axes of length 1 are dropped.
    affine : (4, 4) array-like
        Index (i, j, k, 1) to RAS mm, as in ``nibabel``'s images.

    Returns
    -------
    Volume
        A float32 copy; NaN and infinity stay.

    Raises
    ------
    GeometryError
        ``not_three_dimensional``, ``empty_image``, ``invalid_transform`` (no 4 x 4 matrix of finite
        numbers with the last row 0, 0, 0, 1), ``singular_affine``, ``implausible_spacing``,
        ``shear``.
    PixelDataError
        ``complex_image``, ``colour_image``, ``unsupported_data_type``.

    Examples
    --------
    >>> placed = volume_of(np.zeros((2, 3, 4), np.int16), np.diag([0.5, 0.5, 3.0, 1.0]))
    >>> placed.voxels_zyx.shape, placed.spacing_zyx_mm
    ((4, 3, 2), (3.0, 0.5, 0.5))
    """
    voxels, matrix = np.asarray(array), np.asarray(affine)
    values = [*_value_findings(voxels.dtype)]
    findings = [*_shape_findings(voxels.shape), *_matrix_findings(matrix)]
    if findings:
        raise GeometryError(message_of(findings + values), reasons=names_of(findings + values))
    if values:
        raise PixelDataError(message_of(values), reasons=names_of(values))
    with np.errstate(over="ignore"):  # beyond float32: infinite, and judged as such
        placed = voxels.reshape(voxels.shape[:_AXES]).astype(np.float32)
    affine_lps = lps_of(matrix.astype(np.float64))
    return Volume(np.ascontiguousarray(placed.transpose(2, 1, 0)), affine_lps)


def array_ijk(placed: Volume | LabelMap) -> NDArray[Any]:
    """Give the values of an image or a label map in NIfTI's order of axes, without a copy."""
    values = placed.voxels_zyx if isinstance(placed, Volume) else placed.labels_zyx
    return values.transpose(2, 1, 0)


def _shape_findings(shape: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    further = math.prod(shape[_AXES:])
    if len(shape) < _AXES or further > 1:
        axes = " x ".join(map(str, shape)) or "a single number"
        yield "not_three_dimensional", f"{axes}; give one volume"
    elif math.prod(shape) == 0:
        yield "empty_image", " x ".join(map(str, shape))


def _matrix_findings(matrix: NDArray[Any]) -> Iterator[tuple[str, str]]:
    if matrix.shape != (4, 4):
        yield "invalid_transform", f"the affine has shape {matrix.shape}, not (4, 4)"
    elif matrix.dtype.kind not in _REAL or not np.isfinite(matrix).all():
        yield "invalid_transform", "the affine holds what is no finite number"
    elif not np.array_equal(matrix[3], (0, 0, 0, 1)):
        yield "invalid_transform", "the affine's last row is not 0, 0, 0, 1; is it transposed?"
    else:
        yield from affine_findings(matrix.astype(np.float64))


def _value_findings(dtype: np.dtype[Any]) -> Iterator[tuple[str, str]]:
    if dtype.names:
        yield "colour_image", "RGB values are no MR intensities"
    elif dtype.kind == "c":
        yield "complex_image", "take the magnitude"
    elif dtype.kind not in _REAL:
        yield "unsupported_data_type", f"type {dtype.kind}"
