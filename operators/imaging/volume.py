"""Arrays that know where they are in the patient.

Index order is always ``[k, j, i]`` (slice, row, column; ``zyx``); coordinates are DICOM patient
coordinates in mm (LPS: +x left, +y posterior, +z superior). This module does no I/O and no
resampling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from operators.errors import GeometryError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SliceSource:
    """Where one slice of a volume came from, so that results can point back to it.

    Attributes
    ----------
    path : Path
        File of the instance.
    sop_class_uid, sop_instance_uid : str
        Identity of the instance (DICOM PS3.3 C.12.1).
    frame_number : int or None
        1-based frame of a multi-frame instance, None for a single-frame one.
    """

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    frame_number: int | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A regular grid of voxels in the patient, without values.

    Attributes
    ----------
    shape_zyx : tuple of int
        Number of voxels along (k, j, i).
    affine_lps : (4, 4) ndarray of float64
        Maps the index ``(k, j, i, 1)`` to the voxel centre in mm, LPS.
    """

    shape_zyx: tuple[int, int, int]
    affine_lps: NDArray[np.float64]

    @property
    def spacing_zyx_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along (k, j, i), in mm."""
        return spacing_of(self.affine_lps)


@dataclass(frozen=True, slots=True)
class Volume:
    """Image intensities on a regular grid, placed in the patient.

    Attributes
    ----------
    voxels_zyx : (Z, Y, X) ndarray
        Sample values; ``voxels_zyx[k, j, i]`` is slice k, row j, column i.
    affine_lps : (4, 4) ndarray of float64
        Maps the index ``(k, j, i, 1)`` to the position in mm of that voxel's centre, LPS.
    source : tuple of SliceSource
        One per slice k in array order; empty where the volume did not come from DICOM.
    """

    voxels_zyx: NDArray[np.generic]
    affine_lps: NDArray[np.float64]
    source: tuple[SliceSource, ...] = ()

    @property
    def grid(self) -> Grid:
        """The volume's grid."""
        k, j, i = self.voxels_zyx.shape
        return Grid((k, j, i), self.affine_lps)

    @property
    def spacing_zyx_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along (k, j, i), in mm."""
        return spacing_of(self.affine_lps)

    def with_voxels(self, voxels_zyx: NDArray[np.generic]) -> Volume:
        """Return the same place in the patient with other values of the same shape."""
        if voxels_zyx.shape != self.voxels_zyx.shape:
            message = f"shape {voxels_zyx.shape} does not fit the grid {self.voxels_zyx.shape}"
            raise GeometryError(message)
        return replace(self, voxels_zyx=voxels_zyx)


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Integer labels on a regular grid, placed in the patient.

    Attributes
    ----------
    labels_zyx : (Z, Y, X) ndarray of an unsigned integer type
        0 is background; what the numbers mean stands in ``operators.anatomy.labels``.
    affine_lps : (4, 4) ndarray of float64
        As in `Volume`.
    """

    labels_zyx: NDArray[np.unsignedinteger]
    affine_lps: NDArray[np.float64]

    @property
    def grid(self) -> Grid:
        """The label map's grid."""
        k, j, i = self.labels_zyx.shape
        return Grid((k, j, i), self.affine_lps)

    @property
    def spacing_zyx_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along (k, j, i), in mm."""
        return spacing_of(self.affine_lps)

    def with_labels(self, labels_zyx: NDArray[np.unsignedinteger]) -> LabelMap:
        """Return the same place in the patient with other labels of the same shape."""
        if labels_zyx.shape != self.labels_zyx.shape:
            message = f"shape {labels_zyx.shape} does not fit the grid {self.labels_zyx.shape}"
            raise GeometryError(message)
        return replace(self, labels_zyx=labels_zyx)


@dataclass(frozen=True, slots=True)
class SparseMask:
    """A boolean mask stored only inside its bounding box.

    Attributes
    ----------
    box : tuple of 3 slices
        Position of the box in the full array, along (k, j, i); start and stop are set.
    mask_zyx : ndarray of bool
        Values inside the box; everything outside is False.
    """

    box: tuple[slice, slice, slice]
    mask_zyx: NDArray[np.bool_]


def array_of(placed: Volume | LabelMap) -> NDArray[np.generic]:
    """Values of an image or a label map, for what treats both alike."""
    return placed.voxels_zyx if isinstance(placed, Volume) else placed.labels_zyx


def spacing_of(affine_lps: NDArray[np.float64]) -> tuple[float, float, float]:
    """Voxel spacing of an affine.

    Parameters
    ----------
    affine_lps : (4, 4) ndarray
        Index (k, j, i, 1) to LPS mm.

    Returns
    -------
    tuple of 3 floats
        Length of each index step (k, j, i) in mm.
    """
    k, j, i = np.linalg.norm(affine_lps[:3, :3], axis=0)
    return float(k), float(j), float(i)


def voxel_volume_mm3(affine_lps: NDArray[np.float64]) -> float:
    """Volume of one voxel.

    Parameters
    ----------
    affine_lps : (4, 4) ndarray
        Index to mm.

    Returns
    -------
    float
        Absolute determinant of the 3 x 3 part, in cubic millimetres.

    Raises
    ------
    GeometryError
        If the three axes do not span space (determinant 0).

    Examples
    --------
    >>> round(voxel_volume_mm3(np.diag([3.3, 0.5, 0.5, 1.0])), 3)
    0.825
    """
    determinant = float(np.linalg.det(affine_lps[:3, :3]))
    if determinant == 0.0:
        raise GeometryError("the axes are linearly dependent", reasons=("singular_affine",))
    return abs(determinant)
