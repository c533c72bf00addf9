"""A synthetic patient is written as study, image and truth, and all of them agree."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from scipy.ndimage import binary_dilation

from app.errors import ConfigurationError, OutputUnwritableError
from app.research.synthetic.cohort import write_subject
from app.research.synthetic.dicom_series import STUDY_PHANTOM, StudyOptions
from app.research.synthetic.phantom import GENERATOR_VERSION
from app.research.training.dataset_layouts import find_annotated
from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.series import scan
from operators.dicom.selection.series_selection import decide
from operators.imaging.nifti import read_label_map, read_volume

DCIODVFY = shutil.which("dciodvfy")
SMALL = replace(STUDY_PHANTOM, slices=9, in_plane=(150, 120), spacing=(4.4, 1.8, 1.8))


@pytest.fixture(scope="module", params=[False, True], ids=["classic", "enhanced"])
def written(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    options = StudyOptions(phantom=SMALL, stations=("cervical",), is_enhanced=request.param)
    return folder, write_subject(folder, 1, 7, options), request.param


@pytest.mark.parametrize("device", ["banana", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(tmp_path, device):
    with pytest.raises(ConfigurationError) as refused:
        write_subject(tmp_path / "out", 1, 7, StudyOptions(phantom=SMALL, device=device))
    assert refused.value.reasons == ("no_such_device",)
    assert not (tmp_path / "out").exists()


TINY = replace(STUDY_PHANTOM, slices=5, in_plane=(75, 60), spacing=(8.0, 3.6, 3.6))


def test_a_patient_is_written_again_but_never_over_another_one(tmp_path):
    first = write_subject(tmp_path, 1, 7, StudyOptions(phantom=TINY))
    again = write_subject(tmp_path, 1, 7, StudyOptions(phantom=TINY))
    assert again.files == first.files
    before = sorted(tmp_path.rglob("*"))
    for seed, options in (
        (8, StudyOptions(phantom=TINY)),
        (7, StudyOptions(phantom=TINY, is_enhanced=True)),
        (7, StudyOptions(phantom=TINY, stations=("cervical",))),
    ):
        with pytest.raises(OutputUnwritableError, match="take another --output") as refused:
            write_subject(tmp_path, 1, seed, options)
        assert refused.value.reasons == ("other_subject",)
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "sub-0002").mkdir()
    (tmp_path / "sub-0002" / "somebody.nii.gz").touch()
    with pytest.raises(OutputUnwritableError):
        write_subject(tmp_path, 2, 8, StudyOptions(phantom=TINY))


def test_a_data_set_says_what_it_is_as_bids_wants_it(written):
    folder, _, is_enhanced = written
    for place, kind in ((folder, "raw"), (folder / "derivatives", "derivative")):
        about = json.loads((place / "dataset_description.json").read_text("utf-8"))
        assert about["DatasetType"] == kind
        assert {"Name", "BIDSVersion", "GeneratedBy"} <= about.keys()
    sidecar = json.loads((folder / "sub-0001/anat/sub-0001_T2w.json").read_text("utf-8"))
    assert sidecar["Seed"] == 7
    assert sidecar["GeneratorVersion"] == GENERATOR_VERSION
    assert sidecar["Stations"] == ["lumbar", "cervical"]
    assert sidecar["Enhanced"] is is_enhanced


@pytest.mark.parametrize("place", ["/proc/self/data", "file"])
def test_a_folder_that_cannot_be_written_is_an_error_with_a_name(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputUnwritableError, match="the data set cannot be written"):
        write_subject(Path(place), 1, 7, StudyOptions(phantom=TINY))


def test_both_t2w_stations_are_selected_and_nothing_else(written):
    folder, study, _ = written
    decisions = decide(scan(folder / "sub-0001" / "dicom").series)
    accepted = {decision.series.series_uid for decision in decisions if decision.accepted}
    assert accepted == {study.lumbar.uid, *(s.uid for s in study.stations)}
    assert len(decisions) == 6


def test_the_nifti_image_shows_what_the_series_shows_up_to_the_rounding_of_12_bits(written):
    folder, study, _ = written
    (series,) = (
        record
        for record in scan(folder / "sub-0001" / "dicom").series
        if record.series_uid == study.lumbar.uid
    )
    volume = assemble(series)
    image = read_volume(folder / "sub-0001/anat/sub-0001_T2w.nii.gz")
    ours, theirs = np.sort(volume.voxels_zyx.ravel()), np.sort(900 * image.voxels_zyx.ravel())
    assert np.abs(ours - np.clip(theirs, 0, 4095)).max() <= 0.51


@pytest.mark.parametrize(("stem", "field"), [("sub-0001", 0), ("sub-0001_chunk-2", 1)])
def test_mask_and_seg_object_count_the_same_voxels_of_each_structure(written, stem, field):
    folder, study, _ = written
    mask = read_label_map(folder / f"derivatives/sub-0001/anat/{stem}_mod-T2w_seg-spine_msk.nii.gz")
    labels, counts = np.unique(mask.labels_zyx[mask.labels_zyx > 0], return_counts=True)
    segmentation = hd.seg.segread(folder / f"sub-0001/seg/{stem}_semantic.dcm")
    volume = segmentation.get_volume(combine_segments=True, skip_overlap_checks=True).array
    found = np.unique(volume[volume > 0], return_counts=True)[1]
    assert len(labels) >= (14 if field == 0 else 12)  # the neck has no sacrum
    assert sorted(found.tolist()) == sorted(counts.tolist())
    referenced = segmentation.ReferencedSeriesSequence[0].SeriesInstanceUID
    assert referenced == (study.lumbar, *study.stations)[field].uid


def test_stations_say_what_they_show_and_lie_in_the_order_of_the_spine(written):
    _, study, _ = written
    parts = {}
    for path in study.files:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        parts[header.SeriesInstanceUID] = header.BodyPartExamined
    assert [parts[s.uid] for s in (study.lumbar, *study.stations)] == ["LSPINE", "CSPINE"]
    (cervical,) = study.stations
    heights = []
    for series in (cervical, study.lumbar):
        labels = series.instances.labels_zyx
        for number in [n for n in np.unique(labels) if 2 < n < 26]:
            index = np.argwhere(labels == number).mean(axis=0)
            heights.append(float((series.instances.affine_lps @ [*index, 1.0])[2]))
    assert len(heights) >= 10
    assert heights == sorted(heights, reverse=True)


def test_both_endplates_of_a_disc_carry_its_number_as_the_pipeline_gives_it(written):
    _, study, _ = written
    labels = study.lumbar.instances.labels_zyx
    shares = []
    for number in [n for n in np.unique(labels) if 110 < n < 126]:
        near = binary_dilation(labels == number, np.ones((1, 5, 1), bool)) & (labels > 200)
        shares.append(float(np.mean(labels[near] == number + 100)))
    assert len(shares) >= 5
    assert min(shares) > 0.9


def test_every_station_is_a_case_to_train_and_evaluate_on(written):
    folder, _, _ = written
    found = find_annotated(folder, "bids")
    assert [case.name for case in found] == ["sub-0001", "sub-0001_chunk-2"]
    for case in found:
        image, mask = read_volume(case.image), read_label_map(case.semantic)
        assert image.voxels_zyx.shape == mask.labels_zyx.shape
        assert np.allclose(image.affine_lps, mask.affine_lps, atol=1e-4)
        assert case.instances is not None


@pytest.mark.skipif(not DCIODVFY, reason="dciodvfy is not installed (make peers)")
def test_dciodvfy_finds_0_errors_in_one_object_of_each_series(written):
    _, study, _ = written
    for path in {path.parent: path for path in study.files}.values():
        found = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False)
        errors = [line for line in found.stderr.splitlines() if line.startswith("Error")]
        assert errors == [], path.parent.name
