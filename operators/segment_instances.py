"""Step 4, phase 2: subregions -> vertebra instances, from the label map alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from operators.case_step import CaseStep
from operators.errors import SegmentationError
from operators.imaging.orientation import reorient
from operators.spine.instance_phase import InstanceSettings, segment_vertebrae

if TYPE_CHECKING:
    from typing import Any

    from operators.case import Case, Progress
    from operators.imaging.volume import LabelMap
    from operators.networks.inference_config import InferenceConfig
    from operators.networks.instances import InstanceModel


class SegmentInstancesOperator(CaseStep):
    """Receive ``cases``, emit ``cases`` with ``instances_model_grid``."""

    NAME = "segment_instances"

    def __init__(
        self, fragment: Any, *args: Any, model: InstanceModel, progress: Progress, **kwargs: Any
    ) -> None:
        """Keep the loaded network."""
        self._model = model
        super().__init__(fragment, *args, progress=progress, **kwargs)

    def step(self, case: Case) -> Case:
        """Separate the vertebrae of a case."""
        semantic = case.semantic_model_grid
        if semantic is None:
            raise SegmentationError("phase 2 has no label map")

        def cutouts(done: int, total: int) -> None:
            self._progress(case.key, self.NAME, done / max(1, total))

        result = segment_vertebrae(
            semantic, self._model, settings_of(self._model.config, semantic), cutouts
        )
        return replace(
            case,
            instances_model_grid=result.instances,
            facts=(*case.facts, *result.warnings),
        )


def settings_of(config: InferenceConfig, semantic: LabelMap) -> InstanceSettings:
    """Take the settings of phase 2 from the instance model's folder.

    Parameters
    ----------
    config : InferenceConfig
        Of the instance model.
    semantic : LabelMap
        The map to work on: a model with a range of resolutions adapts to its spacing.
    """
    native = reorient(semantic, config.model_expected_orientation).spacing_zyx_mm
    return InstanceSettings(
        spacing_zyx_mm=config.target_spacing_zyx_mm(native),
        corpus_size_cleaning=config.corpus_size_cleaning,
        vert_size_threshold=config.vert_size_threshold,
        threshold_spacing_zyx_mm=config.smallest_spacing_zyx_mm,
    )
