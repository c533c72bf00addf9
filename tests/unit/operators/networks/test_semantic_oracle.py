"""Stage by stage against SPINEPS 2.1.3 (stored by the reference environment; see DESIGN.md 6)."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from operators.imaging.cropping import pad
from operators.imaging.intensity import prepare
from operators.imaging.nifti import read_label_map, read_volume
from operators.imaging.orientation import reorient
from operators.imaging.resampling import resample_to_spacing
from operators.networks.precision import Precision, computes_in_bfloat16
from operators.networks.semantic import load_semantic_model

CASES = pytest.mark.parametrize("case", ["sample1", "sample3", "clin8"])
MODELS = {"sample1": "t2w_tiny", "sample3": "t2w_tiny3", "clin8": "t2w_tiny"}
INPUTS = {"sample1": "sample", "sample3": "sample", "clin8": "clin8"}


@pytest.fixture
def oracle(shared_data: Path) -> Path:
    return shared_data / "data" / "oracle"


def dice(ours: NDArray[np.generic], theirs: NDArray[np.generic], label: int) -> float:
    a, b = ours == label, theirs == label
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


@CASES
def test_preprocessing_differs_by_less_than_2_percent_of_the_range_where_n4_agrees(
    case: str, oracle: Path
) -> None:
    image = read_volume(oracle / "inputs" / f"sub-{INPUTS[case]}_T2w.nii.gz")
    ours = pad(prepare(image).volume, [(4, 4)] * 3)
    theirs = read_volume(oracle / "stages" / case / "a_preprocessed.nii.gz")
    assert np.allclose(ours.affine_lps, theirs.affine_lps, atol=1e-4)
    difference = np.abs(ours.voxels_zyx - theirs.voxels_zyx)
    # clin8 has the same shrink phase; on the sample ANTs takes the other neighbour (12 % of the
    # field), which SPINEPS itself does when the scan moves by 1.3 mm.
    limit = 0.02 if case == "clin8" else 0.15
    assert np.percentile(difference, 99) < limit * theirs.voxels_zyx.max()


@CASES
def test_resampling_is_within_1_grey_level_for_99_9_percent(case: str, oracle: Path) -> None:
    before = read_volume(oracle / "stages" / case / "a_preprocessed.nii.gz")
    after = read_volume(oracle / "stages" / case / "b_model_grid.nii.gz")
    ours = resample_to_spacing(reorient(before, ("P", "I", "R")), (1.65, 0.75, 0.75))
    assert ours.voxels_zyx.shape == after.voxels_zyx.shape
    assert np.allclose(ours.affine_lps, after.affine_lps, atol=1e-4)
    assert (np.abs(ours.voxels_zyx - after.voxels_zyx) <= 1).mean() >= 0.999


THIN: dict[Precision, float] = {"fp32": 0.93, "bf16": 0.92}
"""Dice of structures over 500 voxels; in bf16 a spinous process and an end plate of one case have
.924 and .926 (decision 0045)."""


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@CASES
def test_the_network_agrees_with_spineps_in_float32(
    case: str, precision: Precision, oracle: Path
) -> None:
    if precision == "bf16" and not computes_in_bfloat16("cpu"):
        pytest.skip("this processor has no bfloat16")
    model = load_semantic_model(oracle / "models" / MODELS[case], precision=precision)
    image = read_volume(oracle / "stages" / case / "b_model_grid.nii.gz")
    expected = read_label_map(oracle / "stages" / case / "c2_network_float32.nii.gz").labels_zyx
    ours = model.predict_on_model_grid(image).labels_zyx
    assert dice(ours, expected, 49) >= 0.98
    assert dice(ours, expected, 100) >= 0.98
    for label, count in zip(*np.unique(expected, return_counts=True), strict=True):
        if label and count > 500:
            assert dice(ours, expected, int(label)) >= THIN[precision]
    if precision == "fp32":
        assert (ours == expected).mean() > 0.9999


@pytest.mark.slow
@CASES
def test_the_whole_of_phase_1_stays_within_spinepss_own_noise(case: str, oracle: Path) -> None:
    model = load_semantic_model(oracle / "models" / MODELS[case])
    image = read_volume(oracle / "inputs" / f"sub-{INPUTS[case]}_T2w.nii.gz")
    expected = read_label_map(oracle / "stages" / case / "c_network.nii.gz").labels_zyx
    ours = model.segment(image).labels.labels_zyx
    noise = json.loads((oracle / "noise_floor.json").read_text())[case]
    for label in (49, 100):
        floor = min(run["c_network"][str(label)]["dice"] for run in noise.values())
        assert dice(ours, expected, label) >= floor - 0.01
