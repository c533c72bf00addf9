"""Step 2: the frames of a series -> one volume in patient coordinates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from operators.case_step import CaseStep
from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.regularity import MIN_SLICES
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
    from operators.case import Case


class AssembleVolumeOperator(CaseStep):
    """Receive ``cases``, emit ``cases`` with a volume or a refusal each."""

    NAME = "assemble_volume"

    def step(self, case: Case) -> Case:
        """Assemble a case's volume."""
        return place(case)


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
