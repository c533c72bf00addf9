"""Objects beside the segmentations: what they have in common with them, and what is their own."""

from dataclasses import replace

from pydicom.dataset import Dataset

from operators.dicom.identity.provenance import IntendedUse, Predecessor
from operators.dicom.identity.result_kinds import INSTANCES, SEMANTIC
from operators.dicom.identity.stack_identity import StackIdentity
from operators.dicom.results.companions import (
    companion_series_number,
    companion_uid,
    series_description,
    take_over,
)
from tests.builders.results import CONTEXT

USE = IntendedUse(statement="Trial 7 only", responsible="A. Person")


def segmentation(uid: str = "1.2.3") -> Dataset:
    made = Dataset()
    made.SOPInstanceUID, made.SeriesNumber = uid, 5911
    made.PatientName, made.StudyInstanceUID = "A^B", "1.2"
    made.ContentDate, made.SoftwareVersions = "20260304", "0.1.0"
    return made


def test_patient_study_equipment_and_time_are_the_segmentations():
    result = Dataset()
    result.PatientName, result.PatientID, result.Modality = "", "of somebody else", "SR"
    take_over(result, segmentation())
    assert result.PatientName == "A^B"
    assert "PatientID" not in result
    assert (result.ContentDate, result.SoftwareVersions) == ("20260304", "0.1.0")
    assert (result.Modality, "SOPInstanceUID" in result) == ("SR", False)


def test_identifiers_follow_from_the_segmentation_and_differ_by_kind_and_part():
    first = segmentation()
    uids = [
        companion_uid(first, INSTANCES, "series"),
        companion_uid(first, INSTANCES, "instance"),
        companion_uid(first, SEMANTIC, "series"),
        companion_uid(segmentation("1.2.4"), INSTANCES, "series"),
    ]
    assert len(set(uids)) == 4
    assert uids[0] == companion_uid(segmentation(), INSTANCES, "series")
    assert companion_series_number(first, INSTANCES) == 5912  # of the second stack


def test_a_series_is_described_by_what_it_is_its_stack_and_its_reserve():
    assert series_description("SPINEPS semantic", CONTEXT) == "SPINEPS semantic - research only"
    second = replace(CONTEXT, stack=StackIdentity(number=2, of=3), intended_use=USE)
    assert (
        series_description("SPINEPS semantic", second) == f"SPINEPS semantic, {second.stack.label}"
    )
    old = Predecessor(kind="semantic", study_uid="1", series_uid="2", sop_instance_uid="3")
    again = replace(CONTEXT, predecessors=(old,))
    assert series_description("SPINEPS pdf", again) == "SPINEPS pdf, revised - research only"
