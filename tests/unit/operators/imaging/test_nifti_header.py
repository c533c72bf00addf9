"""A NIfTI image lies where its header says, or it is refused by name."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operators.errors import (
    EncodingError,
    GeometryError,
    PixelDataError,
    SpineError,
    UnreadableInputError,
)
from operators.imaging.nifti import read_label_map, read_note, read_volume, write_label_map
from operators.imaging.nifti_header import read_header
from operators.imaging.volume import LabelMap, Volume
from tests.builders.nifti_images import SAGITTAL_RAS, noise, patched, save_image


def both_alike() -> bytes:
    """An image of 6 x 7 x 8 voxels whose two transforms say the same."""
    image = nib.Nifti1Image(noise((6, 7, 8)), SAGITTAL_RAS)
    image.set_qform(SAGITTAL_RAS, 1)
    image.set_sform(SAGITTAL_RAS, 1)
    return image.to_bytes()


CONTENT = both_alike()
HUGE = [3, 2000, 2000, 1000, 1, 1, 1, 1]


def turned(degrees: float) -> np.ndarray:
    """The sagittal affine, turned about the patient's z axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ SAGITTAL_RAS


def shifted(mm: float) -> np.ndarray:
    moved = SAGITTAL_RAS.copy()
    moved[0, 3] += mm
    return moved


def mirrored() -> np.ndarray:
    """The same box with left and right exchanged."""
    return np.diag([-1.0, 1, 1, 1]) @ SAGITTAL_RAS


def sheared(cosine: float) -> np.ndarray:
    leaning = SAGITTAL_RAS.copy()
    leaning[2, 2] = -3.3 * cosine  # the slice axis leans along the columns
    return leaning


def resized(factor: float) -> np.ndarray:
    return SAGITTAL_RAS @ np.diag([factor, factor, factor, 1])


def reasons(path: Path) -> tuple[str, ...]:
    with pytest.raises(GeometryError) as caught:
        read_volume(path)
    return caught.value.reasons


@pytest.mark.parametrize(
    ("transforms", "reason"),
    [
        ({"sform": mirrored()}, "disagreeing_transforms"),
        ({"qform": mirrored()}, "disagreeing_transforms"),
        ({"sform": turned(10)}, "disagreeing_transforms"),
        ({"sform": shifted(2.0)}, "disagreeing_transforms"),
        ({"sform": np.eye(4)}, "disagreeing_transforms"),
        ({"qform": np.eye(4)}, "disagreeing_transforms"),
        ({"sform": None, "qform": None}, "no_transform"),
        ({"sform": sheared(0.05), "qform": None}, "shear"),
        ({"sform": resized(1e-3), "qform": None}, "implausible_spacing"),
        ({"sform": resized(1000), "qform": None}, "implausible_spacing"),
        ({"sform": resized(0.04), "qform": None}, "implausible_spacing"),
        ({"sform": np.diag([1.5, 1.5, 0, 1]), "qform": None}, "singular_affine"),
    ],
)
def test_a_header_that_places_the_image_in_no_or_two_places_is_refused(
    tmp_path: Path, transforms: dict[str, Any], reason: str
):
    assert reason in reasons(save_image(tmp_path / "x.nii", **transforms))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"srow_x": [np.nan, 0, 1, 0]}, "invalid_transform"),
        ({"srow_y": [np.inf, 0, 1, 0]}, "invalid_transform"),
        ({"quatern_b": 1.5}, "invalid_transform"),
        ({"qoffset_x": np.nan}, "invalid_transform"),
        ({"qform_code": 9}, "invalid_transform"),
        ({"sform_code": -1}, "invalid_transform"),
        ({"xyzt_units": 5}, "invalid_transform"),
        ({"pixdim": [1, 0, 1.5, 3.3, 1, 1, 1, 1]}, "invalid_transform"),
        ({"pixdim": [1, -1.5, 1.5, 3.3, 1, 1, 1, 1]}, "invalid_transform"),
        ({"pixdim": [1, np.nan, 1.5, 3.3, 1, 1, 1, 1]}, "invalid_transform"),
        ({"pixdim": [1, 1.5, 1.5, 5.0, 1, 1, 1, 1]}, "disagreeing_transforms"),
        ({"pixdim": [1, 1.5, 1.5, 5.0, 1, 1, 1, 1], "qform_code": 0}, "disagreeing_transforms"),
        ({"pixdim": [1, 1.5, 1.5, 3.3, 1, 1, 1, 1]}, "disagreeing_transforms"),
    ],
)
def test_a_broken_header_field_is_refused_not_repaired(
    tmp_path: Path, fields: dict[str, Any], reason: str
):
    assert reason in reasons(patched(save_image(tmp_path / "x.nii"), **fields))


def test_every_reason_is_named_at_once(tmp_path: Path):
    file = save_image(tmp_path / "x.nii", noise((8, 8, 8, 2)), sform=sheared(0.4), qform=None)
    assert set(reasons(file)) == {"not_three_dimensional", "shear"}


def test_fields_of_a_transform_with_code_0_are_ignored(tmp_path: Path):
    file = save_image(tmp_path / "x.nii", qform=None)
    want = read_volume(file).affine_lps
    patched(file, quatern_b=7.0, qoffset_x=np.nan)
    np.testing.assert_array_equal(read_volume(file).affine_lps, want)


def test_a_qfac_of_0_stands_for_a_right_handed_qform(tmp_path: Path):
    right_handed = SAGITTAL_RAS @ np.diag([1, 1, -1, 1])
    file = save_image(tmp_path / "x.nii", sform=None, qform=right_handed)
    want = read_volume(file).affine_lps
    patched(file, pixdim=[0, *read_header(file)["pixdim"][1:4], 1, 1, 1, 1])
    np.testing.assert_array_equal(read_volume(file).affine_lps, want)


@pytest.mark.parametrize("degrees", [0, 3, 12, 44])
def test_cosines_of_two_decimals_and_a_qform_of_float32_are_rounding(tmp_path: Path, degrees: int):
    exact = turned(degrees)
    lengths = np.linalg.norm(exact[:3, :3], axis=0)
    rounded = exact.copy()
    rounded[:3, :3] = np.round(exact[:3, :3] / lengths, 2) * lengths
    volume = read_volume(save_image(tmp_path / "r.nii", sform=rounded, qform=None))
    corner = rounded @ [63, 99, 12, 1]
    np.testing.assert_allclose(
        (volume.affine_lps @ [12, 99, 63, 1])[:3], corner[:3] * [-1, -1, 1], atol=1e-4
    )
    read_volume(save_image(tmp_path / "e.nii", sform=exact, qform=exact))


def test_a_third_of_a_voxel_is_rounding_and_two_thirds_are_not(tmp_path: Path):
    read_volume(save_image(tmp_path / "a.nii", sform=shifted(0.5)))
    assert reasons(save_image(tmp_path / "b.nii", sform=shifted(1.0))) == (
        "disagreeing_transforms",
    )


@pytest.mark.parametrize(
    ("units", "factor"), [("mm", 1.0), ("unknown", 1.0), ("meter", 1e-3), ("micron", 1e3)]
)
def test_the_unit_of_length_is_honoured_and_written_back(tmp_path: Path, units: str, factor: float):
    scale = np.diag([factor, factor, factor, 1])
    affine = scale @ SAGITTAL_RAS
    image = nib.Nifti1Image(noise(), None)
    image.header.set_xyzt_units(units)
    image.header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    image.header.set_qform(affine, 2)
    image.header.set_sform(affine, 3)
    image._affine = affine
    nib.save(image, tmp_path / "x.nii.gz")
    volume = read_volume(tmp_path / "x.nii.gz")
    assert volume.spacing_zyx_mm == pytest.approx((3.3, 1.5, 1.5), rel=1e-6)
    labels = LabelMap(np.ones(volume.voxels_zyx.shape, np.uint16), volume.affine_lps)
    write_label_map(labels, tmp_path / "m.nii.gz", like=tmp_path / "x.nii.gz", note="made of x")
    before, after = (read_header(tmp_path / name) for name in ("x.nii.gz", "m.nii.gz"))
    fields = [f"{axis}_{name}" for axis in ("srow",) for name in "xyz"]
    fields += ["qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "xyzt_units"]
    for name in (*fields, "qoffset_x", "qoffset_y", "qoffset_z"):
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    np.testing.assert_array_equal(after["pixdim"][:4], before["pixdim"][:4])
    np.testing.assert_array_equal(read_label_map(tmp_path / "m.nii.gz").labels_zyx, 1)
    assert read_note(tmp_path / "m.nii.gz") == "made of x"


def test_labels_are_not_written_onto_an_image_that_was_exchanged_meanwhile(tmp_path: Path):
    volume = read_volume(save_image(tmp_path / "x.nii"))
    labels = LabelMap(np.ones(volume.voxels_zyx.shape, np.uint16), volume.affine_lps)
    save_image(tmp_path / "x.nii", sform=shifted(9.0), qform=shifted(9.0))
    with pytest.raises(EncodingError) as caught:
        write_label_map(labels, tmp_path / "m.nii", like=tmp_path / "x.nii")
    assert caught.value.reasons == ("input_changed",)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros((8, 8, 8), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "colour_image"),
        (np.ones((8, 8, 8), np.complex64), "complex_image"),
    ],
)
def test_values_that_are_no_intensities_are_refused(
    tmp_path: Path, values: np.ndarray, reason: str
):
    with pytest.raises(PixelDataError) as caught:
        read_volume(save_image(tmp_path / "x.nii", values))
    assert caught.value.reasons == (reason,)


@pytest.mark.parametrize("code", [1, 3, 999])
def test_a_data_type_that_nobody_knows_is_refused(tmp_path: Path, code: int):
    with pytest.raises(PixelDataError) as caught:
        read_volume(patched(save_image(tmp_path / "x.nii"), datatype=code))
    assert caught.value.reasons == ("unsupported_data_type",)


@pytest.mark.parametrize("shape", [(64, 100), (64, 100, 13, 2), (8, 8, 8, 1, 3)])
def test_other_than_three_axes_are_refused(tmp_path: Path, shape: tuple[int, ...]):
    assert reasons(save_image(tmp_path / "x.nii", noise(shape))) == ("not_three_dimensional",)


def test_an_analyze_pair_and_a_text_are_no_nifti(tmp_path: Path):
    nib.save(nib.AnalyzeImage(noise(), np.eye(4)), tmp_path / "x.img")
    (tmp_path / "t.nii").write_text("348")
    for name in ("x.img", "x.hdr", "t.nii"):
        with pytest.raises(UnreadableInputError):
            read_volume(tmp_path / name)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_of_3_kb_that_announces_8_gb_is_refused_before_memory_is_taken(
    tmp_path: Path, suffix: str
):
    file = patched(save_image(tmp_path / "a.nii", noise((8, 8, 8))), dim=HUGE)
    content = file.read_bytes()
    path = tmp_path / f"x{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    tracemalloc.start()
    with pytest.raises(UnreadableInputError):
        read_volume(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@given(changes=st.lists(st.tuples(st.integers(0, 347), st.integers(0, 255)), max_size=4))
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_header_with_changed_bytes_is_refused_by_name_or_keeps_its_place(
    tmp_path: Path, changes: list[tuple[int, int]]
):
    content = bytearray(CONTENT)
    for place, value in changes:
        content[place] = value
    file = tmp_path / "x.nii"
    file.write_bytes(content)
    volume, error = attempt(file)
    if volume is None:
        assert error is not None
        assert error.reasons
        return
    header = read_header(file)
    corners = np.array(np.meshgrid(*((0, n - 1) for n in (6, 7, 8)))).reshape(3, -1)
    corners = np.vstack([corners, np.ones(8)])
    got = np.diag([-1, -1, 1, 1]) @ volume.affine_lps @ corners[[2, 1, 0, 3]]
    # Both transforms say the same here: where one was changed, that shows. A unit does not.
    if int(header["xyzt_units"]) & 7 in {0, 2} and header["qform_code"] and header["sform_code"]:
        assert np.abs(got - SAGITTAL_RAS @ corners).max() < 1.0


def attempt(file: Path) -> tuple[Volume | None, SpineError | None]:
    try:
        return read_volume(file), None
    except SpineError as error:
        return None, error
