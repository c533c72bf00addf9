"""The structured report: foreign tools read it, and it says what was measured and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import highdicom as hd
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage, EnhancedSRStorage

from operators.anatomy.coded_values import CodedValue
from operators.anatomy.codes import Concept
from operators.anatomy.labels import Structure
from operators.anatomy.levels import LevelName
from operators.dicom.identity.provenance import IntendedUse, Predecessor, ResultContext
from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.measurement_report import encode_measurement_report
from operators.dicom.results.segmentation import encode_segmentations
from operators.errors import EncodingError
from operators.spine.measurements.codes import coded
from operators.spine.measurements.definitions import MEASURES
from operators.spine.measurements.measure import Measurement
from tests.builders.mr_series import make_series
from tests.builders.results import CONTEXT, INSTANCE_LABELS, label_maps, volume_of

USE = IntendedUse(statement="Trial 7 only", responsible="A. Person")

LEVELS = {2: LevelName(22, 0.99), 3: LevelName(23, 0.8, ("sizes",)), 4: LevelName(24, 1.0)}
"""L3, probably L4, L5."""

PLACES = {
    "vertebra": (2, 3, 4),
    "vertebral_body": (2, 3, 4),
    "disc": (102, 103, 104),
    "canal": (2, 3, 4, 102, 103, 104),
    "cord": (2, 3, 4, 102, 103, 104),
    "spine": (0,),
}


def rows() -> tuple[Measurement, ...]:
    """Every measure of every structure, in the order in which they are measured."""
    places = [place for places in PLACES.values() for place in places]
    order = sorted(set(places), key=lambda place: (not place, place % 100, place))
    return tuple(
        Measurement(instance=place, level="", measure=key, value=about.low + 1.25)
        for place in order
        for key, about in MEASURES.items()
        if place in PLACES[about.structure]
    )


class Made:
    """Both segmentations of a small series, and the report beside them."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.volume = volume_of(make_series(folder / "mr", **options))
        self.maps = label_maps(self.volume)
        self.encoded: dict[ResultContext, tuple[Dataset, Dataset]] = {}

    def segmentations(self, context: ResultContext = CONTEXT) -> tuple[Dataset, Dataset]:
        if context not in self.encoded:
            both = encode_segmentations(*self.maps, self.volume, context, levels=LEVELS)
            self.encoded[context] = both
        return self.encoded[context]

    def report(
        self, values: Sequence[CodedValue] | None = None, context: ResultContext = CONTEXT
    ) -> Dataset | None:
        return encode_measurement_report(
            coded(rows()) if values is None else values,
            self.segmentations(context),
            context,
            labels=INSTANCE_LABELS,
            levels=LEVELS,
        )

    def written(self, path: Path, context: ResultContext = CONTEXT) -> Path:
        report = self.report(context=context)
        assert report is not None
        write_dataset(report, path)
        return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("classic"), slices=8)


@pytest.fixture(scope="module")
def path(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.written(tmp_path_factory.mktemp("report") / "a.dcm")


@pytest.fixture(scope="module")
def content(path: Path) -> hd.sr.MeasurementReport:
    read = hd.sr.srread(path)
    assert isinstance(read, hd.sr.EnhancedSR)
    assert isinstance(read.content, hd.sr.MeasurementReport)
    return read.content


def groups_of(content: hd.sr.MeasurementReport) -> dict[str, list]:
    found: dict[str, list] = {}
    for group in content.get_volumetric_roi_measurement_groups():
        found.setdefault(group.tracking_identifier, []).append(group)
    return found


def errors_of(path: Path) -> list[str]:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    assert any(line.strip() == "EnhancedSR" for line in said)
    return [line for line in said if line.startswith("Error")]


def test_dciodvfy_finds_no_error(path: Path, tmp_path: Path) -> None:
    assert errors_of(path) == []
    enhanced = Made(tmp_path, sop_class=EnhancedMRImageStorage)
    earlier = Predecessor(
        kind="measurement_report", study_uid="1.2", series_uid="1.3", sop_instance_uid="1.4"
    )
    context = replace(CONTEXT, predecessors=(earlier,), intended_use=USE)
    assert errors_of(enhanced.written(tmp_path / "b.dcm", context)) == []


def test_dsrdump_prints_it(path: Path) -> None:
    program = shutil.which("dsrdump")
    if program is None:
        pytest.skip("dsrdump (dcmtk) is not installed")
    done = subprocess.run([program, "+Pl", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    assert printed.count('"Measurement Group")=') == 19
    assert printed.count("<contains NUM:") == len(rows())
    assert 'Anterior height of vertebral body")="5.25" (mm,UCUM,"millimeter")' in printed
    assert "Research use only, not for diagnosis." in printed


def test_every_value_is_read_back_with_its_unit_and_place(content: hd.sr.MeasurementReport) -> None:
    read = [
        (measured.name.value, measured.value, measured.unit.value)
        for group in content.get_volumetric_roi_measurement_groups()
        for measured in group.get_measurements()
    ]
    (spine,) = content.get_image_measurement_groups()
    read += [(one.name.value, one.value, one.unit.value) for one in spine.get_measurements()]
    given = [(one.concept.value, one.value, one.unit) for one in coded(rows())]
    assert sorted(read) == sorted(given)
    assert len(read) == len(rows())


def test_a_group_points_at_its_segment_and_bears_its_identifier(
    made: Made, content: hd.sr.MeasurementReport
) -> None:
    semantic, instances = made.segmentations()
    found = groups_of(content)
    for item in instances.SegmentSequence[:3]:
        (group,) = found[item.TrackingID]
        reference = group.referenced_segment[0].ReferencedSOPSequence[0]
        assert group.tracking_uid == item.TrackingUID
        assert reference.ReferencedSOPInstanceUID == instances.SOPInstanceUID
        assert reference.ReferencedSegmentNumber == item.SegmentNumber
        assert group.finding_type.value == item.SegmentedPropertyTypeCodeSequence[0].CodeValue
    canal = [s for s in semantic.SegmentSequence if s.SegmentLabel == "Spinal canal"]
    behind = [group for name, (group,) in found.items() if name.startswith("vertebral canal")]
    assert len(behind) == 6
    assert len({group.tracking_uid for group in behind}) == 6
    for group in behind:
        reference = group.referenced_segment[0].ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == semantic.SOPInstanceUID
        assert reference.ReferencedSegmentNumber == canal[0].SegmentNumber


def test_only_a_level_without_reserve_is_coded_and_the_others_are_said_in_words(
    content: hd.sr.MeasurementReport,
) -> None:
    sites = {name: g[0].finding_sites[0].value.value for name, g in groups_of(content).items()}
    assert sites["vertebra 2 (L3)"] == "36470004"
    assert sites["vertebra 3 (probably L4)"] == "421060004"
    assert sites["vertebra 4 (L5)"] == sites["spinal cord behind vertebra 4 (L5)"] == "49668003"
    discs = {name: site for name, site in sites.items() if name.startswith("disc")}
    assert sorted(discs.values()) == ["421060004", "421060004", "715056000"]  # L5/S1
    (group,) = groups_of(content)["vertebra 3 (probably L4)"]
    assert "probably L4, confidence 0.80 (sizes)" in str(group[0].ContentSequence[-1].TextValue)


def test_software_networks_method_and_derivation_are_named(
    content: hd.sr.MeasurementReport,
) -> None:
    (group,) = groups_of(content)["vertebra 2 (L3)"]
    texts = {
        item.name.meaning: item.value for item in group[0].ContentSequence if "TextValue" in item
    }
    assert texts["Algorithm Name"] == "SPINEPS Node measurements"
    assert "semantic model t2w_bundled 1.0.0 sha256:a1a1a1a1a1a1" in texts["Algorithm Version"]
    by_name = {one.name.value: one for one in group.get_measurements()}
    assert by_name["WEDGE-RATIO"].derivation.value == "258090004"
    assert by_name["BODY-HEIGHT-ANT"].derivation is None
    assert by_name["BODY-HEIGHT-ANT"].method.value == "METHOD-6-POINTS"


def test_what_is_not_given_is_not_in_it(made: Made) -> None:
    some = [Measurement(instance=2, level="", measure="slip", reason="cut_by_image_border")]
    some.append(Measurement(instance=3, level="", measure="slip", value=2.5))
    report = made.report(coded(some))
    assert report is not None
    (measured,) = (i for i in report.ContentSequence if i.name.meaning == "Imaging Measurements")
    assert len(measured.ContentSequence) == 1
    assert made.report(coded(some[:1])) is None
    assert made.report([]) is None


def test_the_segmentations_and_every_source_image_are_its_evidence(made: Made, path: Path) -> None:
    semantic, instances = made.segmentations()
    evidence = hd.sr.srread(path).get_evidence(current_procedure_only=True)
    assert {sop for _, _, sop, _ in evidence} == {
        semantic.SOPInstanceUID,
        instances.SOPInstanceUID,
        *(source.sop_instance_uid for source in made.volume.source),
    }


def test_patient_study_and_series_are_those_of_the_segmentations(made: Made, path: Path) -> None:
    read, (semantic, instances) = pydicom.dcmread(path), made.segmentations()
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "ContentTime"):
        assert str(read[keyword].value) == str(semantic[keyword].value)
    assert read.SOPClassUID == EnhancedSRStorage
    assert read.SeriesNumber == semantic.SeriesNumber + 2 == instances.SeriesNumber + 1
    assert read.SeriesDescription == "SPINEPS measurements - research only"
    assert (read.CompletionFlag, read.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert len({o.SOPInstanceUID for o in (read, semantic, instances)}) == 3
    assert len({o.SeriesInstanceUID for o in (read, semantic, instances)}) == 3


def test_the_same_input_gives_the_same_bytes_and_another_one_another_object(
    made: Made, path: Path, tmp_path: Path
) -> None:
    assert made.written(tmp_path / "again.dcm").read_bytes() == path.read_bytes()
    later = replace(CONTEXT, clock=CONTEXT.clock + timedelta(days=1))
    other = replace(CONTEXT, parameters=(("a", "b"),))
    uids = [
        pydicom.dcmread(made.written(tmp_path / f"{n}.dcm", context)).SOPInstanceUID
        for n, context in enumerate((CONTEXT, later, other))
    ]
    assert uids[0] == uids[1] != uids[2]


def test_a_revision_names_the_report_that_it_replaces_and_no_segmentation(made: Made) -> None:
    replaced = tuple(
        Predecessor(kind=kind, study_uid="1.2", series_uid="1.3", sop_instance_uid=f"1.4.{n}")
        for n, kind in enumerate(("semantic", "measurement_report"))
    )
    report = made.report(context=replace(CONTEXT, predecessors=replaced))
    assert report is not None
    (study,) = report.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (named,) = series.ReferencedSOPSequence
    assert (study.StudyInstanceUID, series.SeriesInstanceUID) == ("1.2", "1.3")
    assert named.ReferencedSOPInstanceUID == "1.4.1"
    assert named.ReferencedSOPClassUID == EnhancedSRStorage


def test_an_intended_use_takes_the_notice_off(made: Made) -> None:
    report = made.report(context=replace(CONTEXT, intended_use=USE))
    assert report is not None
    assert "esearch" not in str(report)


def test_frames_of_a_multi_frame_image_are_named(tmp_path: Path) -> None:
    made = Made(tmp_path, sop_class=EnhancedMRImageStorage, slices=6)
    spine = [row for row in rows() if not row.instance]
    report = made.report(coded(spine))
    assert report is not None
    (measured,) = (i for i in report.ContentSequence if i.name.meaning == "Imaging Measurements")
    (group,) = measured.ContentSequence
    (image,) = (item for item in group.ContentSequence if item.ValueType == "IMAGE")
    numbers = [source.frame_number for source in made.volume.source]
    assert sorted(image.ReferencedSOPSequence[0].ReferencedFrameNumber) == sorted(numbers)


def test_a_canal_without_a_segment_is_measured_on_all_source_images(tmp_path: Path) -> None:
    made = Made(tmp_path, slices=6)
    semantic = made.maps[0]
    bare = semantic.labels_zyx.copy()
    bare[bare == Structure.CANAL] = 0
    made.maps = (semantic.with_labels(bare), made.maps[1])
    report = made.report(coded([row for row in rows() if row.measure == "canal_area"][:1]))
    assert report is not None
    write_dataset(report, tmp_path / "a.dcm")
    (group,) = hd.sr.srread(tmp_path / "a.dcm").content.get_image_measurement_groups()
    assert len(group.source_images) == 6


def test_a_value_of_something_that_is_no_segment_is_refused(made: Made) -> None:
    stray = CodedValue(
        instance=9,
        structure="vertebra",
        concept=Concept("118565006", "Volume"),
        value=1.0,
        unit="mL",
        method=Concept("M", "m"),
    )
    with pytest.raises(EncodingError) as caught:
        made.report([stray])
    assert caught.value.reasons == ("unknown_structure",)
