"""Stand-in source images for highdicom: one single-frame header per slice, whatever the source was.

highdicom wants complete source images of one kind and copies from them; classic and multi-frame
sources, whole or in part, look alike to it this way. Nothing of this is written to disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage
from pydicom.valuerep import format_number_as_ds

from operators.dicom.headers.copied_attributes import (
    EQUIPMENT_KEYWORDS,
    REQUIRED_EMPTY,
    SERIES_KEYWORDS,
)

if TYPE_CHECKING:
    from operators.dicom.results.source_headers import SourceHeaders
    from operators.imaging.volume import Volume

STAND_IN = "2.25."
"""Start of the temporary identifier of slice k."""
_SPACING_TOLERANCE = 0.01
"""A source's Spacing Between Slices is copied if it is within 1 % of the slices' true distance;
some scanners write the gap instead."""


def single_frame_templates(headers: SourceHeaders, volume: Volume) -> list[Dataset]:
    """One single-frame header per slice.

    Parameters
    ----------
    headers : SourceHeaders
        Of the volume.
    volume : Volume
        The source volume.

    Returns
    -------
    list of Dataset
        In array order. They carry geometry, frame of reference and scanner, and no patient data,
        which highdicom would log. The SOP Instance UID of slice k is `STAND_IN` and k, since the
        frames of a multi-frame source share theirs; the caller puts the true references in place.
    """
    common, planes = headers.common, headers.planes
    rows, columns = volume.voxels_zyx.shape[1:]
    shared = Dataset()
    for keyword in ("StudyInstanceUID", *SERIES_KEYWORDS, *EQUIPMENT_KEYWORDS):
        if keyword in common:
            shared[keyword] = common[keyword]
    for keyword in REQUIRED_EMPTY:  # no patient data on purpose
        setattr(shared, keyword, "")
    shared.SOPClassUID, shared.Modality = MRImageStorage, "MR"
    shared.Rows, shared.Columns = rows, columns
    shared.ImageOrientationPatient = planes[0].ImageOrientationPatient
    shared.PixelSpacing = planes[0].PixelSpacing
    step = volume.spacing_zyx_mm[0]
    stated = planes[0].get("SpacingBetweenSlices")
    if stated is None or abs(float(stated) - step) > _SPACING_TOLERANCE * step:
        stated = format_number_as_ds(step)
    shared.SpacingBetweenSlices = stated
    shared.SliceThickness = planes[0].get("SliceThickness") or format_number_as_ds(step)
    templates = []
    for k, plane in enumerate(planes):
        template = Dataset()
        template.update(shared)
        template.SOPInstanceUID = f"{STAND_IN}{k}"
        template.ImagePositionPatient = plane.ImagePositionPatient
        templates.append(template)
    return templates
