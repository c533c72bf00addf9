"""Step 2: the frames of a series -> one volume in patient coordinates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monai.deploy.core import Operator

from operators.case import Case, Progress, advance
from operators.dicom.assembly import assemble
from operators.dicom.regularity import MIN_SLICES
from operators.errors import InputRejectedError
from operators.imaging.nifti import read_volume
from operators.imaging.spine_view import require_spine_view
from operators.imaging.usable_image import (
    replace_non_finite,
    require_intensities,
    require_no_label_map,
    require_slices,
)

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
    """Read the case's image, from DICOM or NIfTI or as given, and judge it before any inference."""
    if case.nifti is not None:
        volume = read_volume(case.nifti)
    elif case.series is not None:
        volume = assemble(case.series)
    elif case.volume is not None:
        volume = case.volume
    else:
        raise InputRejectedError("the case has no image")
    if case.series is None:
        require_slices(volume, MIN_SLICES)
        require_spine_view(volume)
    voxels, replaced = replace_non_finite(volume.voxels_zyx)
    volume = volume.with_voxels(voxels)
    require_intensities(volume)
    if case.series is None:
        require_no_label_map(volume)
    facts = (f"non_finite_voxels_replaced: {replaced}",) if replaced else ()
    return replace(case, volume=volume, facts=(*case.facts, *facts))
