"""Which cases are found in BIDS trees, DICOM trees and tables, and what their identity is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from app.cohort.cases import CohortCase, labels_of
from app.cohort.discovery import Layout, cases_of, open_dataset
from operators.errors import UnreadableInputError
from tests.builders.mr_series import make_series


def found(given: Path, layout: Layout = "auto", output: Path | None = None) -> list[CohortCase]:
    return list(cases_of(open_dataset(given, output or given.parent / "out", layout)))


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"image")
    return folder


def test_a_bids_tree_gives_a_case_per_subject_and_session(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "data",
        "sub-01/ses-1/anat/sub-01_ses-1_T2w.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_T2w.nii",
        "sub-02/anat/sub-02_chunk-1_T2w.nii.gz",
        "sub-02/anat/sub-02_chunk-2_T2w.nii.gz",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "derivatives/sub-02/anat/sub-02_desc-x_T2w.nii.gz",
    )
    cases = found(root)
    assert [(c.subject, c.session, len(c.sources)) for c in cases] == [
        ("sub-01", "ses-1", 1),
        ("sub-01", "ses-2", 1),
        ("sub-02", "", 2),
    ]
    assert [str(case.folder) for case in cases] == [
        "sub-01/ses-1/anat",
        "sub-01/ses-2/anat",
        "sub-02/anat",
    ]
    assert cases[0].record_name == "sub-01_ses-1_cohort.json"
    assert cases[2].sources[0].name == "sub-02/anat/sub-02_chunk-1_T2w.nii.gz"
    assert CohortCase.from_json(cases[2].as_json()) == cases[2]


def test_results_within_the_data_set_are_no_input(tmp_path: Path) -> None:
    root = touch(tmp_path / "data", "sub-01/anat/sub-01_T2w.nii.gz", "sub-01/out/x_T2w.nii.gz")
    (case,) = found(root, output=root / "sub-01" / "out")
    assert len(case.sources) == 1


def test_a_case_is_another_one_when_its_files_change_and_only_then(tmp_path: Path) -> None:
    root = touch(tmp_path / "data", "sub-01/anat/sub-01_T2w.nii.gz", "sub-02/a/sub-02_T2w.nii.gz")
    before = [case.case_id for case in found(root)]
    assert [case.case_id for case in found(root)] == before
    shutil.copytree(root, tmp_path / "moved" / "data")
    assert [case.case_id for case in found(tmp_path / "moved" / "data")] == before
    os.utime(root / "sub-01/anat/sub-01_T2w.nii.gz", (1, 1))
    after = [case.case_id for case in found(root)]
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_a_dicom_tree_is_grouped_by_what_the_files_say(tmp_path: Path) -> None:
    root = tmp_path / "data"
    early = make_series(root / "patient 1" / "deep" / "er", slices=2, study="early")
    make_series(root / "patient 1" / "late", slices=2, study="late", name="late")
    other = make_series(root / "patient 1" / "elsewhere", slices=2, study="early", name="B")
    make_series(root / "patient-1", slices=2, study="like")
    make_series(root / "sub-7" / "ses-2" / "dicom", slices=2, study="bids")
    touch(root, "patient 1/notes.txt", "patient 1/deep/empty")
    cases = found(root)
    assert [(case.subject, len(case.sources)) for case in cases] == [
        ("patient 1", 1),
        ("patient 1", 1),
        ("patient-1", 1),
        ("sub-7", 1),
    ]
    assert (cases[3].label, cases[3].session_label) == ("sub-7", "ses-2")
    assert len({case.label for case in cases}) == 3  # both "patient1" are told apart
    assert all(case.label[4:].isalnum() for case in cases)
    (study,) = (c for c in cases if len(c.sources[0].paths) == 4)
    (source,) = study.sources
    assert source.name == "patient 1"
    assert set(source.series_uids) == {early.series_uid, other.series_uid}
    assert set(source.below(root)) == {*early.paths, *other.paths}


def test_files_without_folders_are_told_apart_by_patients_whose_number_is_not_named(
    tmp_path: Path,
) -> None:
    root = tmp_path / "data"
    for name in ("one", "two"):
        for path in make_series(tmp_path / name, slices=2, study=name).paths:
            root.mkdir(exist_ok=True)
            path.rename(root / f"{name}{path.name}")
    cases = found(root)
    assert len({case.subject for case in cases}) == 2
    assert not any("P-" in case.subject for case in cases)


@pytest.mark.parametrize(
    ("name", "delimiter"), [("list.csv", ","), ("list.csv", ";"), ("list.tsv", "\t")]
)
def test_a_table_names_subjects_as_its_author_does(
    tmp_path: Path, name: str, delimiter: str
) -> None:
    touch(tmp_path, "x/a.nii.gz", "x/b.nii.gz", "sub-9/c_T2w.nii.gz")
    made = make_series(tmp_path / "dicom", slices=2)
    rows = [
        ("Session", "note", "path", "subject"),
        ("pre", "", "x/a.nii.gz", "7"),
        ("post op", "", str(tmp_path / "x/b.nii.gz"), "7"),
        ("", "", "sub-9/c_T2w.nii.gz", ""),
        ("", "", "dicom", "D 1"),
        ("", "", "not/there.nii.gz", "Z"),
    ]
    table = tmp_path / name
    table.write_text("\ufeff" + "\n".join(delimiter.join(row) for row in rows) + "\n")
    cases = {(case.subject, case.session): case for case in found(table)}
    assert set(cases) == {("7", "pre"), ("7", "post op"), ("sub-9", ""), ("D 1", ""), ("Z", "")}
    assert str(cases["7", "post op"].folder) == "sub-7/ses-postop/anat"
    assert str(cases["D 1", ""].folder) == "sub-D1/anat"
    (source,) = cases["D 1", ""].sources
    assert source.series_uids == (made.series_uid,)
    assert source.below(tmp_path) == tmp_path / "dicom"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("file,subject\na.nii,1\n", "no_path_column"),
        ("path,subject\na.nii,1\na.nii,2\n", "repeated_path"),
        ("path,subject\n,1\n", "row_without_path"),
        ("path\n", "no_cases"),
        ("", "no_path_column"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "list.csv").write_text(content)
    with pytest.raises(UnreadableInputError) as refused:
        found(tmp_path / "list.csv")
    assert refused.value.reasons == (reason,)


def test_what_is_no_data_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"image")
    for given, reason in (
        (tmp_path / "none", "missing_input"),
        (tmp_path / "a.nii.gz", "not_a_dataset"),
        (tmp_path, "no_cases"),
    ):
        with pytest.raises(UnreadableInputError) as refused:
            found(given, output=tmp_path / "out")
        assert refused.value.reasons == (reason,)


def test_no_two_names_share_a_label() -> None:
    labels = labels_of(["a-b", "ab", "sub-ab", "###", "01"], "sub")
    assert len(set(labels.values())) == 5
    assert labels["01"] == "sub-01"
    assert all(label.startswith("sub-") and label[4:].isalnum() for label in labels.values())
