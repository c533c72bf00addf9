"""Phase 2 of the method: from the label map alone to one mask per vertebra (Möller et al. 2024).

The network that looks at the cutouts is behind `CutoutPredictor`; this module holds no torch and
never sees the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Protocol

import numpy as np

from operators.anatomy.labels import Structure
from operators.errors import NoSpineFoundError
from operators.imaging.cropping import bounding_box, crop
from operators.imaging.orientation import reorient
from operators.imaging.resampling import resample_labels_to_spacing
from operators.spine.corpus_splitting import find_corpus_centres
from operators.spine.instance_merging import (
    couple_predictions,
    paint_couples,
    tidy_instances,
    usable_predictions,
)
from operators.spine.thresholds import (
    REFERENCE_VOXEL_MM3,
    voxels_of_volume,
    whole_voxels_of_length,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from operators.imaging.volume import LabelMap
    from operators.spine.instance_merging import Triple
    from operators.spine.thresholds import Spacing

CROP_MARGIN_MM = 3.75
"""Kept around the foreground (SPINEPS: 5 x 0.75 mm)."""

SMALLEST_THRESHOLD_MM3 = 40 * REFERENCE_VOXEL_MM3
"""Size thresholds never fall below this (SPINEPS); 37.1 mm^3."""

FEW_BODIES = 3
"""Fewer bodies than this give a warning: a cutout expects a neighbour on both sides."""


class CutoutPredictor(Protocol):
    """Looks at the surroundings of each centre and tells three vertebrae apart."""

    def predict(
        self,
        labels: LabelMap,
        centres_zyx: Sequence[tuple[float, float, float]],
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Triple]:
        """Predict, for each centre, the vertebra above, this one and the one below.

        Parameters
        ----------
        labels : LabelMap
            Semantic labels, PIR, on the instance model's grid.
        centres_zyx : sequence of (k, j, i)
            Centres of the vertebral bodies in voxels, lowest first.
        progress : callable, optional
            Called with (cutouts done, all cutouts).
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSettings:
    """What the instance model prescribes.

    Attributes
    ----------
    spacing_zyx_mm : tuple of 3 floats
        Grid of the instance model along (R, I, P).
    corpus_size_cleaning : int
        Smallest eroded vertebral body, in voxels of ``threshold_spacing_zyx_mm``.
    vert_size_threshold : int
        Smallest piece of a vertebra, in voxels of ``threshold_spacing_zyx_mm``.
    threshold_spacing_zyx_mm : tuple of 3 floats, optional
        Grid in which the two thresholds count; default: ``spacing_zyx_mm``. A model with a range
        of resolutions counts in voxels of its finest one.
    """

    spacing_zyx_mm: Spacing = (1.65, 0.75, 0.75)
    corpus_size_cleaning: int = 100
    vert_size_threshold: int = 250
    threshold_spacing_zyx_mm: Spacing | None = None

    @property
    def smallest_body_voxels(self) -> int:
        """`corpus_size_cleaning` in voxels of ``spacing_zyx_mm``."""
        return self._in_voxels(self.corpus_size_cleaning)

    @property
    def smallest_piece_voxels(self) -> int:
        """`vert_size_threshold` in voxels of ``spacing_zyx_mm``."""
        return self._in_voxels(self.vert_size_threshold)

    def _in_voxels(self, count: int) -> int:
        counted_in = self.threshold_spacing_zyx_mm or self.spacing_zyx_mm
        floor = voxels_of_volume(SMALLEST_THRESHOLD_MM3, self.spacing_zyx_mm)
        # The tiny addition keeps 100 voxels of a fixed grid 100 in spite of rounding.
        return max(int(count * prod(counted_in) / prod(self.spacing_zyx_mm) + 1e-6), floor)


@dataclass(frozen=True, slots=True)
class InstancePhaseResult:
    """Vertebrae told apart.

    Attributes
    ----------
    instances : LabelMap
        1..n in the order of merging, which says nothing about height; PIR, on the instance
        model's grid, over the whole field of view of the semantic map.
    warnings : tuple of str
        ``name: detail`` of everything that did not go as intended.
    """

    instances: LabelMap
    warnings: tuple[str, ...]


def segment_vertebrae(
    semantic: LabelMap,
    predictor: CutoutPredictor,
    settings: InstanceSettings,
    progress: Callable[[int, int], None] | None = None,
) -> InstancePhaseResult:
    """Tell the vertebrae of a semantic map apart.

    Parameters
    ----------
    semantic : LabelMap
        Cleaned semantic labels, any orientation and spacing.
    predictor : CutoutPredictor
        The instance network.
    settings : InstanceSettings
        Its grid and thresholds.
    progress : callable, optional
        Called with (cutouts done, all cutouts).

    Returns
    -------
    InstancePhaseResult
        At least one vertebra. Bring it to another grid with ``resample_labels_to_grid``.

    Raises
    ------
    NoSpineFoundError
        If there is no vertebral body (``no_vertebral_body``) or nothing that the network finds
        is big enough (``no_vertebra_instance``).
    """
    turned = reorient(semantic, ("P", "I", "R"))
    placed = resample_labels_to_spacing(turned, settings.spacing_zyx_mm)
    margin = whole_voxels_of_length(CROP_MARGIN_MM, placed.spacing_zyx_mm)
    box = bounding_box(placed.labels_zyx, margin)
    if box is None or not (placed.labels_zyx[box] == Structure.CORPUS).any():
        raise NoSpineFoundError(reasons=("no_vertebral_body",))
    cut = crop(placed, box)
    cut = cut.with_labels(np.ascontiguousarray(cut.labels_zyx))

    found = find_corpus_centres(cut, smallest_body_voxels=settings.smallest_body_voxels)
    triples = predictor.predict(cut, found.centres_zyx, progress)
    predictions = usable_predictions(triples)
    couples = couple_predictions(predictions)
    painted, dropped = paint_couples(couples, predictions, cut.grid.shape_zyx)
    tidy = tidy_instances(painted, settings.smallest_piece_voxels)

    count = int(tidy.max(initial=0))
    if count == 0:
        raise NoSpineFoundError(reasons=("no_vertebra_instance",))
    whole = np.zeros(placed.labels_zyx.shape, np.uint16)
    whole[box] = tidy
    warnings = (*found.warnings, *dropped, *_count_warnings(len(found.centres_zyx), count))
    return InstancePhaseResult(placed.with_labels(whole), warnings)


def _count_warnings(bodies: int, vertebrae: int) -> tuple[str, ...]:
    warnings = []
    if bodies < FEW_BODIES:
        warnings.append(f"few_vertebral_bodies: {bodies}")
    if vertebrae < bodies:
        warnings.append(f"fewer_vertebrae_than_bodies: {vertebrae} of {bodies}")
    return tuple(warnings)
