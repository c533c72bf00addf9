"""The slow brightness drift of coil images: N4 (Tustison 2010), as ANTs runs it for SPINEPS.

The mask of SPINEPS's N4 is a solid box, and on a box every B-spline fit of N4 splits into one small
matrix product per axis. So this is the algorithm of ITK's filter at a hundredth of its cost, with
a result that depends neither on the number of threads nor on where the scan lies in space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.cropping import Box

_Real = TypeVar("_Real", np.float32, np.float64)

KNOT_DISTANCE_MM = 100.0
"""Distance between the knots of the coarsest B-spline (SPINEPS: ``spline_param=100``)."""

_SHRINK = 4
"""The field is estimated on every fourth voxel of every axis."""

_LEVELS = 4
"""Each level halves the knots' distance."""

_ITERATIONS = 50
"""Per level."""

_CONVERGED = 1e-7
"""Stop a level when the field changes by less (standard deviation over mean of the ratio)."""

_BINS = 200
_PADDED_BINS = 512
_FWHM = 0.15
"""Width of the blur by the bias field in the histogram of log intensities."""

_WIENER_NOISE = 0.01


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of the domain on which the field is defined.

    The domain is the image widened to a whole number of knot distances.
    """

    before: int
    padded: int
    spans: int

    @property
    def phase(self) -> int:
        """First sampled voxel: the samples lie centred; half-way, the upper neighbour is taken.

        ITK decides a half-way position by the rounding of origin and direction; a fixed choice
        keeps the result independent of the origin.
        """
        rest = self.padded - 1 - _SHRINK * (self.samples - 1)
        return (rest + 1) // 2

    @property
    def samples(self) -> int:
        """Number of voxels sampled along the padded axis."""
        return max(1, self.padded // _SHRINK)


def n4_field(
    voxels_zyx: NDArray[np.floating], spacing_zyx_mm: tuple[float, float, float], box: Box
) -> NDArray[np.float32]:
    """Estimate the multiplicative field by which coil sensitivity brightens the image.

    Parameters
    ----------
    voxels_zyx : (Z, Y, X) ndarray
        Intensities, 0 or more. Voxels of exactly 0 count as intensity 1, as in ITK, so the image
        should have a range well above 1.
    spacing_zyx_mm : tuple of 3 floats
        Voxel spacing along (k, j, i).
    box : tuple of 3 slices
        The voxels from which the field is estimated.

    Returns
    -------
    (Z, Y, X) ndarray of float32
        Divide the image by it. Values are positive; all ones where the box holds nothing to
        estimate from (fewer than two different intensities).

    References
    ----------
    Tustison et al., N4ITK, IEEE TMI 2010, doi 10.1109/TMI.2010.2046908; parameters of SPINEPS 2.1.3
    """
    axes = [
        _axis(size, spacing) for size, spacing in zip(voxels_zyx.shape, spacing_zyx_mm, strict=True)
    ]
    picks, places = [], []
    for axis, side in zip(axes, box, strict=True):
        sample = np.arange(axis.samples)
        voxel = axis.phase + _SHRINK * sample - axis.before
        inside = (voxel >= side.start) & (voxel < side.stop)
        picks.append(voxel[inside])
        places.append(sample[inside])
    values = voxels_zyx[np.ix_(*picks)].astype(np.float64)
    if values.size == 0 or float(values.min()) == float(values.max()):
        return np.ones(voxels_zyx.shape, np.float32)
    log_image = np.log(values, out=np.zeros_like(values), where=values > 0)
    lattice = _estimate(log_image, axes, places)
    # The lattice spans the full-resolution domain, from the first to the last voxel centre.
    bases = []
    for n, axis in enumerate(axes):
        index = np.arange(voxels_zyx.shape[n]) + axis.before
        spans = lattice.shape[n] - 3
        bases.append(_basis(index * (spans / max(1, axis.padded - 1)), spans))
    small = [basis.astype(np.float32) for basis in bases]
    field = _evaluate(lattice.astype(np.float32), small)
    return np.asarray(np.exp(field, out=field), np.float32)


def _axis(size: int, spacing_mm: float) -> _Axis:
    extent = (size - 1) * spacing_mm
    spans = max(1, int(np.ceil(extent / KNOT_DISTANCE_MM)))
    extra = int((spans * KNOT_DISTANCE_MM - extent) / spacing_mm + 0.5)
    return _Axis(before=extra // 2, padded=size + extra, spans=spans)


def _estimate(
    log_image: NDArray[np.float64], axes: list[_Axis], places: list[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Refine the field level by level; returns the control points of the last level."""
    lattice = np.zeros([axis.spans + 3 for axis in axes])
    for level in range(_LEVELS):
        if level:
            lattice = _refined(lattice)
        bases = []
        for axis, place in zip(axes, places, strict=True):
            spans = axis.spans * 2**level
            bases.append(_basis(place * (spans / max(1, axis.samples - 1)), spans))
        fit = _Fit(bases)
        field = _evaluate(lattice, bases)
        for _ in range(_ITERATIONS):
            uncorrected = log_image - field
            lattice = lattice + fit.control_points(uncorrected - _sharpened(uncorrected))
            updated = _evaluate(lattice, bases)
            ratio = np.exp(field - updated)
            field = updated
            if float(ratio.std(ddof=1)) / float(ratio.mean()) <= _CONVERGED:
                break
    return lattice


class _Fit:
    """Least-squares-like B-spline fit of one level (Lee 1997), separated by axes."""

    def __init__(self, bases: list[NDArray[np.float64]]) -> None:
        # Per point: value x w^3 / sum(w^2), per control point: sum of w^2; both are products
        # over the axes because the points fill a box.
        self._numerators = [
            (basis**3 / (basis**2).sum(axis=1, keepdims=True)).T.copy() for basis in bases
        ]
        k, j, i = ((basis**2).sum(axis=0) for basis in bases)
        weight = k[:, None, None] * j[None, :, None] * i[None, None, :]
        self._scale = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0)

    def control_points(self, residual: NDArray[np.float64]) -> NDArray[np.float64]:
        """Control points of the surface that approximates the residual."""
        return np.asarray(_evaluate(residual, self._numerators) * self._scale)


def _evaluate(lattice: NDArray[_Real], bases: list[NDArray[_Real]]) -> NDArray[_Real]:
    """Multiply every axis of an array by its matrix, cheapest first."""
    out = lattice
    growth = [basis.shape[0] / basis.shape[1] for basis in bases]
    for axis in sorted(range(3), key=lambda a: growth[a]):
        out = np.moveaxis(np.tensordot(bases[axis], out, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(out)


def _basis(position: NDArray[np.floating], spans: int) -> NDArray[np.float64]:
    """Cubic B-spline weights, one row per position in 0..spans, one column per control point."""
    first = np.clip(np.floor(position).astype(np.int64), 0, spans - 1)
    t = position - first
    weights = np.stack(
        [
            (1 - t) ** 3 / 6,
            (3 * t**3 - 6 * t**2 + 4) / 6,
            (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
            t**3 / 6,
        ],
        axis=1,
    )
    matrix = np.zeros((len(position), spans + 3))
    np.put_along_axis(matrix, first[:, None] + np.arange(4), weights, axis=1)
    return matrix


def _refined(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    """Describe the same surface with knots half as far apart (knot insertion)."""
    for axis in range(3):
        old = np.moveaxis(lattice, axis, 0)
        new = np.empty((2 * (len(old) - 3) + 3, *old.shape[1:]))
        new[0::2] = (old[:-1] + old[1:]) / 2
        new[1::2] = (old[:-2] + 6 * old[1:-1] + old[2:]) / 8
        lattice = np.moveaxis(new, 0, axis)
    return np.ascontiguousarray(lattice)


def _sharpened(log_image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo the blur that the field puts on the histogram: the expected true intensities."""
    low, high = float(log_image.min()), float(log_image.max())
    slope = (high - low) / (_BINS - 1)
    if slope <= 0:
        return log_image
    position = (log_image.ravel() - low) / slope
    bin_of = np.minimum(np.floor(position), _BINS - 2).astype(np.int64)
    part = position - bin_of
    histogram = np.zeros(_BINS)
    histogram += np.bincount(bin_of, 1 - part, _BINS)
    histogram += np.bincount(bin_of + 1, part, _BINS)
    expected = _expected_intensity(histogram, low, slope)
    sharp = expected[bin_of] + (expected[bin_of + 1] - expected[bin_of]) * part
    return np.asarray(sharp.reshape(log_image.shape))


def _expected_intensity(
    histogram: NDArray[np.float64], low: float, slope: float
) -> NDArray[np.float64]:
    """Expect a true log intensity in each bin, by Wiener deconvolution with a Gaussian."""
    offset = (_PADDED_BINS - _BINS) // 2
    padded = np.zeros(_PADDED_BINS)
    padded[offset : offset + _BINS] = histogram
    width = _FWHM / slope
    distance = np.minimum(np.arange(_PADDED_BINS), _PADDED_BINS - np.arange(_PADDED_BINS))
    blur = 2 * np.sqrt(np.log(2) / np.pi) / width * np.exp(-4 * np.log(2) * (distance / width) ** 2)
    blur_f = np.fft.rfft(blur)
    wiener = np.conj(blur_f) / (np.abs(blur_f) ** 2 + _WIENER_NOISE)
    true = np.fft.irfft(np.fft.rfft(padded) * wiener.real, _PADDED_BINS)
    true = np.maximum(true, 0.0)
    intensity = low + (np.arange(_PADDED_BINS) - offset) * slope
    above = np.fft.irfft(np.fft.rfft(true * intensity) * blur_f, _PADDED_BINS)
    below = np.fft.irfft(np.fft.rfft(true) * blur_f, _PADDED_BINS)
    ratio = np.divide(above, below, out=np.zeros(_PADDED_BINS), where=below != 0)
    return np.asarray(ratio[offset : offset + _BINS])
