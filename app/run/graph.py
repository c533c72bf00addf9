"""The MONAI Deploy application: the operators of `app.steps`, one after the other."""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application, Operator

from app.steps import OPERATORS
from operators.label_vertebrae import LabelVertebraeOperator
from operators.postprocess import PostprocessOperator
from operators.segment_instances import SegmentInstancesOperator
from operators.segment_semantic import SegmentSemanticOperator
from operators.select_series import SelectSeriesOperator
from operators.spine.postprocessing import PostprocessSettings
from operators.write_segmentation import WriteOptions, WriteSegmentationOperator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from operators.anatomy.named_vertebrae import NamedVertebra
    from operators.case import Case, Progress
    from operators.dicom.selection.series_selection import (
        SelectionSettings,
        SeriesDecision,
    )
    from operators.imaging.volume import Volume
    from operators.networks.instances import InstanceModel
    from operators.networks.labelling import LabellingModel
    from operators.networks.semantic import SemanticModel
    from operators.spine.levels.stations import Station

CLASSES: Final[dict[str, type[Operator]]] = {
    step.name: getattr(importlib.import_module(f"operators.{step.name}"), step.operator_name)
    for step in OPERATORS
}
"""Operator of every step, by its name, in flow order."""

_USED: Final = {
    "semantic": (
        "available_folds",
        "default_step_size",
        "inference_augmentation",
        "mirror_left_right",
        "resolution_range",
        "largest_tile",
        "interleaves_thin_slices",
        "border_voxels",
    ),
    "instance": (
        "corpus_size_cleaning",
        "cutout_size",
        "resolution_range",
        "vert_size_threshold",
    ),
}
"""Keys of a model's configuration that steer the graph, beside its labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What one run of the graph works on.

    Attributes
    ----------
    source : Path, tuple of Path or Volume
        DICOM folder, file or files, or NIfTI file; or an image in memory.
    semantic_mask : Path or None
        A given label map: phase 1 is skipped, as the paper allows.
    semantic_model, instance_model
        Loaded networks, shared between runs.
    write : WriteOptions or None
        What the last step writes and where; None: nothing, the finished cases are the result.
    selection : SelectionSettings
        What is worth segmenting.
    on_decisions, on_passed_over, on_cases, progress : callable
        Told about every series, what was not read, the finished cases, and the progress.
    labelling_model : LabellingModel or None
        A loaded network that is asked about levels.
    named : tuple of NamedVertebra
        Levels that a person has given.
    others : tuple of Station
        Results of other series of the study.
    """

    source: Path | tuple[Path, ...] | Volume
    semantic_mask: Path | None
    semantic_model: SemanticModel | None
    instance_model: InstanceModel
    write: WriteOptions | None
    selection: SelectionSettings
    on_decisions: Callable[[tuple[SeriesDecision, ...]], None]
    on_passed_over: Callable[[dict[str, int]], None]
    on_cases: Callable[[tuple[Case, ...]], None]
    progress: Progress
    labelling_model: LabellingModel | None = None
    named: tuple[NamedVertebra, ...] = ()
    others: tuple[Station, ...] = ()


class SpineApplication(Application):
    """Study in, segmentation objects out. Made anew for every run; models are handed in."""

    def __init__(self, wiring: Wiring) -> None:
        """Keep the wiring; the operators are made in `compose`."""
        self._wiring = wiring
        # An explicit argument list: without one the SDK would read the process's own.
        super().__init__(["spine-node"])

    def compose(self) -> None:
        """Create the operators and connect them in the order of the table."""
        made = self._with_arguments(self._wiring)
        steps = [
            made.get(name) or operator(self, progress=self._wiring.progress)
            for name, operator in CLASSES.items()
        ]
        for upstream, downstream in pairwise(steps):
            self.add_flow(upstream, downstream, {("cases", "cases")})

    def _with_arguments(self, wiring: Wiring) -> dict[str, Operator]:
        """Operators that take more than whom to tell about their progress, by their step."""
        progress = wiring.progress
        return {
            "select_series": SelectSeriesOperator(
                self,
                CountCondition(self, 1),
                source=wiring.source,
                settings=wiring.selection,
                on_decisions=wiring.on_decisions,
                on_passed_over=wiring.on_passed_over,
            ),
            "segment_semantic": SegmentSemanticOperator(
                self,
                model=wiring.semantic_model,
                given_mask=wiring.semantic_mask,
                progress=progress,
            ),
            "segment_instances": SegmentInstancesOperator(
                self, model=wiring.instance_model, progress=progress
            ),
            "postprocess": PostprocessOperator(
                self, settings=numbering_of(wiring.semantic_model), progress=progress
            ),
            "label_vertebrae": LabelVertebraeOperator(
                self,
                named=wiring.named,
                others=wiring.others,
                model=wiring.labelling_model,
                progress=progress,
            ),
            "write_segmentation": self._last_step(wiring),
        }

    def _last_step(self, wiring: Wiring) -> Operator:
        if wiring.write is None:
            return HandOverOperator(self, on_cases=wiring.on_cases, name="hand_over")
        return WriteSegmentationOperator(
            self,
            options=wiring.write,
            on_cases=wiring.on_cases,
            progress=wiring.progress,
        )


class HandOverOperator(Operator):
    """Receive ``cases`` and hand them to ``on_cases`` as they are."""

    def __init__(
        self,
        fragment: Application,
        *args: Any,  # noqa: ANN401 - Operator is untyped
        on_cases: Callable[[tuple[Case, ...]], None],
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Keep whom to tell."""
        self._on_cases = on_cases
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: Any) -> None:  # noqa: ANN401
        """Declare the input ``cases``."""
        spec.input("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:  # noqa: ANN401, ARG002
        """Hand the cases over."""
        self._on_cases(op_input.receive("cases"))


def numbering_of(model: SemanticModel | None) -> PostprocessSettings:
    """Numbering as the semantic model's folder prescribes it; SPINEPS's own without a model."""
    if model is None:
        return PostprocessSettings()
    return PostprocessSettings(
        has_c1=model.config.has_c1,
        sacrum_labels=model.config.sacrum_ids,
        metal_labels=model.config.metal,
    )


def use_of(semantic: SemanticModel | None, instance: InstanceModel) -> tuple[tuple[str, str], ...]:
    """How the graph uses the networks and their answers, as parameters of a result.

    Parameters
    ----------
    semantic : SemanticModel or None
        Of phase 1; None where a label map is given.
    instance : InstanceModel
        Of phase 2.

    Returns
    -------
    tuple of (str, str)
        Names such as ``semantic.mirror_left_right``, and values as JSON.
    """
    configs = {"semantic": semantic and semantic.config, "instance": instance.config}
    used = {
        f"{phase}.{key}": getattr(config, key)
        for phase, config in configs.items()
        if config is not None
        for key in _USED[phase]
    }
    numbering = asdict(numbering_of(semantic))
    used |= {f"postprocess.{key}": value for key, value in numbering.items()}
    return tuple((name, json.dumps(value)) for name, value in used.items())
