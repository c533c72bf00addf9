"""Step 5: both masks onto the source grid and made consistent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from operators.case import GIVEN_MASK, Case
from operators.case_step import CaseStep
from operators.errors import SegmentationError
from operators.imaging.resampling import resample_labels_to_grid
from operators.spine.bodiless import without_bodiless
from operators.spine.confidence import Agreement, Confidence
from operators.spine.postprocessing import PostprocessResult, PostprocessSettings, postprocess
from operators.spine.quality.presence import require_spine

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from operators.case import Progress
    from operators.imaging.volume import LabelMap

Figures = TypeVar("Figures")


class PostprocessOperator(CaseStep):
    """Receive ``cases``, emit ``cases`` with the final masks."""

    NAME = "postprocess"

    def __init__(
        self,
        fragment: Any,
        *args: Any,
        settings: PostprocessSettings,
        progress: Progress,
        **kwargs: Any,
    ) -> None:
        """Keep how to number."""
        self._settings = settings
        super().__init__(fragment, *args, progress=progress, **kwargs)

    def step(self, case: Case) -> Case:
        """Post-process a case."""
        volume, semantic, raw = case.volume, case.semantic_model_grid, case.instances_model_grid
        if volume is None or semantic is None or raw is None:
            raise SegmentationError("post-processing lacks the image or a mask")
        structures = resample_labels_to_grid(semantic, volume.grid)
        vertebrae = resample_labels_to_grid(raw, volume.grid)
        vertebrae, bodiless = without_bodiless(structures, vertebrae)
        result = postprocess(structures, vertebrae, self._settings)
        if GIVEN_MASK not in case.facts:
            require_spine(result.semantic, result.instances)
        return replace(
            case,
            semantic=result.semantic,
            instances=result.instances,
            confidence=_figures(Confidence.of, result, case.certainty_model_grid),
            agreement=_figures(Agreement.of, result, case.agreement_model_grid),
            facts=(*case.facts, *bodiless, *result.warnings),
        )


def _figures(
    figures_of: Callable[[LabelMap, LabelMap, LabelMap], Figures],
    masks: PostprocessResult,
    voxels: LabelMap | None,
) -> Figures | None:
    """Means of a network's map on the model grid over the final masks; None without a map."""
    if voxels is None:
        return None
    on_source = resample_labels_to_grid(voxels, masks.semantic.grid)
    return figures_of(masks.semantic, masks.instances, on_source)
