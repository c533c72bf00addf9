"""What a cohort writes, as others read it: ITK, nibabel, pandas, SPINEPS, documented formats."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK

from app.cohort.tables import write_tables
from tests.benchmarks.cohort_peer import READ_BY_TPTBOX
from tests.builders.nifti_images import SAGITTAL_RAS, noise, save_image
from tests.builders.published_cohort import publish_all
from tests.builders.stub_models import spine_series

TURNED = SAGITTAL_RAS.copy()
TURNED[:3, :3] = (
    np.array([[1, 0, 0], [0, np.cos(0.2), -np.sin(0.2)], [0, np.sin(0.2), np.cos(0.2)]])
    @ (SAGITTAL_RAS[:3, :3])
)
"""The same grid, nodding by 0.2 rad."""

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort of one straight image, one turned one, and one that is none."""
    home = tmp_path_factory.mktemp("cohort")
    for name, affine in (("sub-1", SAGITTAL_RAS), ("sub-2", TURNED)):
        place = home / "data" / name / "anat" / f"{name}_T2w.nii.gz"
        save_image(place, noise(), sform=affine, qform=affine)
    save_image(home / "data" / "sub-3" / "anat" / "sub-3_T2w.nii.gz").write_bytes(b"no")
    people = ["participant_id\tgroup", "sub-1\told", "sub-2\told", "sub-3\tyoung", "sub-4\tyoung"]
    (home / "data" / "participants.tsv").write_text("\n".join(people) + "\n")
    folder, cases = publish_all(home / "data", home / "out")
    write_tables(folder, cases)
    return home


def masks_of(home: Path) -> list[Path]:
    found = sorted((home / "out").rglob("*_msk.nii.gz"))
    assert len(found) == 4
    return found


def test_itk_finds_the_same_voxels_at_the_same_place_as_nibabel(home: Path) -> None:
    for path in masks_of(home):
        mask = nib.load(path)
        image = SimpleITK.ReadImage(str(path))
        by_itk = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
        voxels = np.asarray(mask.dataobj)
        assert voxels.any()
        np.testing.assert_array_equal(by_itk, voxels)
        assert "integer" in image.GetPixelIDTypeAsString()
        corner = (5, 7, 3)
        expected = TO_LPS @ mask.affine @ (*corner, 1.0)
        np.testing.assert_allclose(
            image.TransformIndexToPhysicalPoint(corner), expected[:3], atol=1e-3
        )
        source = nib.load(home / "data" / path.parent.relative_to(home / "out") / image_of(path))
        np.testing.assert_allclose(mask.affine, source.affine, atol=1e-5)


def image_of(mask: Path) -> str:
    """Name of the image of a mask: sub-1_mod-T2w_seg-vert_msk.nii.gz -> sub-1_T2w.nii.gz."""
    return re.sub(r"_mod-T2w_seg-\w+_msk", "_T2w", mask.name)


def test_itk_reads_the_segmentation_objects_too(tmp_path: Path) -> None:
    spine_series(tmp_path / "data" / "P1", name="A")
    publish_all(tmp_path / "data", tmp_path / "out")
    objects = sorted((tmp_path / "out").rglob("*_desc-dicom_*.dcm"))
    assert len(objects) == 3  # two SEGs, and the SR, which is no image
    for path in objects[:1] + objects[2:]:
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        frames = int(reader.GetMetaData("0028|0008"))
        assert reader.GetMetaData("0008|0060").strip() == "SEG"
        by_itk = SimpleITK.GetArrayFromImage(reader.Execute())
        assert by_itk.shape == (frames, 100, 64)
        np.testing.assert_array_equal(by_itk, pydicom.dcmread(path).pixel_array)


def slicer_table(text: str) -> dict[int, tuple[str, tuple[int, ...]]]:
    """Parse as vtkMRMLColorTableStorageNode: blanks separate, # begins a comment."""
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert {len(row) for row in rows} == {6}
    return {int(row[0]): (row[1], tuple(map(int, row[2:]))) for row in rows}


ITK_SNAP_ROW = re.compile(
    r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+([\d.]+)\s+([01])\s+([01])\s+\"([^\"]*)\"\s*"
)
"""IDX R G B A VIS MSH LABEL, as the head of every file that ITK-SNAP saves describes it."""


def snap_table(text: str) -> dict[int, tuple[str, tuple[int, ...]]]:
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        row = ITK_SNAP_ROW.fullmatch(line)
        assert row is not None, line
        assert 0.0 <= float(row[5]) <= 1.0
        found[int(row[1])] = (row[8], tuple(map(int, row.group(2, 3, 4))))
    return found


def test_the_colour_table_that_a_sidecar_names_has_every_label_of_its_mask(home: Path) -> None:
    for path in masks_of(home):
        sidecar = json.loads(path.with_name(f"{path.name[:-7]}.json").read_text("utf-8"))
        slicer, snap = ((home / "out" / n).read_text("utf-8") for n in sidecar["LookupTable"])
        by_slicer, by_snap = slicer_table(slicer), snap_table(snap)
        labels = {int(n) for n in np.unique(np.asarray(nib.load(path).dataobj))}
        assert len(labels) > 3
        assert labels <= by_slicer.keys()
        assert labels <= by_snap.keys()
        for label in labels - {0}:
            assert by_slicer[label][1] == (*by_snap[label][1], 255)
            words = re.sub(r"[^A-Za-z0-9]+", "_", by_snap[label][0]).strip("_")
            assert by_slicer[label][0] == words


def test_cohort_csv_joins_the_participants_of_a_bids_data_set(home: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="comes with the extra train")
    people = pandas.read_csv(home / "data" / "participants.tsv", sep="\t")
    cases = pandas.read_csv(home / "out" / "cohort.csv")
    joined = people.merge(
        cases, left_on="participant_id", right_on="subject", how="left", validate="one_to_many"
    )
    told = dict(zip(joined.participant_id, joined.status.fillna("none"), strict=True))
    assert told == {"sub-1": "ok", "sub-2": "ok", "sub-3": "failed", "sub-4": "none"}
    values = pandas.read_csv(home / "out" / "measurements.csv")
    volumes = values[values.measure == "vertebra_volume"].merge(joined, on=["subject", "series"])
    with (home / "out" / "measurements.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["measure"] == "vertebra_volume"]
    assert len(volumes) == len(rows) > 0
    assert set(volumes.group) == {"old"}


@pytest.mark.skipif(not os.environ.get("PEER_VENV"), reason="PEER_VENV names no peer")
def test_tptbox_and_spineps_read_masks_and_points(home: Path) -> None:
    python = Path(os.environ["PEER_VENV"]) / "bin" / "python"
    read = subprocess.run(
        [python, "-c", READ_BY_TPTBOX, home / "out"], capture_output=True, text=True, check=True
    )
    told = next(line for line in read.stdout.splitlines() if line.startswith("TOLD "))
    by_file = json.loads(told.removeprefix("TOLD "))
    assert len(by_file) == 2
    for name, about in by_file.items():
        stem = name.replace("seg-spine_ctd.json", "seg-vert_msk.nii.gz")
        (path,) = (home / "out").rglob(stem)
        labels = [int(n) for n in np.unique(np.asarray(nib.load(path).dataobj)) if 0 < n < 100]
        assert about["vertebrae"] == labels
        assert about["same place"]
        assert about["on their structure"] == about["points"] > 0
        assert about["bodies"] == len(labels)
        assert about["voxels to SPINEPS's own"] <= 0.01
