"""NIfTI in and out keeps every voxel at its place."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from operators.errors import GeometryError, UnreadableInputError
from operators.imaging.nifti import read_label_map, read_volume, write_label_map
from operators.imaging.volume import LabelMap

_COS, _SIN = np.cos(np.radians(12)), np.sin(np.radians(12))
OBLIQUE_RAS = np.array(
    [
        [-0.9, 0.0, 0.0, 12.0],
        [0.0, 0.8 * _COS, -3.3 * _SIN, -40.0],
        [0.0, 0.8 * _SIN, 3.3 * _COS, 7.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def save(path: Path, array: np.ndarray, affine: np.ndarray = OBLIQUE_RAS) -> Path:
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def test_voxel_2_3_4_keeps_its_position_with_x_and_y_negated(tmp_path: Path) -> None:
    array = np.zeros((5, 6, 7), dtype=np.int16)
    array[2, 3, 4] = 99
    volume = read_volume(save(tmp_path / "a.nii.gz", array))
    assert volume.voxels_zyx.shape == (7, 6, 5)
    assert volume.voxels_zyx[4, 3, 2] == 99
    ras = OBLIQUE_RAS @ [2, 3, 4, 1]
    lps = volume.affine_lps @ [4, 3, 2, 1]
    np.testing.assert_allclose(lps[:3], ras[:3] * [-1, -1, 1], atol=1e-5)


def test_a_label_map_written_and_read_is_the_same(tmp_path: Path) -> None:
    labels = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    affine = np.diag([3.3, 0.9, 0.8, 1.0])[[2, 1, 0, 3]]
    write_label_map(LabelMap(labels, affine), tmp_path / "m.nii.gz")
    again = read_label_map(tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(again.labels_zyx, labels)
    np.testing.assert_allclose(again.affine_lps, affine, atol=1e-6)


def test_a_trailing_axis_of_length_1_is_dropped(tmp_path: Path) -> None:
    file = save(tmp_path / "t.nii", np.ones((3, 4, 5, 1), dtype=np.float32))
    assert read_volume(file).voxels_zyx.shape == (5, 4, 3)


def test_a_4_d_image_is_refused_by_name(tmp_path: Path) -> None:
    file = save(tmp_path / "t.nii", np.ones((3, 4, 5, 2), dtype=np.float32))
    with pytest.raises(GeometryError) as caught:
        read_volume(file)
    assert caught.value.reasons == ("not_three_dimensional",)


@pytest.mark.parametrize("value", [0.5, -1.0, 70000.0])
def test_a_mask_with_other_than_label_numbers_is_refused(tmp_path: Path, value: float) -> None:
    array = np.full((3, 3, 3), value, dtype=np.float32)
    with pytest.raises(UnreadableInputError) as caught:
        read_label_map(save(tmp_path / "m.nii", array))
    assert caught.value.reasons == ("not_a_label_map",)


def test_a_text_file_named_nii_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.nii").write_text("hello")
    with pytest.raises(UnreadableInputError):
        read_volume(tmp_path / "x.nii")


def test_a_truncated_gz_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "x.nii.gz", np.random.default_rng(0).random((40, 40, 40)))
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(UnreadableInputError):
        read_volume(file)
