"""Which predicted instance is which reference instance, and how many were recognised.

Instances are matched by overlap, never by number: running numbers of two methods need not agree.

References
----------
Kirillov et al., Panoptic segmentation, CVPR 2019 (RQ, SQ, PQ); Möller et al. 2024 use them at
IoU >= 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from app.research.evaluation.overlap import contingency

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MATCH_IOU = 0.5
"""Smallest intersection over union of a match (the paper's threshold, inclusive)."""


@dataclass(frozen=True, slots=True)
class Match:
    """A reference instance and the predicted one that stands for it.

    Attributes
    ----------
    reference, prediction : int
        Labels in the two maps.
    iou : float
        Their intersection over union.
    """

    reference: int
    prediction: int
    iou: float


@dataclass(frozen=True, slots=True)
class Matching:
    """What belongs together and what is left over.

    Attributes
    ----------
    matches : tuple of Match
        True positives, by ascending reference label.
    missed : tuple of int
        Reference labels without a partner: false negatives.
    extra : tuple of int
        Predicted labels without a partner: false positives.
    """

    matches: tuple[Match, ...]
    missed: tuple[int, ...]
    extra: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recognition:
    """Panoptic quality of one set of instances.

    Attributes
    ----------
    tp, fp, fn : int
        Matched, extra and missed instances.
    sq : float
        Segmentation quality: mean IoU of the matches; not a number without a match.
    """

    tp: int
    fp: int
    fn: int
    sq: float

    @property
    def rq(self) -> float:
        """Recognition quality, TP / (TP + FP/2 + FN/2); not a number without any instance."""
        weight = self.tp + (self.fp + self.fn) / 2
        return self.tp / weight if weight else float("nan")

    @property
    def pq(self) -> float:
        """Panoptic quality, SQ x RQ; 0 where instances exist and none is matched."""
        return self.rq * self.sq if self.tp else self.rq


def match_instances(
    reference: NDArray[np.integer],
    prediction: NDArray[np.integer],
    least_iou: float = MATCH_IOU,
) -> Matching:
    """Pair instances one to one, as many as possible and then with the largest overlap.

    Parameters
    ----------
    reference, prediction : ndarray of a non-negative integer type
        Instance maps on one grid; 0 is background.
    least_iou : float
        Pairs below it never match.

    Returns
    -------
    Matching
        The optimal assignment. Above an IoU of 0.5 a partner is unique anyway; at exactly 0.5 two
        halves of one instance tie, and one of them is chosen.

    Examples
    --------
    >>> match_instances(np.array([1, 1, 2, 2]), np.array([7, 7, 0, 8])).matches
    (Match(reference=1, prediction=7, iou=1.0), Match(reference=2, prediction=8, iou=0.5))
    """
    table = contingency(reference, prediction)
    iou = table.iou
    # One more match outweighs any gain in overlap of the others.
    gain = np.where(iou >= least_iou, iou + min(iou.shape), 0.0)
    pairs = [
        (int(r), int(p))
        for r, p in zip(*linear_sum_assignment(gain, maximize=True), strict=True)
        if gain[r, p] > 0
    ]
    return Matching(
        tuple(
            Match(int(table.reference[r]), int(table.prediction[p]), float(iou[r, p]))
            for r, p in sorted(pairs)
        ),
        tuple(np.delete(table.reference, [r for r, _ in pairs]).tolist()),
        tuple(np.delete(table.prediction, [p for _, p in pairs]).tolist()),
    )


def recognition(overlaps: Sequence[float], *, extra: int, missed: int) -> Recognition:
    """Count instances; the mean IoU of the matches is the segmentation quality.

    Parameters
    ----------
    overlaps : sequence of float
        IoU of each match.
    extra, missed : int
        Instances without a partner.

    Returns
    -------
    Recognition
        Counts and qualities.

    Examples
    --------
    >>> found = recognition([0.9, 0.7], extra=1, missed=1)
    >>> round(found.rq, 3), round(found.sq, 3), round(found.pq, 3)
    (0.667, 0.8, 0.533)
    """
    sq = float(np.mean(overlaps)) if len(overlaps) else float("nan")
    return Recognition(len(overlaps), extra, missed, sq)
