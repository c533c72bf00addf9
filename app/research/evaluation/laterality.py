"""Is left left? How often both maps give a voxel to the same side of the patient.

Dice punishes a swapped side like any other error; this tells the two apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import LEFT_RIGHT_PAIRS

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEFT = tuple(left for left, _ in LEFT_RIGHT_PAIRS)
RIGHT = tuple(right for _, right in LEFT_RIGHT_PAIRS)


def side_agreement(reference: NDArray[np.integer], prediction: NDArray[np.integer]) -> float:
    """Share of voxels on the reference's side, among those that both call a lateral part.

    Parameters
    ----------
    reference, prediction : ndarray of int
        Semantic maps on one grid; costal and articular processes are the lateral parts. Which
        part it is does not matter here, only the side.

    Returns
    -------
    float
        0 to 1; not a number where no voxel is a lateral part in both.

    Examples
    --------
    >>> side_agreement(np.array([43, 43, 46, 48]), np.array([43, 44, 48, 0]))
    0.6666666666666666
    """
    left = np.isin(reference, LEFT), np.isin(prediction, LEFT)
    right = np.isin(reference, RIGHT), np.isin(prediction, RIGHT)
    both = (left[0] | right[0]) & (left[1] | right[1])
    count = np.count_nonzero(both)
    agreed = np.count_nonzero(both & (left[0] == left[1]))
    return float(agreed / count) if count else float("nan")
