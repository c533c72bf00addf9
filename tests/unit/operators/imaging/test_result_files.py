"""No result is lost under the name of another."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from operators.errors import EncodingError
from operators.imaging.nifti import read_volume, write_label_map
from operators.imaging.result_files import case_name, require_replaceable, source_note
from operators.imaging.volume import LabelMap
from tests.builders.nifti_images import noise, save_image


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("sub-A/anat/T2w.nii.gz", "sub-A_T2w"),
        ("sub-A/ses-2/anat/scan.nii", "sub-A_ses-2_scan"),
        ("sub-A/anat/sub-A_acq-sag_T2w.nii.gz", "sub-A_acq-sag_T2w"),
        ("patients/scan.NII.GZ", "scan"),
        ("my.scan.1.nii.gz", "my.scan.1"),
        (".nii.gz", "image"),
    ],
)
def test_a_case_is_named_by_its_file_and_its_bids_folders(path: str, name: str):
    assert case_name(Path("/data") / path) == name


def test_the_note_is_that_of_the_content_not_of_the_file(tmp_path: Path):
    plain = save_image(tmp_path / "a" / "x.nii")
    (tmp_path / "x.nii.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert source_note(plain) == source_note(tmp_path / "x.nii.gz")
    assert source_note(save_image(tmp_path / "y.nii", noise(seed=1))) != source_note(plain)
    assert len(source_note(plain)) < 80


def mask_of(image: Path, path: Path, note: str) -> Path:
    volume = read_volume(image)
    labels = LabelMap(np.ones(volume.voxels_zyx.shape, np.uint16), volume.affine_lps)
    write_label_map(labels, path, like=image, note=note)
    return path


def test_a_result_is_replaced_only_by_one_of_the_same_image(tmp_path: Path):
    image, other = save_image(tmp_path / "a.nii"), save_image(tmp_path / "b.nii", noise(seed=1))
    result = mask_of(image, tmp_path / "r.nii.gz", source_note(image))
    require_replaceable(tmp_path / "nothing.nii.gz", source_note(other))
    require_replaceable(result, source_note(image))
    for found in (result, mask_of(image, tmp_path / "s.nii.gz", ""), tmp_path / "junk.nii.gz"):
        if not found.exists():
            found.write_text("no NIfTI")
        with pytest.raises(EncodingError) as caught:
            require_replaceable(found, source_note(other))
        assert caught.value.reasons == ("result_of_another_image",)
