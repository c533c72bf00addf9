"""How certain the network was, structure by structure and vertebra by vertebra.

The certainty of a voxel is the network's probability of its winning class. The mean over a
structure tells doubtful results from good ones; it is not the share of right voxels, unless the
model's temperature was calibrated for that (see its card).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import VERTEBRA_INSTANCES, Structure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap

LOW_CONFIDENCE: Final = 0.6
"""Below this mean a structure or a vertebra is flagged for a human to look at: if the model is
calibrated, fewer than 3 in 5 of its voxels are expected to be right."""

CERTAIN: Final = 255
"""Certainty of a voxel whose winner has probability 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """Mean probability of the winning class, 0 to 1.

    Attributes
    ----------
    structures : dict of int to float
        By semantic label.
    vertebrae : dict of int to float
        By instance id, over the vertebra's voxels.
    """

    structures: dict[int, float]
    vertebrae: dict[int, float]

    @property
    def low(self) -> tuple[str, ...]:
        """Names of what lies below `LOW_CONFIDENCE`: structures, then vertebrae from the top."""
        structures = [
            Structure(label).name.lower()
            for label, mean in self.structures.items()
            if mean < LOW_CONFIDENCE
        ]
        vertebrae = [f"vertebra_{n}" for n, mean in self.vertebrae.items() if mean < LOW_CONFIDENCE]
        return (*structures, *vertebrae)


def confidence_of(semantic: LabelMap, instances: LabelMap, certainty: LabelMap) -> Confidence:
    """Average the voxels' certainty over structures and vertebrae.

    Parameters
    ----------
    semantic, instances : LabelMap
        Final masks.
    certainty : LabelMap
        Probability of the network's winner times 255, on the same grid.

    Returns
    -------
    Confidence
        Of everything that occurs.
    """
    sure = certainty.labels_zyx
    return Confidence(
        structures=_means(semantic.labels_zyx, sure, Structure),
        vertebrae=_means(instances.labels_zyx, sure, VERTEBRA_INSTANCES),
    )


def _means(
    labels: NDArray[np.integer], sure: NDArray[np.integer], wanted: Iterable[int]
) -> dict[int, float]:
    counts = np.bincount(labels.ravel())
    sums = np.bincount(labels.ravel(), weights=sure.ravel())
    return {
        int(label): round(float(sums[label] / counts[label]) / CERTAIN, 3)
        for label in sorted(wanted)
        if label < len(counts) and counts[label]
    }
