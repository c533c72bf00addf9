"""Sample a volume under a matrix that leaves its first axis alone, quicker than in three axes.

Training windows are zoomed and rotated within the slices only, and the slices of a case mostly lie
where those of the window do. So the same place within a slice serves all slices, and two neighbours
less are asked per axis. The answers are those of `scipy.ndimage.affine_transform` to the last byte:
coordinates are summed up in its order, in float64 (tests compare).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class InPlane:
    """Where the voxels of a window lie in a volume.

    Attributes
    ----------
    matrix : (3, 3) float64 ndarray
        Window voxels to volume voxels; 0 between the first axis and the other two.
    offset : (3,) float64 ndarray
        Volume voxel of the window's first one.
    shape : tuple of 3 int
        Of the window.
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]
    shape: tuple[int, int, int]

    def nearest(self, *volumes: Labels) -> list[Labels]:
        """Sample volumes of one shape at the nearest voxel; 0 outside of them."""
        size = volumes[0].shape
        slices, known = _nearest(self._along(), size[0])
        (rows, row_known), (columns, column_known) = (
            _nearest(at, n) for at, n in zip(self._across(), size[1:], strict=True)
        )
        inside = (row_known & column_known).ravel()
        places = np.where(inside, (rows * size[2] + columns).ravel(), 0)
        picked = []
        for volume in volumes:
            flat = volume.reshape(size[0], -1)
            window = np.zeros((self.shape[0], len(places)), np.uint8)
            for k in np.flatnonzero(known):
                np.multiply(flat[slices[k]][places], inside, out=window[k])
            picked.append(window.reshape(self.shape))
        return picked

    def linear(self, volume: NDArray[np.float32], fill: float) -> NDArray[np.float32]:
        """Interpolate a volume linearly; ``fill`` outside of it."""
        along = self._along()
        if not np.array_equal(along, np.rint(along)):
            whole: NDArray[np.float32] = ndimage.affine_transform(
                volume, self.matrix, self.offset, self.shape, order=1, cval=fill
            )
            return whole
        window = np.full(self.shape, fill, np.float32)
        for k, at in enumerate(along.astype(int)):
            if 0 <= at < volume.shape[0]:
                ndimage.affine_transform(
                    volume[at],
                    self.matrix[1:, 1:],
                    self.offset[1:],
                    self.shape[1:],
                    output=window[k],
                    order=1,
                    cval=fill,
                )
        return window

    def _along(self) -> NDArray[np.float64]:
        """Coordinates of the window's slices on the first axis."""
        at: NDArray[np.float64] = self.matrix[0, 0] * np.arange(self.shape[0]) + self.offset[0]
        return at

    def _across(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coordinates of a slice's voxels on the other two axes."""
        i, j = np.ogrid[: self.shape[1], : self.shape[2]]
        (a, b), (c, d) = self.matrix[1:, 1:]
        return (i * a + j * b) + self.offset[1], (i * c + j * d) + self.offset[2]


def _nearest(at: NDArray[np.float64], size: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Nearest voxels, and which coordinates lie between the first and the last centre."""
    return np.floor(at + 0.5).astype(np.int64), (at >= 0) & (at <= size - 1)
