"""Step 4, phase 2: subregions -> vertebra instances, from the label map alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monai.deploy.core import Operator

from operators.case import Case, Progress, advance
from operators.errors import SegmentationError
from operators.spine.instance_phase import InstanceSettings, segment_vertebrae

if TYPE_CHECKING:
    from typing import Any

    from operators.networks.instances import InstanceModel


class SegmentInstancesOperator(Operator):
    """Receive ``cases``, emit ``cases`` with ``instances_model_grid``."""

    def __init__(
        self, fragment: Any, *args: Any, model: InstanceModel, progress: Progress, **kwargs: Any
    ) -> None:
        """Keep the loaded network."""
        self._model = model
        self._progress = progress
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare ``cases`` in and out."""
        spec.input("cases")
        spec.output("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Separate the vertebrae of every case."""
        cases = op_input.receive("cases")
        op_output.emit(advance(cases, "segment_instances", self._step, self._progress), "cases")

    def _step(self, case: Case) -> Case:
        if case.semantic_model_grid is None:
            raise SegmentationError("phase 2 has no label map")

        def cutouts(done: int, total: int) -> None:
            self._progress(case.key, "segment_instances", done / max(1, total))

        result = segment_vertebrae(
            case.semantic_model_grid, self._model, InstanceSettings.of(self._model.config), cutouts
        )
        return replace(
            case,
            instances_model_grid=result.instances,
            facts=(*case.facts, *result.warnings),
        )
