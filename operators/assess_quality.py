"""Step 8: masks, image and the networks' doubt -> what the quality gate says of the result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monai.deploy.core import Operator

from operators.case import Case, Progress, advance
from operators.errors import SegmentationError
from operators.spine.measurements.measure import withdrawn
from operators.spine.quality.assess import assess
from operators.spine.quality.evidence import Evidence
from operators.spine.quality.findings import Outcome

if TYPE_CHECKING:
    from typing import Any


class AssessQualityOperator(Operator):
    """Receive ``cases``, emit ``cases`` with their quality."""

    def __init__(self, fragment: Any, *args: Any, progress: Progress, **kwargs: Any) -> None:
        """Keep whom to tell."""
        self._progress = progress
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare ``cases`` in and out."""
        spec.input("cases")
        spec.output("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Judge every case that has masks."""
        cases = op_input.receive("cases")
        op_output.emit(advance(cases, "assess_quality", self._step, self._progress), "cases")

    def _step(self, case: Case) -> Case:
        if case.semantic is None or case.instances is None:
            raise SegmentationError("there are no masks to judge")
        evidence = Evidence.of(
            case.semantic,
            case.instances,
            case.volume,
            confidence=case.confidence,
            agreement=case.agreement,
        )
        quality = assess(evidence)
        measured = case.measurements
        if quality.outcome is Outcome.WITHHOLD:
            measured = withdrawn(measured)
        return replace(case, quality=quality, measurements=measured)
