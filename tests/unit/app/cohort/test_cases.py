"""A case's identity follows from its files as they are; labels are clear and never shared."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.cohort.cases import CohortCase, Source, labels_of, make_case
from operators.dicom.identity.uids import digest

NAMES, LABELS = ("patient 7", "first"), ("sub-patient7", "ses-first")


def case_of(root: Path, *sources: Source) -> CohortCase:
    return make_case(root, NAMES, LABELS, sources)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "study").mkdir()
    for name in ("a.nii", "b.nii", "study/1.dcm", "study/2.dcm"):
        (tmp_path / name).write_bytes(name.encode())
        os.utime(tmp_path / name, (1, 1))
    return tmp_path


def test_it_is_the_same_in_any_order_and_another_once_a_file_changes(root: Path):
    a, b = Source("a", ("a.nii",)), Source("b", ("b.nii",))
    case = case_of(root, a, b)
    assert case_of(root, b, a) == case
    assert [one.name for one in case.sources] == ["a", "b"]
    os.utime(root / "b.nii", (1, 2))
    later = case_of(root, a, b)
    os.utime(root / "b.nii", (1, 1))
    (root / "b.nii").write_bytes(b"longer than before")
    os.utime(root / "b.nii", (1, 1))
    longer = case_of(root, a, b)
    (root / "b.nii").unlink()
    assert len({case.case_id, later.case_id, longer.case_id, case_of(root, a, b).case_id}) == 4


def test_every_file_of_a_folder_counts(root: Path):
    source = Source("study", ("study",))
    before = case_of(root, source).case_id
    (root / "study" / "3.dcm").write_bytes(b"x")
    assert case_of(root, source).case_id != before


def test_names_of_folders_and_files_follow_bids(root: Path):
    case = case_of(root, Source("a", ("a.nii",)))
    assert case.folder == Path("sub-patient7/ses-first/anat")
    assert case.record_name == "sub-patient7_ses-first_cohort.json"
    alone = make_case(root, ("x", ""), ("sub-x", ""), [])
    assert (alone.folder, alone.prefix) == (Path("sub-x/anat"), "sub-x")


def test_a_plan_file_gives_it_back(root: Path):
    case = case_of(root, Source("Käse", ("a.nii",)), Source("s", ("study/1.dcm",), ("1.2", "1.3")))
    assert CohortCase.from_json(case.as_json()) == case


def test_a_run_takes_one_path_or_all_of_them():
    assert Source("a", ("a.nii",)).below(Path("/r")) == Path("/r/a.nii")
    assert Source("s", ("1", "/2")).below(Path("/r")) == (Path("/r/1"), Path("/2"))


def test_the_series_behind_a_key_is_found_by_its_digest():
    source = Source("s", ("x",), ("1.2.3", "1.2.4"))
    key = f"series2_{digest(['1.2.4'])[:8]}"
    assert source.series_uid(key) == source.series_uid(f"{key}_stack2") == "1.2.4"
    assert source.series_uid("series2_00000000") == source.series_uid("image") == ""


def test_two_names_never_share_a_label():
    labels = labels_of(["sub-01", "01", "0 1", "02", "--"], "sub")
    assert labels["02"] == "sub-02"
    assert len(set(labels.values())) == 5
    assert all(label.removeprefix("sub-").isalnum() for label in labels.values())
    assert labels == labels_of(["--", "02", "0 1", "01", "sub-01"], "sub")
