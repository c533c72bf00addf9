"""Label maps to DICOM Segmentation objects, one for structures and one for instances.

One byte of 0 or 1 per voxel (FRACTIONAL, `_PIXEL_FORM`) in RLE Lossless, no overlap inside an
object, every frame on a source slice and pointing at it: what viewers read without loss and
archives can bear. This module decides nothing about labels, colours and codes (``segments``) and
does not resample: the maps must lie on the source grid.

References
----------
DICOM PS3.3 A.51 (Segmentation IOD), C.8.20. What viewers need was measured: OHIF places frames by
the referenced instance, others by position, so both are exact here.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.seg import Segmentation
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from operators.anatomy.codes import LOCAL_SCHEME, LOCAL_SCHEME_NAME
from operators.dicom.headers.copied_attributes import (
    PATIENT_KEYWORDS,
    STUDY_KEYWORDS,
)
from operators.dicom.headers.even_length import without_padding
from operators.dicom.identity.provenance import (
    MANUFACTURER,
    MODEL_NAME,
    RESEARCH_NOTICE,
    result_key,
)
from operators.dicom.identity.result_kinds import INSTANCES, SEMANTIC
from operators.dicom.identity.uids import derived_uid
from operators.dicom.results.companions import series_description
from operators.dicom.results.equipment import local_time, own_equipment, stamp_times
from operators.dicom.results.predecessors import name_predecessors
from operators.dicom.results.run_length import compress
from operators.dicom.results.segments import (
    algorithm_identification,
    describe,
    instance_segments,
    semantic_segments,
)
from operators.dicom.results.source_headers import plane_digests, read_source_headers
from operators.dicom.results.templates import STAND_IN, single_frame_templates
from operators.errors import EncodingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from operators.anatomy.levels import LevelName
    from operators.dicom.identity.provenance import ResultContext
    from operators.dicom.identity.result_kinds import ResultKind
    from operators.dicom.results.segments import Segment
    from operators.dicom.results.source_headers import SourceHeaders
    from operators.imaging.volume import LabelMap, SliceSource, Volume

_GRID_TOLERANCE_MM = 1e-4
"""Rounding of float64 affines that went through other orientations and back."""
_PIXEL_FORM: Final[dict[str, Any]] = {
    "segmentation_type": "FRACTIONAL",
    "fractional_type": "OCCUPANCY",
    "max_fractional_value": 1,
    "transfer_syntax_uid": ExplicitVRLittleEndian,
}
"""The values of a binary mask, one byte each, so that frames begin at bytes and can be compressed
(``app/decisions/0012-rle-for-every-matrix.md``). `compress` comes after the last change."""
_MAX_SOURCE_SERIES_NUMBER = 2_000_000
"""So that 1000 times it still fits IS (2^31 - 1)."""
_MAX_NUMBERED_STACKS = 9
_LONGEST_COMMENT = 10240
"""VR LT (DICOM PS3.5, 6.2)."""


_CONTENT_LABELS: Final = {
    SEMANTIC.name: "SPINEPS_SEMANTIC",
    INSTANCES.name: "SPINEPS_INSTANCE",
}


@dataclass(frozen=True, slots=True)
class _Job:
    """What both objects share."""

    volume: Volume
    headers: SourceHeaders
    context: ResultContext
    key: str
    when: datetime


def encode_segmentations(
    semantic: LabelMap,
    instances: LabelMap,
    source: Volume,
    context: ResultContext,
    *,
    levels: Mapping[int, LevelName] | None = None,
    findings: Sequence[str] = (),
) -> tuple[Dataset, Dataset]:
    """Encode both results of one series.

    Parameters
    ----------
    semantic : LabelMap
        Structures (`operators.anatomy.labels.Structure`) on the grid of ``source``.
    instances : LabelMap
        Vertebra X, disc 100 + X, endplate 200 + X, sacrum 26, on the grid of ``source``.
    source : Volume
        As assembled; the headers of its slices are read again, pixels are not.
    context : ResultContext
        Models, parameters, clock.
    levels : mapping of int to LevelName, optional
        Level of every vertebra by its id; without it labels have numbers alone.
    findings : sequence of str
        What the quality gate found, in sentences: they stand in Image Comments of both objects.

    Returns
    -------
    tuple of 2 Dataset
        The semantic and the instance object with file meta information, ready for
        `operators.dicom.reading.whole_files.write_dataset`.

    Raises
    ------
    EncodingError
        If a map is off the grid, empty or holds an unknown label, or the sources are gone,
        changed or inconsistent; ``reasons`` names which.

    Notes
    -----
    The same input gives the same bytes. Every UID is derived from the pixels and identifying
    headers of the source, the models, parameters and predecessors; the clock changes dates and
    times only.
    """
    for labels in (semantic, instances):
        _check_grid(labels, source)
    with warnings.catch_warnings():
        # Those of pydicom and highdicom quote values, and values are patient data.
        warnings.simplefilter("ignore")
        both = _encode_both(semantic, instances, source, context, levels=levels or {})
    if findings:
        for result in both:
            # Of the General Image module; Content Description is too short (LO).
            result.ImageComments = " ".join(("Quality gate:", *findings))[:_LONGEST_COMMENT]
    return both


def _encode_both(
    semantic: LabelMap,
    instances: LabelMap,
    source: Volume,
    context: ResultContext,
    *,
    levels: Mapping[int, LevelName],
) -> tuple[Dataset, Dataset]:
    headers = read_source_headers(source)
    key = result_key(plane_digests(headers, source), context)
    job = _Job(
        source,
        headers,
        context,
        key,
        local_time(context.clock, str(headers.common.get("TimezoneOffsetFromUTC", ""))),
    )
    structures = semantic_segments(_present(semantic))
    vertebrae = instance_segments(_present(instances), levels)
    return (
        _encode(SEMANTIC, structures, semantic, job),
        _encode(INSTANCES, vertebrae, instances, job),
    )


def _check_grid(labels: LabelMap, source: Volume) -> None:
    if labels.labels_zyx.shape != source.voxels_zyx.shape or not np.allclose(
        labels.affine_lps, source.affine_lps, rtol=0.0, atol=_GRID_TOLERANCE_MM
    ):
        raise EncodingError("a label map is not on the source grid", reasons=("grid_mismatch",))


def _present(labels: LabelMap) -> list[int]:
    values = [int(value) for value in np.unique(labels.labels_zyx) if value]
    if not values:
        raise EncodingError("a label map is empty", reasons=("empty_label_map",))
    return values


def _encode(kind: ResultKind, segments: Sequence[Segment], labels: LabelMap, job: _Job) -> Dataset:
    context, key = job.context, f"{job.key} {kind.name}"
    model = context.semantic_model if kind is SEMANTIC else context.instance_model
    notice = f"; {RESEARCH_NOTICE}" if context.is_research_only else ""
    encoded = Segmentation(
        source_images=single_frame_templates(job.headers, job.volume),
        pixel_array=_numbered(labels.labels_zyx, [segment.label for segment in segments]),
        **_PIXEL_FORM,
        segment_descriptions=describe(
            segments, algorithm_identification(kind.name, model, context), key
        ),
        series_instance_uid=derived_uid(key, "series"),
        series_number=_series_number(kind, job),
        sop_instance_uid=derived_uid(key, "instance"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=context.software_version,
        device_serial_number=context.device_serial_number,
        content_description=f"SPINEPS {kind.name}{notice}",
        content_creator_name="SPINEPS Node^",
        content_label=_CONTENT_LABELS[kind.name],
        omit_empty_frames=True,
        contributing_equipment=[own_equipment(context)],
        series_description=series_description(f"SPINEPS {kind.name}", context),
        content_qualification="RESEARCH" if context.is_research_only else None,
        coding_schemes=_coding_schemes(segments, context),
        specific_character_set=None,
    )
    result = Dataset()
    result.update({element.tag: element for element in encoded})
    result.file_meta, result.preamble = encoded.file_meta, encoded.preamble
    stamp_times(result, job.when)
    _fix_identity(result, derived_uid(key, "dimensions"), job)
    _fix_planes(result, job)
    name_predecessors(result, [p for p in context.predecessors if p.kind == kind.name])
    without_padding(result)
    compress(result)
    return result


def _numbered(labels_zyx: NDArray[np.unsignedinteger], values: Sequence[int]) -> NDArray[np.uint8]:
    """Label map with segment numbers 1..n in place of labels."""
    table = np.zeros(int(labels_zyx.max()) + 1, dtype=np.uint8)
    table[list(values)] = np.arange(1, len(values) + 1)
    return np.asarray(table[labels_zyx])


def _series_number(kind: ResultKind, job: _Job) -> int:
    """Of the source, times 1000, and the offset of the kind, 10 more for the second stack."""
    number = job.headers.series_number or 0
    if not 0 < number <= _MAX_SOURCE_SERIES_NUMBER:
        number = 0
    rank = min(job.context.stack.number, _MAX_NUMBERED_STACKS) - 1
    return 1000 * number + kind.series_offset + 10 * rank


def _coding_schemes(
    segments: Sequence[Segment], context: ResultContext
) -> list[CodingSchemeIdentificationItem] | None:
    schemes = {term.scheme for s in segments for term in (s.terms.type, s.terms.region)}
    if LOCAL_SCHEME not in schemes and not context.predecessors:
        return None
    return [CodingSchemeIdentificationItem(LOCAL_SCHEME, name=LOCAL_SCHEME_NAME, version="1")]


def _fix_identity(result: Dataset, dimension_uid: str, job: _Job) -> None:
    """Replace what highdicom draws at random; patient, study and character set as they were."""
    for item in result.DimensionOrganizationSequence:
        item.DimensionOrganizationUID = dimension_uid
    for item in result.DimensionIndexSequence:
        item.DimensionOrganizationUID = dimension_uid
    common = job.headers.common
    for keyword in PATIENT_KEYWORDS + STUDY_KEYWORDS:
        if keyword in common:
            result[keyword] = common[keyword]
    if job.headers.character_set is not None:
        result.SpecificCharacterSet = job.headers.character_set
    if "TimezoneOffsetFromUTC" in common:
        result["TimezoneOffsetFromUTC"] = common["TimezoneOffsetFromUTC"]


def _fix_planes(result: Dataset, job: _Job) -> None:
    """Point at the true source frames and copy positions and measures to the last digit."""
    done = set()
    for frame in result.PerFrameFunctionalGroupsSequence:
        reference = frame.DerivationImageSequence[0].SourceImageSequence[0]
        if id(reference) in done:  # the segments of a slice share these items
            continue
        done.add(id(reference))
        k = int(reference.ReferencedSOPInstanceUID.removeprefix(STAND_IN))
        _refer(reference, job.volume.source[k])
        if (frame_number := job.volume.source[k].frame_number) is not None:
            reference.ReferencedFrameNumber = frame_number
        place = frame.PlanePositionSequence[0]
        place.ImagePositionPatient = job.headers.planes[k].ImagePositionPatient
    shared, first = result.SharedFunctionalGroupsSequence[0], job.headers.planes[0]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = first.ImageOrientationPatient
    shared.PixelMeasuresSequence[0].PixelSpacing = first.PixelSpacing
    distinct = {source.sop_instance_uid: source for source in job.volume.source}
    items = [_refer(Dataset(), source) for source in distinct.values()]
    result.SourceImageSequence = items
    result.ReferencedSeriesSequence[0].ReferencedInstanceSequence = items


def _refer(reference: Dataset, source: SliceSource) -> Dataset:
    reference.ReferencedSOPClassUID = source.sop_class_uid
    reference.ReferencedSOPInstanceUID = source.sop_instance_uid
    return reference
