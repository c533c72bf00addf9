"""Step 3, phase 1: image -> cleaned subregion label map on the model's grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monai.deploy.core import Operator

from operators.case import GIVEN_MASK, Case, Progress, advance
from operators.errors import SegmentationError
from operators.imaging.nifti import read_label_map
from operators.imaging.orientation import reorient
from operators.spine.semantic_cleanup import clean_semantic

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from operators.networks.semantic import SemanticModel


class SegmentSemanticOperator(Operator):
    """Receive ``cases``, emit ``cases`` with ``semantic_model_grid``."""

    def __init__(
        self,
        fragment: Any,
        *args: Any,
        model: SemanticModel | None,
        given_mask: Path | None,
        progress: Progress,
        **kwargs: Any,
    ) -> None:
        """Keep the loaded network, or the label map that replaces it."""
        self._model = model
        self._given_mask = given_mask
        self._progress = progress
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare ``cases`` in and out."""
        spec.input("cases")
        spec.output("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Segment every case."""
        cases = op_input.receive("cases")
        op_output.emit(advance(cases, "segment_semantic", self._step, self._progress), "cases")

    def _step(self, case: Case) -> Case:
        if self._given_mask is not None:
            mask = read_label_map(self._given_mask)
            return replace(
                case,
                semantic_model_grid=reorient(mask, ("P", "I", "R")),
                facts=(*case.facts, GIVEN_MASK),
            )
        if self._model is None or case.volume is None:
            raise SegmentationError("phase 1 has no network or no image")

        def tiles(done: int, total: int) -> None:
            self._progress(case.key, "segment_semantic", done / max(1, total))

        result = self._model.segment(case.volume, tiles)
        return replace(
            case,
            semantic_model_grid=clean_semantic(result.labels),
            certainty_model_grid=result.certainty,
            agreement_model_grid=result.agreement,
            facts=(*case.facts, *result.facts),
        )
