"""Step 2: the frames of a series -> one volume in patient coordinates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monai.deploy.core import Operator

from operators.case import Case, Progress, advance
from operators.dicom.assembly import assemble
from operators.errors import InputRejectedError
from operators.imaging.nifti import read_volume

if TYPE_CHECKING:
    from typing import Any


class AssembleVolumeOperator(Operator):
    """Receive ``cases``, emit ``cases`` with a volume or a refusal each."""

    def __init__(self, fragment: Any, *args: Any, progress: Progress, **kwargs: Any) -> None:
        """Keep the progress callback."""
        self._progress = progress
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare ``cases`` in and out."""
        spec.input("cases")
        spec.output("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Assemble every case."""
        cases = op_input.receive("cases")
        op_output.emit(advance(cases, "assemble_volume", place, self._progress), "cases")


def place(case: Case) -> Case:
    """Read the case's image, from DICOM or NIfTI."""
    if case.nifti is not None:
        return replace(case, volume=read_volume(case.nifti))
    if case.series is None:
        raise InputRejectedError("the case has no image")
    return replace(case, volume=assemble(case.series))
