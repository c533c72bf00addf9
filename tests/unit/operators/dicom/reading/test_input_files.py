"""Every file of an input is read once or passed over by a name."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path

import pytest

from operators.dicom.reading.input_files import counted, files_below, nothing_found
from operators.dicom.reading.series import scan
from operators.errors import UnreadableInputError
from tests.builders.mr_series import make_series
from tests.builders.nifti_images import save_image


def left(folder: Path) -> dict[str, str]:
    return {item.path: item.reason for item in scan(folder).passed_over}


def frames(folder: Path) -> list[int]:
    return [len(series.frames) for series in scan(folder).series]


def refusal(source: Path) -> UnreadableInputError:
    found = scan(source)
    assert found.series == ()
    return nothing_found(found.passed_over, len(found.unreadable))


def test_links_within_the_input_add_nothing_and_are_not_told(tmp_path: Path):
    make_series(tmp_path / "in" / "store")
    (tmp_path / "in" / "again").symlink_to("store")
    (tmp_path / "in" / "one.dcm").symlink_to(next((tmp_path / "in" / "store").iterdir()))
    assert frames(tmp_path / "in") == [12]
    assert left(tmp_path / "in") == {}
    assert scan(tmp_path / "in").series[0].problems == ()


def test_an_input_that_is_itself_a_link_is_read(tmp_path: Path):
    make_series(tmp_path / "store")
    (tmp_path / "in").symlink_to("store")
    assert frames(tmp_path / "in") == [12]
    assert left(tmp_path / "in") == {}


def test_a_mounted_volume_of_links_to_its_hidden_folder_is_read_once(tmp_path: Path):
    """As Kubernetes mounts it: FILE -> ..data/FILE, ..data -> ..2026/."""
    made = make_series(tmp_path / "in" / "..2026")
    (tmp_path / "in" / "..data").symlink_to("..2026")
    for path in made.paths:
        (tmp_path / "in" / path.name).symlink_to(Path("..data") / path.name)
    assert frames(tmp_path / "in") == [12]
    assert left(tmp_path / "in") == {}


def test_links_that_leave_dangle_or_turn_in_circles_are_named(tmp_path: Path):
    outside = make_series(tmp_path / "outside")
    make_series(tmp_path / "in" / "series", name="B")
    (tmp_path / "in" / "away").symlink_to(tmp_path / "outside")
    (tmp_path / "in" / "away.dcm").symlink_to(outside.paths[0])
    (tmp_path / "in" / "up").symlink_to("..")
    (tmp_path / "in" / "series" / "loop").symlink_to("..")
    (tmp_path / "in" / "self").symlink_to("self")
    (tmp_path / "in" / "gone").symlink_to("nowhere")
    assert frames(tmp_path / "in") == [12]
    assert left(tmp_path / "in") == {
        "away": "link_leaves_input",
        "away.dcm": "link_leaves_input",
        "gone": "dangling_link",
        "self": "link_loop",
        "series/loop": "link_loop",
        "up": "link_leaves_input",
    }


def test_a_pipe_is_named_and_does_not_stop_the_reading(tmp_path: Path):
    make_series(tmp_path / "series")
    os.mkfifo(tmp_path / "pipe")
    assert left(tmp_path) == {"pipe": "no_regular_file"}
    assert frames(tmp_path) == [12]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path):
    make_series(tmp_path / "series")
    (tmp_path / "closed").mkdir(mode=0)
    assert left(tmp_path) == {"closed": "unreadable_folder"}


def test_foreign_files_are_named_by_what_they_are(tmp_path: Path):
    (tmp_path / "note.txt").write_text("hello")
    save_image(tmp_path / "x_T2w.nii.gz")
    with zipfile.ZipFile(tmp_path / "study.bin", "w") as archive:
        archive.writestr("a", "b")
    (tmp_path / "study.tgz").write_bytes(gzip.compress(b"x"))
    (tmp_path / "x.hdr").write_bytes(bytes(348))
    assert left(tmp_path) == {
        "note.txt": "other_file",
        "study.bin": "archive",
        "study.tgz": "archive",
        "x.hdr": "nifti_pair",
        "x_T2w.nii.gz": "nifti_image",
    }


@pytest.mark.parametrize(
    ("name", "reason", "advice"),
    [
        ("x_T2w.nii.gz", "nifti_image", "run -i IMAGE.nii.gz"),
        ("study.zip", "archive", "unpack"),
        ("gone", "dangling_link", "names nothing"),
        ("notes.txt", "other_file", "neither DICOM nor NIfTI"),
        ("empty.dcm", "unreadable_file", "unreadable_file"),
    ],
)
def test_an_input_without_dicom_says_what_is_there_and_what_to_do(
    tmp_path: Path, name: str, reason: str, advice: str
):
    path = tmp_path / name
    if name == "x_T2w.nii.gz":
        save_image(path)
    elif name == "gone":
        path.symlink_to("nowhere")
    elif name == "study.zip":
        zipfile.ZipFile(path, "w").close()
    else:
        path.write_text("" if name.endswith("dcm") else "hello")
    for source in (tmp_path, path) if path.exists() else (tmp_path,):
        error = refusal(source)
        assert error.reasons == ("no_dicom", reason)
        assert advice in error.message
        assert str(tmp_path) not in error.message


def test_an_empty_folder_says_so(tmp_path: Path):
    assert "the folder is empty" in refusal(tmp_path).message
    assert nothing_found((), 0).reasons == ("no_dicom",)


def test_a_missing_input_is_named(tmp_path: Path):
    for look in (files_below, scan):
        with pytest.raises(UnreadableInputError) as caught:
            look(tmp_path / "nowhere")
        assert caught.value.reasons == ("missing_input",)


def test_one_dicom_file_is_a_folder_with_one_file(tmp_path: Path):
    made = make_series(tmp_path / "in")
    (record,) = scan(made.paths[3]).series
    assert [frame.path for frame in record.frames] == [made.paths[3]]


def test_what_was_passed_over_is_counted_without_its_paths(tmp_path: Path):
    make_series(tmp_path / "series")
    for name in ("CANARY1.txt", "CANARY2.txt"):
        (tmp_path / name).write_text("hello")
    (tmp_path / "CANARY.dcm").write_bytes(b"")
    found = scan(tmp_path)
    counts = counted(found.passed_over, len(found.unreadable))
    assert counts == {"other_file": 2, "unreadable_file": 1}
