"""Step 3, phase 1: image -> cleaned subregion label map on the model's grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from operators.case import GIVEN_MASK, Case
from operators.case_step import CaseStep
from operators.errors import SegmentationError
from operators.imaging.nifti import read_label_map
from operators.imaging.orientation import reorient
from operators.spine.semantic_cleanup import clean_semantic

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from operators.case import Progress
    from operators.networks.semantic import SemanticModel


class SegmentSemanticOperator(CaseStep):
    """Receive ``cases``, emit ``cases`` with ``semantic_model_grid``."""

    NAME = "segment_semantic"

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
        super().__init__(fragment, *args, progress=progress, **kwargs)

    def step(self, case: Case) -> Case:
        """Segment a case, or take the given label map for it."""
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
            self._progress(case.key, self.NAME, done / max(1, total))

        result = self._model.segment(case.volume, tiles, needs_body=True)
        return replace(
            case,
            semantic_model_grid=clean_semantic(result.labels),
            certainty_model_grid=result.certainty,
            agreement_model_grid=result.agreement,
            facts=(*case.facts, *result.facts),
        )
