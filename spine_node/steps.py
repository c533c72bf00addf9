"""The steps of the pipeline, for a MONAI Deploy application of one's own.

Every step receives and emits ``cases``, a tuple of `Case`; a case that failed passes through the
steps after it. The order is that of `FLOW`; an application may end it early or put steps of its own
in between. Importing this module loads the SDK and prepares the process for it.
"""

from __future__ import annotations

from app.run.bootstrap import prepare_process

prepare_process()  # holoscan needs the CUDA runtime, also on a machine without a GPU

from app.run.graph import FLOW  # noqa: E402
from operators.assemble_volume import AssembleVolumeOperator  # noqa: E402
from operators.assess_quality import AssessQualityOperator  # noqa: E402
from operators.case import Case  # noqa: E402
from operators.dicom.selection import SelectionSettings  # noqa: E402
from operators.label_vertebrae import LabelVertebraeOperator  # noqa: E402
from operators.measure_spine import MeasureSpineOperator  # noqa: E402
from operators.postprocess import PostprocessOperator  # noqa: E402
from operators.segment_instances import SegmentInstancesOperator  # noqa: E402
from operators.segment_semantic import SegmentSemanticOperator  # noqa: E402
from operators.select_series import SelectSeriesOperator  # noqa: E402
from operators.write_segmentation import WriteSegmentationOperator  # noqa: E402

__all__ = [
    "FLOW",
    "AssembleVolumeOperator",
    "AssessQualityOperator",
    "Case",
    "LabelVertebraeOperator",
    "MeasureSpineOperator",
    "PostprocessOperator",
    "SegmentInstancesOperator",
    "SegmentSemanticOperator",
    "SelectSeriesOperator",
    "SelectionSettings",
    "WriteSegmentationOperator",
    "nobody",
]


def nobody(*_told: object) -> None:
    """Stand where a step wants somebody to tell, and nobody needs to know."""
