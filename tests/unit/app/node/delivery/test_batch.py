"""A folder to send: DICOM files in order, everything else counted."""

from __future__ import annotations

from pathlib import Path

from app.node.delivery.batch import BatchReport, collect
from tests.builders.planned_deliveries import segmentation_file


def test_dicom_files_are_found_at_any_depth_and_the_rest_is_counted(tmp_path: Path) -> None:
    for number, name in enumerate(["b/2", "a/1", "a/sub/3"]):
        segmentation_file(tmp_path / name, "2.25.1", "2.25.2", f"2.25.{number + 10}")
    (tmp_path / "a" / "notes.txt").write_text("not DICOM")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "nowhere")
    batch = collect(tmp_path)
    assert [file.path.name for file in batch.files] == ["1", "3", "2"]
    assert batch.not_dicom == 1


def test_one_file_is_a_folder_of_one(tmp_path: Path) -> None:
    segmentation_file(tmp_path / "x", "2.25.1", "2.25.2", "2.25.3")
    assert len(collect(tmp_path / "x").files) == 1


def test_the_report_is_plain_data() -> None:
    report = BatchReport(total=3, sent=1, failure="the peer does not answer")
    report.answers.update(["0xC000", "0xA700", "0xC000"])
    assert report.as_dict() == {
        "total": 3,
        "sent": 1,
        "answers": {"0xA700": 1, "0xC000": 2},
        "uncompressed": 0,
        "failure": "the peer does not answer",
    }
