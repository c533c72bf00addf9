"""Report and picture as DICOM objects: valid, the same every time, and whose they are."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage, RLELossless

from operators.dicom.identity.provenance import IntendedUse, Predecessor, ResultContext
from operators.dicom.identity.result_kinds import PDF, PREVIEW
from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.documents import encode_pdf, encode_preview
from operators.dicom.results.segmentation import encode_segmentations
from tests.builders.mr_series import make_series
from tests.builders.results import CONTEXT, label_maps, volume_of

USE = IntendedUse(statement="Trial 7 only", responsible="A. Person")

PICTURE = np.random.default_rng(1).integers(0, 256, (31, 45, 3), dtype=np.uint8)
DOCUMENT = b"%PDF-1.4 odd"[:11]


@dataclass(frozen=True)
class Source:
    """A segmented series."""

    semantic: Dataset
    first: Dataset


@pytest.fixture(scope="module", params=["classic", "enhanced"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    options = {"sop_class": EnhancedMRImageStorage} if request.param == "enhanced" else {}
    tags = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Žofie^Łukasz", "PatientID": "P1"}
    made = make_series(tmp_path_factory.mktemp("mr"), tags=tags, **options)
    volume = volume_of(made)
    semantic, _ = encode_segmentations(*label_maps(volume), volume, CONTEXT)
    return Source(semantic, pydicom.dcmread(made.paths[0], stop_before_pixels=True))


def both(source: Source, context: ResultContext = CONTEXT) -> tuple[Dataset, Dataset]:
    return (
        encode_pdf(DOCUMENT, "Title", source.semantic, context),
        encode_preview(PICTURE, source.semantic, context),
    )


def written(objects: tuple[Dataset, Dataset], folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / "pdf.dcm", folder / "preview.dcm"]
    for dataset, path in zip(objects, paths, strict=True):
        write_dataset(dataset, path)
    return paths


def test_they_carry_the_document_and_every_pixel(source: Source, tmp_path: Path):
    pdf, preview = map(pydicom.dcmread, written(both(source), tmp_path))
    assert pdf.EncapsulatedDocument[: pdf.EncapsulatedDocumentLength] == DOCUMENT
    assert pdf.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert preview.file_meta.TransferSyntaxUID == RLELossless
    np.testing.assert_array_equal(preview.pixel_array, PICTURE)


def test_they_belong_to_the_patient_and_study_and_name_every_source_image(source: Source):
    for made in both(source):
        assert (made.PatientName, made.PatientID) == ("Žofie^Łukasz", "P1")
        assert made.StudyInstanceUID == source.first.StudyInstanceUID
        assert made.SpecificCharacterSet == "ISO_IR 192"
        items = made.get("SourceInstanceSequence") or made.SourceImageSequence
        named = [item.ReferencedSOPInstanceUID for item in items]
        assert named == [i.ReferencedSOPInstanceUID for i in source.semantic.SourceImageSequence]
        assert source.first.SOPInstanceUID in named
    pdf, preview = both(source)
    assert (pdf.BurnedInAnnotation, preview.BurnedInAnnotation) == ("YES", "NO")
    assert preview.ImageType[0] == "DERIVED"


def test_they_are_series_of_their_own_that_say_what_they_are(source: Source):
    pdf, preview = both(source)
    series = {source.semantic.SeriesInstanceUID, pdf.SeriesInstanceUID, preview.SeriesInstanceUID}
    assert len(series) == 3
    number = int(source.semantic.SeriesNumber)
    assert (pdf.SeriesNumber, preview.SeriesNumber) == (number + 3, number + 4)
    assert pdf.SeriesDescription == "SPINEPS pdf - research only"
    intended = both(source, replace(CONTEXT, intended_use=USE))
    assert intended[1].SeriesDescription == "SPINEPS preview"


def test_the_same_result_gives_the_same_bytes_and_a_later_one_other_times_only(
    source: Source, tmp_path: Path
):
    first = [path.read_bytes() for path in written(both(source), tmp_path / "first")]
    again = [path.read_bytes() for path in written(both(source), tmp_path / "again")]
    assert first == again
    late = Source(source.semantic.copy(), source.first)
    late.semantic.ContentDate = "20270101"
    for old, new in zip(both(source), both(late), strict=True):
        assert (old.SOPInstanceUID, old.SeriesInstanceUID) == (
            new.SOPInstanceUID,
            new.SeriesInstanceUID,
        )
        assert new.ContentDate == "20270101"
    assert both(late)[1].DateOfSecondaryCapture == "20270101"


def replacing(study_uid: str) -> ResultContext:
    old = [
        Predecessor(
            kind=kind.name, study_uid=study_uid, series_uid=f"1.2.{n}", sop_instance_uid=f"1.3.{n}"
        )
        for n, kind in enumerate((PDF, PREVIEW))
    ]
    return replace(CONTEXT, predecessors=tuple(old))


def test_each_names_the_object_of_its_own_kind_that_it_replaces(source: Source):
    study_uid = str(source.semantic.StudyInstanceUID)
    pdf, preview = both(source, replacing(study_uid))
    (study,) = pdf.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (reference,) = series.ReferencedSOPSequence
    assert (study.StudyInstanceUID, series.SeriesInstanceUID) == (study_uid, "1.2.0")
    assert reference.ReferencedSOPInstanceUID == "1.3.0"
    (named,) = preview.RelatedSeriesSequence
    assert (named.StudyInstanceUID, named.SeriesInstanceUID) == (study_uid, "1.2.1")
    (purpose,) = named.PurposeOfReferenceCodeSequence
    assert (purpose.CodeValue, purpose.CodeMeaning) == ("REPLACED", "Object replaced by this one")
    (source_series,) = preview.ReferencedSeriesSequence
    assert source_series.SeriesInstanceUID == source.first.SeriesInstanceUID


@pytest.mark.parametrize("is_revision", [False, True])
def test_dciodvfy_finds_no_error(source: Source, tmp_path: Path, *, is_revision: bool):
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    context = replacing(str(source.semantic.StudyInstanceUID)) if is_revision else CONTEXT
    for path, iod in zip(
        written(both(source, context), tmp_path), ("EncapsulatedPDF", "SCImage"), strict=True
    ):
        done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
        said = (done.stdout + done.stderr).splitlines()
        assert [line for line in said if line.startswith("Error")] == []
        assert any(line.strip() == iod for line in said)
