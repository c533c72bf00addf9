"""Step 7: final masks and level names -> measurements, each a value or why there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from operators.anatomy.levels import level_text
from operators.case_step import CaseStep
from operators.errors import SegmentationError
from operators.spine.measurements.measure import measure

if TYPE_CHECKING:
    from operators.case import Case


class MeasureSpineOperator(CaseStep):
    """Receive ``cases``, emit ``cases`` with their measurements."""

    NAME = "measure_spine"

    def step(self, case: Case) -> Case:
        """Measure a case that has masks."""
        if case.semantic is None or case.instances is None:
            raise SegmentationError("there are no masks to measure")
        # Only levels that may be stated: a curve between wrong ones is a wrong angle.
        names = {n: level_text(name.level) for n, name in case.levels.items() if name.is_certain}
        return replace(case, measurements=measure(case.semantic, case.instances, names))
