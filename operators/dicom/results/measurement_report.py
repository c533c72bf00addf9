"""Measurements to a DICOM structured report, beside the segmentations that they were taken from.

One group of measurements per structure and place: a vertebra, a disc, the canal or the cord behind
either, the spine as a whole. A group points at its segment and bears that segment's identifier,
so that a reader finds the same thing in both objects. What has no value is not in it; a level is
coded where the segmentation codes it, otherwise it is said in words with its reserve.

References
----------
DICOM PS3.16 TID 1500 (Measurement Report), 1411 (Volumetric ROI), 1501 (Measurement Group), 300
(Measurement), 4019 (Algorithm Identification); PS3.3 A.35.2 (Enhanced SR IOD). Why so:
``app/decisions/0020-measurements-as-an-enhanced-sr.md``.
"""

from __future__ import annotations

import warnings
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from operators.anatomy.codes import LOCAL_SCHEME, LOCAL_SCHEME_NAME, Concept
from operators.dicom.identity.provenance import MANUFACTURER, MODEL_NAME
from operators.dicom.identity.result_kinds import MEASUREMENT_REPORT
from operators.dicom.identity.uids import derived_uid
from operators.dicom.results.companions import (
    companion_series_number,
    companion_uid,
    series_description,
    take_over,
)
from operators.dicom.results.measured_regions import IN_THE_CANAL, SegmentedStack
from operators.dicom.results.segments import coded_concept

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from operators.anatomy.coded_values import CodedValue
    from operators.anatomy.levels import LevelName
    from operators.dicom.identity.provenance import ResultContext

_PROCEDURE: Final = Concept("241645008", "MRI of spine")
_UNITS: Final = {
    "mm": "millimeter",
    "mm2": "square millimeter",
    "mL": "milliliter",
    "deg": "degree",
    "%": "percent",
    "1": "no units",
    "{grade}": "grade",
    "{id}": "identifier",
}
"""UCUM code -> meaning."""

_NUMBERING: Final = (
    "Vertebrae have their numbers in the segmentations; a level stands behind the number "
    "where it is known. Measured automatically, on the segmentations; a value that could not be "
    "measured is not given."
)

_Group = (
    sr.VolumetricROIMeasurementsAndQualitativeEvaluations | sr.MeasurementsAndQualitativeEvaluations
)


def encode_measurement_report(
    values: Sequence[CodedValue],
    segmentations: tuple[Dataset, Dataset],
    context: ResultContext,
    *,
    labels: Iterable[int],
    levels: Mapping[int, LevelName],
) -> Dataset | None:
    """Encode the measurements of one stack.

    Parameters
    ----------
    values : sequence of CodedValue
        Those that are given, in order.
    segmentations : tuple of 2 Dataset
        Semantic and instance segmentation of the stack
        (`operators.dicom.results.segmentation.encode_segmentations`).
    context : ResultContext
        Models, parameters, predecessors.
    labels : iterable of int
        Labels of the instance map, without 0.
    levels : mapping of int to LevelName
        Level of every vertebra by its id.

    Returns
    -------
    Dataset or None
        With file meta information, ready for `reading.whole_files.write_dataset`. None
        where nothing could be measured: a report without measurements is none.

    Raises
    ------
    EncodingError
        ``unknown_structure``: a value is of an instance that is no segment.

    Notes
    -----
    The same input gives the same bytes: identifiers and times follow from the segmentations.
    """
    if not values:
        return None
    stack = SegmentedStack.of(segmentations, labels, levels)
    with warnings.catch_warnings():
        # Those of pydicom and highdicom quote values, and values are patient data.
        warnings.simplefilter("ignore")
        groups = [
            _group(list(members), stack, part, context)
            for (_, part), members in groupby(values, _place)
        ]
        return _document(groups, stack, context)


def _place(value: CodedValue) -> tuple[int, str]:
    """Instance, and the part of the canal that is measured behind it."""
    return value.instance, value.structure if value.structure in IN_THE_CANAL else ""


def _group(
    values: Sequence[CodedValue], stack: SegmentedStack, part: str, context: ResultContext
) -> _Group:
    region = stack.region(values[0].instance, part)
    common: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(uid=region.uid, identifier=region.name),
        "finding_type": coded_concept(region.finding),
        "finding_sites": [sr.FindingSite(region.site)],
        "algorithm_id": _algorithm(context),
        "measurements": [_measurement(value) for value in values],
    }
    group: _Group
    if region.segmentation is None:
        frames = stack.frames()
        sources = [
            sr.SourceImageForMeasurementGroup(
                image.SOPClassUID, image.SOPInstanceUID, frames.get(image.SOPInstanceUID)
            )
            for image in stack.images()
        ]
        group = sr.MeasurementsAndQualitativeEvaluations(source_images=sources, **common)
    else:
        segment = sr.ReferencedSegment(
            region.segmentation.SOPClassUID,
            region.segmentation.SOPInstanceUID,
            region.segment,
            source_series=sr.SourceSeriesForSegmentation(stack.source_series_uid),
        )
        group = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            referenced_segment=segment, **common
        )
    if region.note:
        group[0].ContentSequence.append(_comment(region.note))
    return group


def _measurement(value: CodedValue) -> sr.Measurement:
    return sr.Measurement(
        name=coded_concept(value.concept),
        value=value.value,
        unit=sr.CodedConcept(value.unit, "UCUM", _UNITS[value.unit]),
        method=coded_concept(value.method),
        derivation=None if value.derivation is None else coded_concept(value.derivation),
    )


def _comment(text: str) -> sr.TextContentItem:
    return sr.TextContentItem(
        name=codes.DCM.Comment, value=text, relationship_type=sr.RelationshipTypeValues.CONTAINS
    )


def _algorithm(context: ResultContext) -> sr.AlgorithmIdentification:
    """Say which software and networks; whole digests stand in the segmentations."""
    models = (("semantic", context.semantic_model), ("instance", context.instance_model))
    texts = (
        f"{phase} model {model.name} {model.version} sha256:{model.digest[:12]}"
        for phase, model in models
    )
    return sr.AlgorithmIdentification(
        name=f"{MODEL_NAME} measurements", version=", ".join((context.software_version, *texts))
    )


def _content(group: _Group, context: ResultContext) -> sr.MeasurementReport:
    """Content of a report with its first group."""
    observer = sr.DeviceObserverIdentifyingAttributes(
        uid=derived_uid(MANUFACTURER, MODEL_NAME, context.device_serial_number),
        name=MODEL_NAME,
        manufacturer_name=MANUFACTURER,
        model_name=f"{MODEL_NAME} {context.software_version}",
        serial_number=context.device_serial_number,
    )
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(codes.DCM.Device, observer)
        ),
        procedure_reported=coded_concept(_PROCEDURE),
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )
    notice = context.notice[:1].upper() + context.notice[1:]
    report[0].ContentSequence.append(_comment(f"{notice}. {_NUMBERING}"))
    return report


def _document(groups: Sequence[_Group], stack: SegmentedStack, context: ResultContext) -> Dataset:
    semantic, kind = stack.semantic, MEASUREMENT_REPORT
    encoded = sr.EnhancedSR(
        evidence=[semantic, stack.instances, *stack.images()],
        content=_content(groups[0], context),
        series_instance_uid=companion_uid(semantic, kind, "series"),
        series_number=companion_series_number(semantic, kind),
        sop_instance_uid=companion_uid(semantic, kind, "instance"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        previous_versions=_predecessors(context) or None,
        series_description=series_description("SPINEPS measurements", context),
        coding_schemes=[
            CodingSchemeIdentificationItem(LOCAL_SCHEME, name=LOCAL_SCHEME_NAME, version="1")
        ],
    )
    result = Dataset()
    result.update({element.tag: element for element in encoded})
    result.file_meta, result.preamble = encoded.file_meta, encoded.preamble
    # The other groups come now: the constructor copies and searches the whole tree several times,
    # more than half of the time for a lumbar spine. All that they refer to is among the evidence.
    (measured,) = (
        item for item in result.ContentSequence if item.name == codes.DCM.ImagingMeasurements
    )
    for group in groups[1:]:
        measured.ContentSequence.extend(group)
    take_over(result, semantic)
    return result


def _predecessors(context: ResultContext) -> list[Dataset]:
    """Give the reports of an earlier revision as highdicom takes them."""
    replaced = []
    for predecessor in context.predecessors:
        if predecessor.kind == MEASUREMENT_REPORT.name:
            earlier = Dataset()
            earlier.StudyInstanceUID = predecessor.study_uid
            earlier.SeriesInstanceUID = predecessor.series_uid
            earlier.SOPClassUID = MEASUREMENT_REPORT.sop_class_uid
            earlier.SOPInstanceUID = predecessor.sop_instance_uid
            replaced.append(earlier)
    return replaced
