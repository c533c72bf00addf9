"""Step 5: both masks onto the source grid and made consistent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monai.deploy.core import Operator

from operators.case import GIVEN_MASK, Case, Progress, advance
from operators.errors import SegmentationError
from operators.imaging.resampling import resample_labels_to_grid
from operators.spine.bodiless import without_bodiless
from operators.spine.confidence import Confidence, confidence_of
from operators.spine.plausibility import require_spine
from operators.spine.postprocessing import PostprocessSettings, postprocess

if TYPE_CHECKING:
    from typing import Any

    from operators.imaging.volume import LabelMap


class PostprocessOperator(Operator):
    """Receive ``cases``, emit ``cases`` with the final masks."""

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
        self._progress = progress
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare ``cases`` in and out."""
        spec.input("cases")
        spec.output("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Post-process every case."""
        cases = op_input.receive("cases")
        op_output.emit(advance(cases, "postprocess", self._step, self._progress), "cases")

    def _step(self, case: Case) -> Case:
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
            confidence=_confidence(case, result.semantic, result.instances),
            facts=(*case.facts, *bodiless, *result.warnings),
        )


def _confidence(case: Case, semantic: LabelMap, instances: LabelMap) -> Confidence | None:
    """How certain the network was of the final masks; None where it was not asked."""
    if case.certainty_model_grid is None:
        return None
    certainty = resample_labels_to_grid(case.certainty_model_grid, semantic.grid)
    return confidence_of(semantic, instances, certainty)
