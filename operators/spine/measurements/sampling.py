"""Masks that can be asked anywhere in the patient, and the frames in which they are asked.

A mask is interpolated linearly between voxel centres; its surface is where that reaches one half,
which is the face between two voxels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates

from operators.imaging.cropping import bounding_box
from operators.imaging.volume import voxel_volume_mm3

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.cropping import Box

    Numbers = NDArray[np.float64]

HALF = 0.5


@dataclass(frozen=True, slots=True)
class Frame:
    """A right-angled frame in the patient.

    Attributes
    ----------
    origin, up, back, left : (3,) ndarray
        LPS mm; unit vectors to the head, to posterior and to the left of the structure, not of the
        scanner.
    """

    origin: Numbers
    up: Numbers
    back: Numbers
    left: Numbers

    @classmethod
    def along(cls, origin: Numbers, up: Numbers, back: Numbers) -> Frame:
        """Frame with this ``up``; ``back`` is made orthogonal to it."""
        upright = up / np.linalg.norm(up)
        behind = back - (back @ upright) * upright
        behind = behind / np.linalg.norm(behind)
        return cls(origin, upright, behind, np.cross(behind, upright))

    def points(self, up: Numbers, back: Numbers, left: Numbers) -> Numbers:
        """Places in the patient, shape (..., 3), of broadcast coordinates in mm."""
        return np.asarray(
            self.origin
            + np.asarray(up)[..., None] * self.up
            + np.asarray(back)[..., None] * self.back
            + np.asarray(left)[..., None] * self.left
        )

    def coordinates(self, points_lps: Numbers) -> Numbers:
        """(up, back, left) in mm of places in the patient, shape (..., 3)."""
        axes = np.stack([self.up, self.back, self.left])
        return np.asarray((points_lps - self.origin) @ axes.T)

    def pitched(self, slope: float) -> Frame:
        """Turn ``up`` and ``back`` about ``left`` until ``back`` rises by this slope."""
        return Frame.along(self.origin, self.up - slope * self.back, self.back + slope * self.up)

    def at(self, up: float, back: float, left: float) -> Frame:
        """Move the origin to these coordinates."""
        place = self.points(*(np.asarray(value) for value in (up, back, left)))
        return replace(self, origin=place)


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the image is, and how near to its border a structure counts as cut.

    Attributes
    ----------
    shape_zyx : tuple of ints
        Of the image.
    affine_lps : (4, 4) ndarray
        Index (k, j, i, 1) to LPS mm.
    margins_voxels : tuple of 3 ints
        Along (k, j, i); 1 = in the last voxel.
    """

    shape_zyx: tuple[int, int, int]
    affine_lps: Numbers
    margins_voxels: tuple[int, int, int]

    def holds(self, points_lps: Numbers) -> NDArray[np.bool_]:
        """Whether places are clear of the border."""
        index = indices_of(points_lps, self.affine_lps)
        margins = np.array(self.margins_voxels) - HALF
        last = np.array(self.shape_zyx) - 1.0
        return np.asarray(((index >= margins) & (index <= last - margins)).all(axis=-1))

    def cuts(self, box: Box) -> tuple[bool, bool, bool]:
        """Whether a box reaches the border, along (k, j, i)."""
        k, j, i = (
            side.start < margin or side.stop > size - margin
            for side, size, margin in zip(box, self.shape_zyx, self.margins_voxels, strict=True)
        )
        return k, j, i


def indices_of(points_lps: Numbers, affine_lps: Numbers) -> Numbers:
    """Array indices (k, j, i) of places in the patient, shape (..., 3)."""
    to_index = np.linalg.inv(affine_lps[:3, :3])
    return np.asarray((points_lps - affine_lps[:3, 3]) @ to_index.T)


@dataclass(frozen=True, slots=True)
class PlacedMask:
    """One structure, cropped, with its place.

    Attributes
    ----------
    occupancy_zyx : ndarray of float32
        1 inside, 0 outside, with an empty voxel on every side.
    affine_lps : (4, 4) ndarray
        Index of that array to LPS mm.
    cut_zyx : tuple of 3 bool
        Whether the image ends at the structure, along each axis.
    """

    occupancy_zyx: NDArray[np.float32]
    affine_lps: Numbers
    cut_zyx: tuple[bool, bool, bool]

    @classmethod
    def of(cls, mask_zyx: NDArray[np.bool_], box: Box, extent: Extent) -> PlacedMask:
        """Place what a mask holds inside a box.

        Parameters
        ----------
        mask_zyx : ndarray of bool
            Values inside the box, any of them True.
        box : tuple of 3 slices
            Part of the image.
        extent : Extent
            Of the image.

        Returns
        -------
        PlacedMask
            Cropped to the structure.
        """
        own = bounding_box(mask_zyx) or (slice(0, 0),) * 3
        starts = [outer.start + inner.start for outer, inner in zip(box, own, strict=True)]
        k, j, i = (
            slice(start, start + inner.stop - inner.start)
            for start, inner in zip(starts, own, strict=True)
        )
        affine = extent.affine_lps.copy()
        affine[:3, 3] += affine[:3, :3] @ (np.array(starts) - 1.0)
        occupancy = np.pad(mask_zyx[own].astype(np.float32), 1)
        return cls(occupancy, affine, extent.cuts((k, j, i)))

    @property
    def volume_mm3(self) -> float:
        """Volume of the voxels inside."""
        return float(self.occupancy_zyx.sum(dtype=np.float64)) * voxel_volume_mm3(self.affine_lps)

    def at(self, points_lps: Numbers) -> NDArray[np.float32]:
        """Occupancy at places in the patient, 0 to 1."""
        places = np.moveaxis(indices_of(points_lps, self.affine_lps), -1, 0)
        return np.asarray(
            map_coordinates(self.occupancy_zyx, places, order=1, mode="constant", prefilter=False)
        )

    def voxels_lps(self) -> Numbers:
        """Centres of the voxels inside, shape (N, 3)."""
        index = np.argwhere(self.occupancy_zyx > HALF)
        return np.asarray(index @ self.affine_lps[:3, :3].T + self.affine_lps[:3, 3])


def outermost(occupancy: NDArray[np.float32], positions: Numbers) -> Numbers:
    """Last position that is inside, along the first axis; NaN where nothing is.

    Parameters
    ----------
    occupancy : (N, ...) ndarray
        Sampled at growing or falling positions; the last sample should be outside.
    positions : (N,) ndarray
        In mm, evenly spaced.

    Returns
    -------
    ndarray
        Position where the occupancy falls through one half, between samples.

    Examples
    --------
    >>> outermost(np.array([0, 1, 1, 0], np.float32), np.arange(4.0))
    array(2.5)
    """
    inside = occupancy >= HALF
    last = inside.shape[0] - 1 - inside[::-1].argmax(axis=0)
    return _crossing(occupancy, positions, last, np.asarray(inside.any(axis=0)))


def first_exit(occupancy: NDArray[np.float32], positions: Numbers) -> Numbers:
    """First position at which an unbroken run from the first sample ends; NaN without one.

    Parameters
    ----------
    occupancy, positions
        As for `outermost`.

    Returns
    -------
    ndarray
        Position where the occupancy falls through one half for the first time.

    Examples
    --------
    >>> first_exit(np.array([1, 1, 0, 1, 0], np.float32), np.arange(5.0))
    array(1.5)
    """
    inside = occupancy >= HALF
    length = np.where(inside.all(axis=0), inside.shape[0], (~inside).argmax(axis=0))
    return _crossing(occupancy, positions, np.maximum(length - 1, 0), np.asarray(inside[0]))


def _crossing(
    occupancy: NDArray[np.float32],
    positions: Numbers,
    last: NDArray[np.intp],
    valid: NDArray[np.bool_],
) -> Numbers:
    """Where the line from sample ``last`` to the next one falls through one half."""
    following = np.minimum(last + 1, occupancy.shape[0] - 1)
    here, there = (
        np.take_along_axis(occupancy, index[None], axis=0)[0].astype(np.float64)
        for index in (last, following)
    )
    fall = here - there
    share = np.divide(here - HALF, fall, out=np.zeros_like(fall), where=fall > 0)
    step = positions[1] - positions[0]
    return np.asarray(np.where(valid, positions[last] + share * step, np.nan))
