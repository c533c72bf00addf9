"""Step 6: final masks -> the level of every vertebra, with its confidence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monai.deploy.core import Operator

from operators.case import Case, Progress, advance
from operators.errors import SegmentationError
from operators.spine.level_names import name_levels

if TYPE_CHECKING:
    from typing import Any


class LabelVertebraeOperator(Operator):
    """Receive ``cases``, emit ``cases`` with the levels of their vertebrae."""

    def __init__(self, fragment: Any, *args: Any, progress: Progress, **kwargs: Any) -> None:
        """Keep whom to tell."""
        self._progress = progress
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare ``cases`` in and out."""
        spec.input("cases")
        spec.output("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Name the vertebrae of every case."""
        cases = op_input.receive("cases")
        op_output.emit(advance(cases, "label_vertebrae", self._step, self._progress), "cases")

    def _step(self, case: Case) -> Case:
        if case.semantic is None or case.instances is None:
            raise SegmentationError("naming the vertebrae lacks a mask")
        return replace(case, levels=name_levels(case.semantic, case.instances))
