"""A published case holds what `run` writes, byte for byte; the command's words and codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import typer
from typer.testing import CliRunner

from app.cli.cohort import cohort
from app.cohort.discovery import cases_of, open_dataset
from app.cohort.folder import CohortFolder
from app.cohort.publishing import RUN_RECORD, publish
from app.cohort.report import write_report
from app.cohort.tables import write_tables
from app.errors import ConfigurationError
from app.run.record import ResultRecord, SeriesRecordEntry
from tests.builders.mr_series import make_series
from tests.builders.nifti_images import save_image
from tests.builders.published_cohort import publish_all, run
from tests.builders.stub_models import spine_series

APP = typer.Typer()
APP.command()(cohort)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("images")
    save_image(home / "data" / "sub-1" / "anat" / "sub-1_T2w.nii.gz")
    save_image(home / "data" / "sub-1" / "anat" / "sub-1_acq-odd_T2w.nii.gz").write_bytes(b"no")
    run(home / "data" / "sub-1" / "anat" / "sub-1_T2w.nii.gz", home / "run")
    folder, cases = publish_all(home / "data", home / "out")
    write_tables(folder, cases)
    write_report(folder, cases)
    return home


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("study")
    spine_series(home / "data" / "P1" / "a", name="A")
    make_series(home / "data" / "P1" / "b", name="B", orientation=(1.0, 0, 0, 0, 1.0, 0))
    run(home / "data" / "P1", home / "run")
    folder, cases = publish_all(home / "data", home / "out")
    write_tables(folder, cases)
    return home


def test_of_an_image_every_file_is_that_of_a_run(images: Path) -> None:
    home = images / "out" / "sub-1" / "anat"
    written = sorted((images / "run").iterdir())
    assert len(written) == 6
    for path in written:
        assert (home / path.name).read_bytes() == path.read_bytes(), path.name


def test_of_a_study_too_under_the_subject_s_name_and_as_nifti(study: Path) -> None:
    (home,) = (study / "out").glob("sub-P1/ses-*/anat")
    written = sorted((study / "run").iterdir())
    assert len(written) == 6
    key = written[0].name.rpartition("_")[0]
    stem = f"sub-P1_{home.parent.name}_acq-{key.replace('_', '')}"
    for path in written:
        kind = "_desc-dicom" if path.suffix == ".dcm" else ""
        ours = home / f"{stem}{kind}{path.name.removeprefix(key)}"
        assert ours.read_bytes() == path.read_bytes(), path.name
    semantic = pydicom.dcmread(home / f"{stem}_desc-dicom_semantic.dcm")
    mask = nib.load(home / f"{stem}_seg-spine_msk.nii.gz")
    # Every voxel of the object is a voxel of the mask.
    assert np.count_nonzero(mask.get_fdata()) == np.count_nonzero(semantic.pixel_array)
    sidecar = json.loads((home / f"{stem}_seg-spine_msk.json").read_text())
    assert sidecar["Sources"] == ["bids:raw:P1"]
    assert sidecar["SeriesInstanceUID"] == semantic.ReferencedSeriesSequence[0].SeriesInstanceUID
    assert (home / f"{stem}_seg-spine_ctd.json").exists()
    with (study / "out" / "cohort.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["subject"] == "P1"
    assert row["series_uid"] == semantic.ReferencedSeriesSequence[0].SeriesInstanceUID
    assert float(row["seconds"]) > 0


def test_the_long_table_is_the_tables_of_the_runs(images: Path) -> None:
    (table,) = (images / "run").glob("*_measurements.csv")
    with table.open() as file:
        single = list(csv.DictReader(file))
    with (images / "out" / "measurements.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [{k: v for k, v in row.items() if k in single[0]} for row in rows] == single
    assert {(row["subject"], row["session"]) for row in rows} == {("sub-1", "")}


def test_the_page_shows_the_overlay_and_the_reason(images: Path) -> None:
    page = (images / "out" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 1
    assert page.count("data:image/png;base64,") == 1
    assert "SPN-1001 unreadable_nifti" in page
    assert "stub_semantic 0" in page
    assert 'href="sub-1/anat/sub-1_T2w_overlay.png"' in page


def stand_in(place: Path, key: str, files: dict[str, str]) -> Path:
    """A run's folder as the workflow leaves it."""
    place.mkdir(parents=True)
    entry = SeriesRecordEntry(key=key, status="ok", files=tuple(files))
    record = ResultRecord(status="ok", exit_code=0, series=(entry,) if files else ())
    (place / RUN_RECORD).write_text(json.dumps(record.as_dict()))
    for name, text in files.items():
        (place / name).write_text(text)
    return place


def test_an_older_result_of_a_case_makes_room_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "data" / "sub-1" / "anat" / "sub-1_T2w.nii.gz"
    path.parent.mkdir(parents=True)
    folder = CohortFolder(tmp_path / "out")
    for number, files in enumerate(({"sub-1_T2w_overlay.png": "old"}, {})):
        path.write_bytes(b"image" * (number + 1))
        (case,) = cases_of(open_dataset(tmp_path / "data", folder.output, "bids"))
        assert folder.published(case) is None
        publish(folder, case, [stand_in(tmp_path / str(number), "sub-1_T2w", files)])
        assert folder.published(case) is not None
    (left,) = (folder.output / case.folder).iterdir()
    assert left.name == "sub-1_cohort.json"


def test_two_images_of_one_name_in_a_session_keep_their_results_apart(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,subject\na/T2w.nii.gz,S1\nb/T2w.nii.gz,S1\n")
    dataset = open_dataset(tmp_path / "list.csv", tmp_path / "out", "auto")
    folder, (case,) = CohortFolder(dataset.output), cases_of(dataset)
    mask = "T2w_seg-vert_msk.nii.gz"
    runs = [
        stand_in(tmp_path / n, "T2w", {mask: source.name})
        for n, source in zip("ab", case.sources, strict=True)
    ]
    publish(folder, case, runs)
    masks = list((folder.output / case.folder).glob("sub-S1_acq-T2w*_seg-vert_msk.nii.gz"))
    assert len(masks) == 2
    for path in masks:
        sidecar = json.loads(path.with_name(f"{path.name[:-7]}.json").read_text())
        assert sidecar["Sources"] == [f"bids:raw:{path.read_text()}"]


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(study: Path, images: Path) -> None:
    fresh = study / "fresh"
    done = CliRunner().invoke(APP, [str(study / "data"), "-o", str(fresh), "--dry-run"])
    assert done.exit_code == 0, done.output
    first, last = done.stdout.splitlines()
    assert first.startswith("P1 ses-")
    assert first.endswith("to do, 1 to segment (not segmented: axial)")
    assert last == "1 cases: 1 to do; nothing was written"
    assert not fresh.exists()
    again = CliRunner().invoke(
        APP, [str(images / "data"), "-o", str(images / "out"), "--dry-run", "--json"]
    )
    (line,) = again.stdout.splitlines()
    assert json.loads(line)["done"] is True
    assert json.loads(line)["to_segment"] == 2


def test_a_database_that_is_no_postgresql_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        CliRunner().invoke(
            APP,
            [str(tmp_path), "-o", str(tmp_path / "o"), "--database", "sqlite:///x"],
            catch_exceptions=False,
        )
    assert refused.value.reasons == ("no_postgresql_url",)
