"""Step 8: masks, image and the networks' doubt -> what the quality gate says of the result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from operators.case_step import CaseStep
from operators.errors import SegmentationError
from operators.spine.measurements.measure import withdrawn
from operators.spine.quality.assess import assess
from operators.spine.quality.evidence import Evidence
from operators.spine.quality.findings import Outcome

if TYPE_CHECKING:
    from operators.case import Case


class AssessQualityOperator(CaseStep):
    """Receive ``cases``, emit ``cases`` with their quality."""

    NAME = "assess_quality"

    def step(self, case: Case) -> Case:
        """Judge a case that has masks."""
        if case.semantic is None or case.instances is None:
            raise SegmentationError("there are no masks to judge")
        evidence = Evidence.of(
            case.semantic,
            case.instances,
            case.volume,
            confidence=case.confidence,
            agreement=case.agreement,
            levels=case.levels,
        )
        quality = assess(evidence)
        measured = case.measurements
        if quality.outcome is Outcome.WITHHOLD:
            measured = withdrawn(measured)
        return replace(case, quality=quality, measurements=measured)
