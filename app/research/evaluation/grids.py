"""Bring a mask onto the reference's grid without losing or inventing a voxel.

Two files may store the same lattice with other axis orders, directions or extents; that is undone
exactly. Anything else is refused by name: an interpolated mask is another mask, and its scores
would depend on who interpolated.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from operators.errors import GeometryError
from operators.imaging.resampling import resample_labels_to_grid

if TYPE_CHECKING:
    from operators.imaging.volume import Grid, LabelMap

OFF_LATTICE_VOXELS = 0.05
"""Largest distance of a corner from the other lattice, in voxels: rounding of stored affines
(NIfTI keeps 32-bit floats, DICOM 16 characters), no true shift."""


def bring_onto(labels: LabelMap, grid: Grid) -> LabelMap:
    """Reorder, flip, cut or pad a label map until it lies on a grid; no interpolation.

    Parameters
    ----------
    labels : LabelMap
        Any orientation and extent.
    grid : Grid
        Where it is wanted.

    Returns
    -------
    LabelMap
        On ``grid``, every labelled voxel at its place in the patient.

    Raises
    ------
    GeometryError
        If the lattices differ (``different_grids``), or labelled voxels lie outside the grid
        (``outside_reference``).
    """
    labels_from_grid = np.linalg.inv(labels.affine_lps) @ grid.affine_lps
    whole = np.rint(labels_from_grid)
    corners = [(*corner, 1) for corner in product(*((0, size - 1) for size in grid.shape_zyx))]
    drift = np.abs((labels_from_grid - whole) @ np.array(corners).T)[:3].max()
    is_permutation = bool((np.abs(whole[:3, :3]).sum(axis=0) == 1).all()) and bool(
        (np.abs(whole[:3, :3]).sum(axis=1) == 1).all()
    )
    if drift > OFF_LATTICE_VOXELS or not is_permutation:
        message = (
            f"spacing {_text(labels.spacing_zyx_mm)} mm against {_text(grid.spacing_zyx_mm)} mm, "
            f"corners off by {drift:.2f} voxels: the masks lie on different grids and are not "
            "resampled"
        )
        raise GeometryError(message, reasons=("different_grids",))
    moved = resample_labels_to_grid(labels, grid)
    lost = np.count_nonzero(labels.labels_zyx) - np.count_nonzero(moved.labels_zyx)
    if lost:
        raise GeometryError(
            f"{lost} labelled voxels lie outside the reference's grid",
            reasons=("outside_reference",),
        )
    return moved


def _text(spacing_mm: tuple[float, float, float]) -> str:
    return " x ".join(f"{side:.3f}" for side in spacing_mm)
