from __future__ import annotations

import os
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

from operators.dicom.reading.whole_files import write_dataset
from operators.errors import EncodingError


def dataset(comment: str = "one") -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = SegmentationStorage, "2.25.1"
    made.ImageComments = comment
    return made


def test_what_was_written_reads_back_and_nothing_else_lies_there(tmp_path: Path):
    write_dataset(dataset(), tmp_path / "a.dcm")
    assert pydicom.dcmread(tmp_path / "a.dcm").ImageComments == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


def test_a_second_write_replaces_the_first(tmp_path: Path):
    write_dataset(dataset("one"), tmp_path / "a.dcm")
    write_dataset(dataset("two"), tmp_path / "a.dcm")
    assert pydicom.dcmread(tmp_path / "a.dcm").ImageComments == "two"


def test_a_name_without_dcm_is_refused(tmp_path: Path):
    with pytest.raises(EncodingError) as caught:
        write_dataset(dataset(), tmp_path / "a.dicom")
    assert caught.value.reasons == ("file_name",)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
):
    write_dataset(dataset("one"), tmp_path / "a.dcm")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if broken == "fsync" else (Path, "replace")), full)
    with pytest.raises(EncodingError) as caught:
        write_dataset(dataset("two"), tmp_path / "a.dcm")
    assert caught.value.reasons == ("disk",)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]
    assert pydicom.dcmread(tmp_path / "a.dcm").ImageComments == "one"


def test_the_bytes_are_synced_before_the_final_name_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[bool] = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        seen.append((tmp_path / "a.dcm").exists())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    write_dataset(dataset(), tmp_path / "a.dcm")
    assert seen == [False, True]  # the file, then the folder


def test_a_dataset_that_cannot_be_encoded_leaves_nothing(tmp_path: Path):
    broken = dataset()
    del broken.SOPClassUID
    with pytest.raises(EncodingError) as caught:
        write_dataset(broken, tmp_path / "a.dcm")
    assert caught.value.reasons == ("not_encodable",)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_encoding_error(tmp_path: Path):
    with pytest.raises(EncodingError) as caught:
        write_dataset(dataset(), tmp_path / "absent" / "a.dcm")
    assert caught.value.reasons == ("disk",)
