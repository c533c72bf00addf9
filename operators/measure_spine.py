"""Step 7: final masks and level names -> measurements, each a value or why there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monai.deploy.core import Operator

from operators.anatomy.levels import level_text
from operators.case import Case, Progress, advance
from operators.errors import SegmentationError
from operators.spine.measurements.measure import measure

if TYPE_CHECKING:
    from typing import Any


class MeasureSpineOperator(Operator):
    """Receive ``cases``, emit ``cases`` with their measurements."""

    def __init__(self, fragment: Any, *args: Any, progress: Progress, **kwargs: Any) -> None:
        """Keep whom to tell."""
        self._progress = progress
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare ``cases`` in and out."""
        spec.input("cases")
        spec.output("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Measure every case that has masks."""
        cases = op_input.receive("cases")
        op_output.emit(advance(cases, "measure_spine", self._step, self._progress), "cases")

    def _step(self, case: Case) -> Case:
        if case.semantic is None or case.instances is None:
            raise SegmentationError("there are no masks to measure")
        # Only levels that may be stated: a curve between wrong ones is a wrong angle.
        names = {n: level_text(name.level) for n, name in case.levels.items() if name.is_certain}
        return replace(case, measurements=measure(case.semantic, case.instances, names))
