"""Average symmetric surface distance (ASSD) in millimetres.

Definition, named because libraries differ: the surface of a mask is its *border voxels*, those
with at least one of six face neighbours outside the mask or outside the image; each stands as one
point at its centre, without surface elements (surfels) or meshes. The ASSD is the mean of the two
directed means, reference to prediction and back, as panoptica computes it, not the mean over the
pooled points. Positions come from the affine, so any spacing, obliqueness or shear is exact, and
no spacing is ever assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree

from operators.imaging.cropping import bounding_box

if TYPE_CHECKING:
    from numpy.typing import NDArray


def border_positions_mm(
    mask: NDArray[np.bool_], affine_lps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Centres of a mask's border voxels.

    Parameters
    ----------
    mask : (Z, Y, X) ndarray of bool
        Index order (k, j, i).
    affine_lps : (4, 4) ndarray
        Index (k, j, i, 1) to LPS mm.

    Returns
    -------
    (N, 3) ndarray of float64
        Positions in mm, LPS; N = 0 where the mask is empty.
    """
    box = bounding_box(mask)
    if box is None:
        return np.empty((0, 3))
    inside = mask[box]
    index = np.argwhere(inside & ~binary_erosion(inside)) + [side.start for side in box]
    return np.asarray(index @ affine_lps[:3, :3].T + affine_lps[:3, 3], np.float64)


def average_symmetric_surface_distance(
    reference: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    affine_lps: NDArray[np.float64],
) -> float:
    """Mean distance between two surfaces, both ways.

    Parameters
    ----------
    reference, prediction : (Z, Y, X) ndarray of bool
        On the same grid.
    affine_lps : (4, 4) ndarray
        Of that grid, index (k, j, i, 1) to LPS mm.

    Returns
    -------
    float
        Millimetres; not a number where either mask is empty: there is no distance to a surface
        that does not exist (the Dice of 0 says so; tables count such cases).

    Examples
    --------
    One voxel against its neighbour, 3 mm away along k:

    >>> a, b = np.zeros((2, 1, 1), bool), np.zeros((2, 1, 1), bool)
    >>> a[0], b[1] = True, True
    >>> average_symmetric_surface_distance(a, b, np.diag([3.0, 1.0, 1.0, 1.0]))
    3.0
    """
    of_reference = border_positions_mm(reference, affine_lps)
    of_prediction = border_positions_mm(prediction, affine_lps)
    if not len(of_reference) or not len(of_prediction):
        return float("nan")
    forth = np.mean(KDTree(of_prediction).query(of_reference)[0])
    back = np.mean(KDTree(of_reference).query(of_prediction)[0])
    return float((forth + back) / 2)
