"""Whether the values of an image are an MR image at all, judged before a network is asked.

NaN at the edge of the field of view is what resamplers write for "nothing here": it becomes the
lowest value. What cannot be an image is refused. Contrast and anatomy are not judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from operators.errors import GeometryError, IntensityError, UnreadableInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.volume import Volume

_PADDING_LIMIT: Final = 0.5
"""Above this share of NaN around the field of view most of the image is missing. A square turned
by 45 degrees leaves half of its bounding box empty."""

_SCATTERED_LIMIT: Final = 0.001
"""Above this share of voxels that are not finite although they lie inside the field of view, the
image is not to be trusted: the share that `operators.imaging.intensity` gives to hot voxels."""

_OUTLIER_SHARE: Final = 0.001
"""Share of voxels at either end that are not counted when an image is called constant: a black
image with a few hot voxels is black. One vertebral body in a lumbar field of view is 0.2 %."""

_ALIKE: Final = 0.8
"""Share of neighbouring foreground voxels with the same value, along every axis, from which on an
image is a label map. 29 real MR images (also 8-bit and interpolated ones) have 0.01 to 0.65,
25 label maps of structures, vertebrae and cord 0.88 to 1."""

_HIGHEST_LABEL: Final = 255
"""Label schemes of the spine (SPINEPS, TotalSpineSeg, VerSe, SPIDER, binary 0/255) end here."""


def require_slices(volume: Volume, least: int) -> None:
    """Refuse an image with too few slices, whichever axis they are stacked along.

    Parameters
    ----------
    volume : Volume
        Any orientation.
    least : int
        Smallest number of voxels along every axis.

    Raises
    ------
    GeometryError
        ``too_few_slices``.
    """
    count = min(volume.voxels_zyx.shape)
    if count < least:
        message = f"too_few_slices ({count} slices, {least} are needed)"
        raise GeometryError(message, reasons=("too_few_slices",))


def require_no_label_map(volume: Volume) -> None:
    """Refuse a mask that was given in the place of an image.

    Parameters
    ----------
    volume : Volume
        Finite values.

    Raises
    ------
    UnreadableInputError
        ``label_map_given``: all values lie from 0 to 255, are whole numbers (or a fraction of 1),
        and neighbouring voxels above the lowest value nearly always have the same.
    """
    voxels = volume.voxels_zyx.astype(np.float32, copy=False)
    low, high = float(voxels.min()), float(voxels.max())
    whole = bool((voxels == np.rint(voxels)).all())
    if low < 0 or high > (_HIGHEST_LABEL if whole else 1):
        return
    inside = voxels > low
    if all(_alike(voxels, inside, axis) >= _ALIKE for axis in range(3)):
        raise UnreadableInputError(
            "the image is a label map; give the MR image (a map to start from: --semantic-mask)",
            reasons=("label_map_given",),
        )


def _alike(voxels: NDArray[np.generic], inside: NDArray[np.bool_], axis: int) -> float:
    """Share of neighbours along an axis, both inside, that have the same value."""
    values, marks = np.moveaxis(voxels, axis, 0), np.moveaxis(inside, axis, 0)
    pairs = marks[1:] & marks[:-1]
    count = int(np.count_nonzero(pairs))
    return int(np.count_nonzero((values[1:] == values[:-1]) & pairs)) / count if count else 0.0


def require_intensities(volume: Volume) -> None:
    """Refuse an image in which nothing can be seen.

    Parameters
    ----------
    volume : Volume
        Finite values.

    Raises
    ------
    IntensityError
        ``constant_image``: one value but for 0.1 % of the voxels at either end.
    """
    ends = (_OUTLIER_SHARE, 1 - _OUTLIER_SHARE)
    voxels = volume.voxels_zyx.astype(np.float32, copy=False)
    lowest, highest = np.quantile(voxels, ends, method="nearest")
    if lowest == highest:
        raise IntensityError(
            "all voxels have the same intensity: there is nothing to segment",
            reasons=("constant_image",),
        )


def replace_non_finite(voxels: NDArray[np.generic]) -> tuple[NDArray[np.float32], int]:
    """Put the smallest finite intensity where a voxel is NaN or infinite.

    Parameters
    ----------
    voxels : ndarray
        Any real numeric type.

    Returns
    -------
    (ndarray of float32, int)
        A new array and the number of voxels replaced.

    Raises
    ------
    IntensityError
        ``non_finite_voxels``: more than half of the image, or more than 0.1 % of it inside the
        field of view.

    Notes
    -----
    A voxel counts as outside the field of view if a straight line along an axis leads from it to
    the border through such voxels only: of every convex field of view this finds all.
    """
    with np.errstate(over="ignore"):  # beyond float32: infinite, and counted as such
        out = voxels.astype(np.float32)
    missing = ~np.isfinite(out)
    count = int(np.count_nonzero(missing))
    if count:
        _require_few(missing, count)
        np.copyto(out, out[~missing].min(), where=missing)
    return out, count


def _require_few(missing: NDArray[np.bool_], count: int) -> None:
    scattered = count - int(np.count_nonzero(_reached_from_outside(missing)))
    if count > _PADDING_LIMIT * missing.size or scattered > _SCATTERED_LIMIT * missing.size:
        raise IntensityError(
            f"{count} of {missing.size} voxels are not finite numbers, "
            f"{scattered} of them inside the field of view",
            reasons=("non_finite_voxels",),
        )


def _reached_from_outside(missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels with a straight line of missing ones to the border."""
    reached = np.zeros_like(missing)
    for axis in range(missing.ndim):
        reached |= np.logical_and.accumulate(missing, axis=axis)
        backwards = np.logical_and.accumulate(np.flip(missing, axis), axis=axis)
        reached |= np.flip(backwards, axis)
    return reached
