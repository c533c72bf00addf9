"""One acquisition spread over many series: each slice (or few) under a Series UID of its own.

Some archives and de-identifiers write that. Every part is too short to be segmented, and nothing
in it says that the others belong to it; a segmentation of pieces put together here would point at
many series, which no viewer shows. So it is found, and refused once by its own name.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from operators.dicom.headers.mr_physics import read_physics
from operators.dicom.reading.geometry import groups_along_normal, plane_of
from operators.dicom.reading.regularity import MIN_SLICES, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dicom.reading.geometry import ImagePlane
    from operators.dicom.reading.series import SeriesRecord

SPLIT_ACQUISITION = "acquisition_split_over_series"

_BEARABLE = frozenset(
    {
        "missing_slice",
        "duplicate_positions",
        "several_echoes",
        "several_temporal_positions",
        "several_b_values",
    }
)
"""What the parts together may have wrong with them and still be one acquisition."""


def find_split_acquisitions(series: Sequence[SeriesRecord]) -> tuple[tuple[int, ...], ...]:
    """Find series that are parts of one acquisition.

    Parameters
    ----------
    series : sequence of SeriesRecord
        Of one or several studies, each one image per place.

    Returns
    -------
    tuple of tuple of int
        Indices of the series of each acquisition: same study, frame of reference, orientation,
        matrix, spacing and times, each with fewer than `MIN_SLICES` places, and together a
        stack of at least so many on one line at regular distances, holes apart.
    """
    planes = [[plane_of(frame.header) for frame in record.frames] for record in series]
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for index, (record, own) in enumerate(zip(series, planes, strict=True)):
        if _is_placed(own) and len(groups_along_normal(own)) < MIN_SLICES:
            alike[_kind_of(record, own[0])].append(index)
    return tuple(
        tuple(group)
        for group in alike.values()
        if len(group) > 1 and _is_one_stack([plane for index in group for plane in planes[index]])
    )


def _is_placed(planes: Sequence[ImagePlane]) -> bool:
    return bool(planes) and all(
        plane.position_lps is not None and plane.axes is not None for plane in planes
    )


def _kind_of(record: SeriesRecord, plane: ImagePlane) -> tuple[object, ...]:
    physics = read_physics([frame.header for frame in record.frames])
    axes = () if plane.axes is None else tuple((plane.axes.ravel().round(2) + 0.0).tolist())
    return (
        record.study_uid,
        plane.frame_of_reference,
        axes,
        plane.shape,
        plane.spacing_mm,
        physics.echo_time_ms,
        physics.repetition_time_ms,
        physics.inversion_time_ms,
    )


def _is_one_stack(planes: Sequence[ImagePlane]) -> bool:
    if len(groups_along_normal(planes)) < MIN_SLICES:
        return False
    return {finding.name for finding in judge(planes)} <= _BEARABLE
