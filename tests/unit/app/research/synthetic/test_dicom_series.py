"""The synthetic study is a readable DICOM study in which the right series is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.research.synthetic.dicom_series import (
    STUDY_PHANTOM,
    StudyOptions,
    WrittenStudy,
    write_study,
)
from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.series import scan
from operators.dicom.selection.series_selection import decide
from operators.imaging.nifti import read_label_map
from tests.builders.pretended_device import PRETENDED, PretendedDevice

SMALL = replace(STUDY_PHANTOM, slices=9, in_plane=(150, 120), spacing=(4.4, 1.8, 1.8))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WrittenStudy]:
    folder = tmp_path_factory.mktemp("study")
    return folder, write_study(
        folder / "dicom", 7, truth=folder / "truth", options=StudyOptions(phantom=SMALL)
    )


def test_only_the_sagittal_t2w_series_of_five_is_accepted(
    study: tuple[Path, WrittenStudy],
) -> None:
    folder, written = study
    decisions = decide(scan(folder / "dicom").series)
    assert len(decisions) == 5
    accepted = [d.series.series_uid for d in decisions if d.accepted]
    assert accepted == [written.lumbar.uid]


def test_the_assembled_volume_lies_on_the_grid_of_the_truth(
    study: tuple[Path, WrittenStudy],
) -> None:
    folder, written = study
    series = next(s for s in scan(folder / "dicom").series if s.series_uid == written.lumbar.uid)
    volume = assemble(series)
    truth = read_label_map(folder / "truth" / "semantic.nii.gz")
    assert volume.voxels_zyx.shape == truth.labels_zyx.shape == (9, 150, 120)
    ends = np.array([[0, 0, 0, 1], [8, 149, 119, 1]], dtype=float).T
    assert volume.affine_lps @ ends == pytest.approx(truth.affine_lps @ ends, abs=0.01)
    canal, body = (volume.voxels_zyx[truth.labels_zyx == n].mean() for n in (61, 49))
    assert canal > 1.5 * body


def test_the_planes_are_a_few_degrees_oblique_and_file_names_shuffled(
    study: tuple[Path, WrittenStudy],
) -> None:
    _, written = study
    headers = [pydicom.dcmread(f, stop_before_pixels=True) for f in written.files]
    t2 = [h for h in headers if h.SeriesInstanceUID == written.lumbar.uid]
    normal = np.cross(t2[0].ImageOrientationPatient[:3], t2[0].ImageOrientationPatient[3:])
    assert 1.0 < np.degrees(np.arccos(abs(normal[0]))) < 6.0
    names = [f.name for f in written.files if "t2_tse_sag" in f.parent.name]
    assert names != sorted(names)
    assert len({h.SOPInstanceUID for h in headers}) == len(headers)


def test_the_same_seed_writes_the_same_bytes(
    study: tuple[Path, WrittenStudy], tmp_path: Path
) -> None:
    _, written = study
    again = write_study(tmp_path, 7, options=StudyOptions(phantom=SMALL))
    assert [f.name for f in again.files] == [f.name for f in written.files]
    for a, b in zip(again.files[::7], written.files[::7], strict=True):
        assert a.read_bytes() == b.read_bytes()


def test_all_stations_are_computed_on_the_wanted_device_and_are_the_same_bytes(
    tmp_path: Path,
) -> None:
    tiny = replace(STUDY_PHANTOM, slices=3, in_plane=(60, 50), spacing=(8.0, 4.0, 4.0))
    here = StudyOptions(phantom=tiny, stations=("cervical",))
    near = write_study(tmp_path / "near", 7, options=here)
    with PretendedDevice() as lumbar:
        write_study(tmp_path / "lumbar", 7, options=StudyOptions(tiny, device=str(PRETENDED)))
    with PretendedDevice() as both:
        far = write_study(tmp_path / "far", 7, options=replace(here, device=str(PRETENDED)))
    assert both.operations > 1.5 * lumbar.operations > 1500
    assert len(far.files) == len(near.files)
    for a, b in zip(far.files, near.files, strict=True):
        assert a.read_bytes() == b.read_bytes()
