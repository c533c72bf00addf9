from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    RLELossless,
)

from operators.dicom.reading.series import scan
from tests.builders.mr_series import make_series

if TYPE_CHECKING:
    from pathlib import Path


def _names(problems: tuple[str, ...]) -> list[str]:
    return [problem.split(":")[0] for problem in problems]


def test_three_series_of_two_studies_in_one_folder_are_told_apart_by_their_uids(tmp_path: Path):
    made = [
        make_series(tmp_path / "a", name="T1", study="x"),
        make_series(tmp_path / "b", name="T2", study="x"),
        make_series(tmp_path / "c", name="T2", study="y"),
    ]
    for number, path in enumerate(tmp_path.rglob("*.dcm")):
        path.rename(tmp_path / f"{number}")

    found = scan(tmp_path).series

    assert {(s.study_uid, s.series_uid) for s in found} == {
        (m.study_uid, m.series_uid) for m in made
    }
    assert [len(s.frames) for s in found] == [12, 12, 12]
    assert [s.problems for s in found] == [(), (), ()]
    assert found[0].description == "t2_tse_sag"


def test_one_series_spread_over_two_folders_stays_one(tmp_path: Path):
    made = make_series(tmp_path / "a")
    (tmp_path / "b").mkdir()
    for path in made.paths[:5]:
        path.rename(tmp_path / "b" / path.name)

    (record,) = scan(tmp_path).series

    assert len(record.frames) == 12


def test_three_identical_copies_are_counted_and_dropped(tmp_path: Path):
    made = make_series(tmp_path)
    for number, path in enumerate(made.paths[:2]):
        shutil.copy(path, tmp_path / f"copy{number}.dcm")
    rewritten = pydicom.dcmread(made.paths[2])
    rewritten.preamble = b"x" * 128
    rewritten.file_meta.SourceApplicationEntityTitle = "ARCHIVE"
    rewritten.save_as(tmp_path / "zz.dcm")

    (record,) = scan(tmp_path).series

    assert len(record.frames) == 12
    assert record.problems == ("duplicate_instances: 3 of 15 files",)


def test_a_copy_with_another_position_is_kept_and_named(tmp_path: Path):
    made = make_series(tmp_path)
    other = pydicom.dcmread(made.paths[0])
    other.ImagePositionPatient = [1, 2, 3]
    other.save_as(tmp_path / "other.dcm")

    (record,) = scan(tmp_path).series

    assert len(record.frames) == 13
    assert record.problems == ("conflicting_copies: 1 of 13 files",)


def test_foreign_files_are_passed_over_and_empty_or_broken_ones_named(tmp_path: Path):
    make_series(tmp_path / "series")
    (tmp_path / "report.txt").write_text("no DICOM here, but long enough " * 20)
    (tmp_path / "volume.nii.gz").write_bytes(b"\x1f\x8b\x08\x00" + bytes(200))
    (tmp_path / "series" / "empty.dcm").write_bytes(b"")
    (tmp_path / "broken.dcm").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "DICOMDIR").write_bytes(_dicomdir())

    found = scan(tmp_path)

    assert len(found.series) == 1
    assert found.unreadable == ("broken.dcm", "series/empty.dcm")


def _dicomdir() -> bytes:
    from io import BytesIO  # noqa: PLC0415 -- only here

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.FileSetID = "X"
    written = BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    return written.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless])
def test_a_file_cut_100_bytes_short_is_named_truncated(tmp_path: Path, syntax: str):
    made = make_series(tmp_path, transfer_syntax=syntax)
    content = made.paths[4].read_bytes()
    made.paths[4].write_bytes(content[:-100])

    (record,) = scan(tmp_path).series

    assert record.problems == ("truncated_pixels: 1 of 12 files",)
    assert len(record.frames) == 12


def test_a_file_cut_within_its_header_is_named_or_unreadable(tmp_path: Path):
    made = make_series(tmp_path)
    content = made.paths[4].read_bytes()
    made.paths[4].write_bytes(content[: content.index(b"t2_tse_sag") + 4])

    found = scan(tmp_path)

    # Cut before its Series Instance UID, the instance belongs to no series.
    assert [len(record.frames) for record in found.series] == [1, 11]
    assert _names(found.series[0].problems) == [
        "missing_series_uid",
        "missing_study_uid",
        "truncated_header",
    ]


def test_an_image_without_pixel_data_is_named(tmp_path: Path):
    make_series(tmp_path, slice_tags={3: {"PixelData": None}})

    (record,) = scan(tmp_path).series

    assert record.problems == ("missing_pixels: 1 of 12 files",)


@pytest.mark.parametrize(
    ("keyword", "problem"),
    [
        ("SeriesInstanceUID", "missing_series_uid"),
        ("StudyInstanceUID", "missing_study_uid"),
        ("SOPInstanceUID", "missing_sop_instance_uid"),
    ],
)
def test_12_images_without_a_uid_are_one_series_with_a_named_problem(
    tmp_path: Path, keyword: str, problem: str
):
    made = make_series(tmp_path, tags={keyword: None} if keyword != "SOPInstanceUID" else {})
    if keyword == "SOPInstanceUID":
        for path in made.paths:
            dataset = pydicom.dcmread(path)
            del dataset.SOPInstanceUID, dataset.file_meta.MediaStorageSOPInstanceUID
            dataset.save_as(path)

    (record,) = scan(tmp_path).series

    assert record.problems == (f"{problem}: 12 of 12 files",)
    assert len(record.frames) == 12


def test_files_without_preamble_and_meta_header_are_read(tmp_path: Path):
    made = make_series(tmp_path, transfer_syntax=ImplicitVRLittleEndian)
    for path in made.paths:
        dataset = pydicom.dcmread(path)
        path.write_bytes(b"")
        with path.open("wb") as file:
            pydicom.filewriter.write_dataset(_little_endian_buffer(file), dataset)

    (record,) = scan(tmp_path).series

    assert len(record.frames) == 12
    assert record.problems == ()


def _little_endian_buffer(file: object) -> pydicom.filebase.DicomFileLike:
    buffer = pydicom.filebase.DicomFileLike(file)
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    return buffer


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_headers_of_rare_syntaxes_say_the_same_as_plain_ones(tmp_path: Path, syntax: str):
    make_series(tmp_path / "rare", transfer_syntax=syntax)
    make_series(tmp_path / "plain")

    (rare,) = scan(tmp_path / "rare").series
    (plain,) = scan(tmp_path / "plain").series

    assert [f.header for f in rare.frames] == [f.header for f in plain.frames]
    assert rare.problems == ()


def test_an_attribute_that_is_no_number_is_left_out_and_named(tmp_path: Path):
    made = make_series(tmp_path)
    content = made.paths[0].read_bytes()
    made.paths[0].write_bytes(content.replace(b"DS\x04\x004.0 ", b"DS\x04\x00four"))

    (record,) = scan(tmp_path).series

    headers = {frame.path: frame.header for frame in record.frames}
    assert headers[made.paths[0]].get("SliceThickness") is None
    assert headers[made.paths[1]].SliceThickness == 4
    assert record.problems == ("unreadable_attributes: SliceThickness in 1 of 12 files",)


def test_a_private_protocol_of_100_kb_is_not_kept(tmp_path: Path):
    made = make_series(tmp_path)
    dataset = pydicom.dcmread(made.paths[0])
    block = dataset.private_block(0x0029, "VENDOR", create=True)
    block.add_new(0x10, "OB", bytes(100_000))
    block.add_new(0x11, "LO", "short")
    dataset.save_as(made.paths[0])

    (record,) = scan(made.paths[0]).series

    assert (0x0029, 0x1010) not in record.frames[0].header
    assert record.frames[0].header[0x0029, 0x1011].value == "short"


def test_a_structured_report_is_one_series_without_image_problems(tmp_path: Path):
    report = Dataset()
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    report.StudyInstanceUID, report.SeriesInstanceUID = "1.2", "1.2.1"
    report.save_as(tmp_path / "sr.dcm", enforce_file_format=True)

    (record,) = scan(tmp_path).series

    assert record.problems == ()
    assert record.frames[0].header.SOPClassUID == ComprehensiveSRStorage


def test_an_enhanced_object_with_11_descriptions_for_12_frames_is_named(tmp_path: Path):
    made = make_series(tmp_path, sop_class=EnhancedMRImageStorage)
    dataset = pydicom.dcmread(made.paths[0])
    del dataset.PerFrameFunctionalGroupsSequence[-1]
    dataset.save_as(made.paths[0])

    (record,) = scan(tmp_path).series

    assert record.problems == ("frame_count_mismatch: 1 of 1 files",)
