"""What phase 1 answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operators.imaging.volume import LabelMap


@dataclass(frozen=True, slots=True)
class SemanticResult:
    """What phase 1 found.

    Attributes
    ----------
    labels : LabelMap
        On the model's grid and orientation, over the padded field of view.
    facts : tuple of str
        What had to be repaired on the way, such as ``hot_voxels_capped: 3``.
    certainty : LabelMap or None
        Probability of each voxel's winner times 255, on the grid of ``labels``; None for models
        that decide region by region.
    agreement : LabelMap or None
        Share of the answers (a network on a mirror image) that agree with the mean
        (`fold_votes`) times `ALL_AGREE`, on the same grid; None for a single fold too.
    """

    labels: LabelMap
    facts: tuple[str, ...]
    certainty: LabelMap | None = None
    agreement: LabelMap | None = None
