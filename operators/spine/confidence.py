"""How certain the networks were, structure by structure and vertebra by vertebra.

Two figures, for two kinds of doubt. The confidence of a voxel is the probability of its class in
the mean of all folds; the mean over a structure tells doubtful results from good ones; it is not
the share of right voxels, unless the model's temperature was calibrated for that (see its card).
The agreement of a voxel is the share of the folds that name the class which their mean names
(Lakshminarayanan et al. 2017, arXiv 1612.01474: members of an ensemble contradict each other where
an image is unlike the training's); definition and choice: `operators.networks.fold_votes`. A model
of one fold has no agreement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from operators.anatomy.labels import VERTEBRA_INSTANCES, Structure
from operators.anatomy.vertebrae import vertebra_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap

LOW_CONFIDENCE: Final = 0.6
"""Below this mean a structure or a vertebra is flagged for a human to look at: if the model is
calibrated, fewer than 3 in 5 of its voxels are expected to be right."""

LOW_AGREEMENT: Final = 0.8
"""Below this mean a structure or a vertebra is flagged: more than one answer in five differs. One
fold of three that misses it altogether leaves 2/3, one of two 1/2."""

CERTAIN: Final = 255
"""Certainty of a voxel whose winner has probability 1."""

ALL_AGREE: Final = 240
"""Agreement of a voxel whose class all folds name; `operators.networks.slab_decision` counts so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """Means over structures and vertebrae, 0 to 1.

    Attributes
    ----------
    structures : dict of int to float
        By semantic label.
    vertebrae : dict of int to float
        By instance id, over the vertebra's voxels.
    """

    WHOLE: ClassVar[int]

    structures: dict[int, float]
    vertebrae: dict[int, float]

    @classmethod
    def of(cls, semantic: LabelMap, instances: LabelMap, voxels: LabelMap) -> Self:
        """Average the voxels' values over all structures and vertebrae that occur.

        Parameters
        ----------
        semantic, instances : LabelMap
            Final masks.
        voxels : LabelMap
            Share times ``WHOLE``, on the same grid.
        """
        values = voxels.labels_zyx
        return cls(
            structures=_means(semantic.labels_zyx, values, Structure, cls.WHOLE),
            vertebrae=_means(instances.labels_zyx, values, VERTEBRA_INSTANCES, cls.WHOLE),
        )

    @property
    def by_place(self) -> dict[str, float]:
        """Means by name: structures (``canal``), then vertebrae by id (``vertebra_3``)."""
        structures = {Structure(label).name.lower(): m for label, m in self.structures.items()}
        vertebrae = {vertebra_text(n).replace(" ", "_"): m for n, m in self.vertebrae.items()}
        return {**structures, **vertebrae}


class Confidence(_Means):
    """Mean probability of the winning class; voxels hold it times 255 (`CERTAIN`)."""

    __slots__ = ()
    WHOLE = CERTAIN


class Agreement(_Means):
    """Mean share of the folds that name the winning class; voxels hold it times 240."""

    __slots__ = ()
    WHOLE = ALL_AGREE


def _means(
    labels: NDArray[np.integer], values: NDArray[np.integer], wanted: Iterable[int], whole: int
) -> dict[int, float]:
    """Mean value per label that occurs, as a share of ``whole``."""
    counts = np.bincount(labels.ravel())
    sums = np.bincount(labels.ravel(), weights=values.ravel())
    return {
        int(label): round(float(sums[label] / counts[label]) / whole, 3)
        for label in sorted(wanted)
        if label < len(counts) and counts[label]
    }
