"""The steps of the pipeline, for a MONAI Deploy application of one's own.

Every step receives and emits ``cases``, a tuple of `Case`; a case that failed passes through the
steps after it. The order is that of `FLOW`, the class of ``assemble_volume`` is
``AssembleVolumeOperator``, and so on; an application may end it early or put steps of its own in
between. Importing this module loads the SDK and prepares the process for it.
"""

from __future__ import annotations

from typing import Any

from app.run.bootstrap import prepare_process

prepare_process()  # holoscan needs the CUDA runtime, also on a machine without a GPU

from app.run.graph import CLASSES  # noqa: E402
from operators.case import Case  # noqa: E402
from operators.dicom.selection.series_selection import SelectionSettings  # noqa: E402

FLOW = tuple(CLASSES)
"""Names of the steps in the order of the pipeline."""

_CLASSES = {operator.__name__: operator for operator in CLASSES.values()}

__all__ = ["FLOW", "Case", "SelectionSettings", "nobody", *_CLASSES]  # noqa: PLE0604 - names


def __getattr__(name: str) -> Any:  # noqa: ANN401 - operators are untyped
    """Find the class of a step."""
    try:
        return _CLASSES[name]
    except KeyError:
        raise AttributeError(f"there is no step with the class {name}") from None


def nobody(*_told: object) -> None:
    """Stand where a step wants somebody to tell, and nobody needs to know."""
