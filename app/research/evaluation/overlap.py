"""How much two masks share: Dice similarity coefficient (DSC) and intersection over union (IoU).

What counts where a structure is absent, everywhere in this room: absent in both = not a number
(nothing to score, left out of means); absent in one = 0. Distances are the business of ``surface``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Labels = NDArray[np.integer]


def dice(reference: Mask, prediction: Mask) -> float:
    """Dice similarity coefficient, 2 |A and B| / (|A| + |B|).

    Parameters
    ----------
    reference, prediction : ndarray of bool
        Of the same shape, on the same grid.

    Returns
    -------
    float
        0 to 1; not a number where both are empty.

    Examples
    --------
    >>> dice(np.array([True, True, False]), np.array([False, True, True]))
    0.5
    """
    total = np.count_nonzero(reference) + np.count_nonzero(prediction)
    return float(2 * np.count_nonzero(reference & prediction) / total) if total else float("nan")


def intersection_over_union(reference: Mask, prediction: Mask) -> float:
    """Jaccard index, |A and B| / |A or B|; absent structures as in `dice`."""
    union = np.count_nonzero(reference | prediction)
    return float(np.count_nonzero(reference & prediction) / union) if union else float("nan")


@dataclass(frozen=True, slots=True)
class Contingency:
    """Voxels shared by every pair of labels of two maps; background 0 has no row and no column.

    Attributes
    ----------
    reference, prediction : (R,), (P,) ndarray of int
        Labels that occur, ascending.
    shared : (R, P) ndarray of int
        Voxels that carry both labels.
    reference_sizes, prediction_sizes : (R,), (P,) ndarray of int
        Voxels of each label.
    """

    reference: NDArray[np.int64]
    prediction: NDArray[np.int64]
    shared: NDArray[np.int64]
    reference_sizes: NDArray[np.int64]
    prediction_sizes: NDArray[np.int64]

    @property
    def iou(self) -> NDArray[np.float64]:
        """(R, P) intersection over union of every pair."""
        union = self.reference_sizes[:, None] + self.prediction_sizes[None] - self.shared
        return np.asarray(self.shared / np.maximum(union, 1), np.float64)


def contingency(reference: Labels, prediction: Labels) -> Contingency:
    """Count the voxels shared by every pair of labels in one pass.

    Parameters
    ----------
    reference, prediction : ndarray of a non-negative integer type
        Label maps of the same shape, on the same grid.

    Returns
    -------
    Contingency
        Without the background.
    """
    rows, columns = int(reference.max(initial=0)) + 1, int(prediction.max(initial=0)) + 1
    pairs = reference.astype(np.int64).ravel() * columns + prediction.astype(np.int64).ravel()
    table = np.bincount(pairs, minlength=rows * columns).reshape(rows, columns)
    reference_sizes, prediction_sizes = table.sum(axis=1), table.sum(axis=0)
    r = np.flatnonzero(reference_sizes[1:]) + 1
    p = np.flatnonzero(prediction_sizes[1:]) + 1
    return Contingency(r, p, table[np.ix_(r, p)], reference_sizes[r], prediction_sizes[p])
