"""Real, odd series of many scanners: assembled right, or refused with all reasons that apply.

Needs the shared inputs (fixture `shared_data`); right means equal to ITK's GDCM reader.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import nibabel
import numpy as np
import pytest
import SimpleITK

from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.decoding import decode_frames
from operators.dicom.reading.geometry import place, plane_of
from operators.dicom.reading.series import SeriesRecord, scan
from operators.errors import GeometryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_TOO_FEW = ("too_few_slices",)
_ASSEMBLED: tuple[str, ...] = ()
_OUTCOMES: dict[str, tuple[str, ...]] = {
    "dicom2nifti/anatomical/001": _TOO_FEW,
    "dicom2nifti/anatomical/001_implicit": _TOO_FEW,
    "dicom2nifti/ge/anatomical/001": _TOO_FEW,
    "dicom2nifti/ge/anatomical/001_implicit": _TOO_FEW,
    "dicom2nifti/ge/anatomical/001_single_slice": _TOO_FEW,
    "dicom2nifti/generic/anatomical/001": _TOO_FEW,
    "dicom2nifti/generic/anatomical/001_implicit": _TOO_FEW,
    "dicom2nifti/generic/anatomical/002_non_isotropic": _TOO_FEW,
    "dicom2nifti/generic/compressed/001": _TOO_FEW,
    "dicom2nifti/generic/compressed_j2k/001": _TOO_FEW,
    "dicom2nifti/generic/compressed_jpeg/001": _TOO_FEW,
    "dicom2nifti/generic/compressed_jpegls/001": _TOO_FEW,
    "dicom2nifti/generic/compressed_rle/001": _TOO_FEW,
    "dicom2nifti/hitachi/anatomical/001": _TOO_FEW,
    "dicom2nifti/hitachi/anatomical/001_implicit": _TOO_FEW,
    "dicom2nifti/siemens/anatomical/001": _TOO_FEW,
    "dicom2nifti/siemens/anatomical/001_implicit": _TOO_FEW,
    "dicom2nifti/hyperfine/anatomical/001": _ASSEMBLED,
    "dicom2nifti/philips_enhanced/anatomical/001": _ASSEMBLED,
    "dicom2nifti/philips_enhanced/anatomical/001_implicit": _ASSEMBLED,
    "dicom2nifti/siemens_multiframe/anatomical/001": _ASSEMBLED,
    "sag_t1_brain": _ASSEMBLED,
    "spine/lumbar_a/2_t2_sag": _ASSEMBLED,
    "spine/lumbar_a/3_t2_ax": _ASSEMBLED,
    "spine/lumbar_b/2_t1_sag": _ASSEMBLED,
    "spine/lumbar_b/3_t2_sag": _ASSEMBLED,
    "spine/lumbar_b/4_stir_sag": _ASSEMBLED,
    "spine/lumbar_c/2_t2_sag": _ASSEMBLED,
    "dicom2nifti/generic/rgb/001": ("too_few_slices", "not_monochrome"),
    "dicom2nifti/failing/gantrytilting/001": ("shear", "too_few_slices"),
    "dicom2nifti/failing/notavolume/001": ("duplicate_positions", "too_few_slices"),
    "dicom2nifti/failing/slicecount/001": _TOO_FEW,
    "dicom2nifti/failing/sliceincrement/001": ("missing_slice", "too_few_slices"),
    "dicom2nifti/failing/sliceincrement/002": ("missing_slice", "shear", "too_few_slices"),
    "dicom2nifti/failing/sliceorientation/001": (
        "mixed_orientation",
        "mixed_pixel_spacing",
        "too_few_slices",
    ),
    "dcm_qa/dcm_qa_12bit/In": (
        "duplicate_positions",
        "too_few_slices",
        "mosaic",
        "conflicting_copies",
    ),
    "dcm_qa/dcm_qa_ts/In": ("duplicate_positions", "too_few_slices", "mosaic"),
    "dcm_qa/dcm_qa_enh/In/Philips": ("several_echoes",),
    "dcm_qa/dcm_qa_enh/In/Siemens/XA10": ("several_temporal_positions",),
    "dcm_qa/dcm_qa_pdt2/In/Siemens/VE11": ("several_echoes",),
}


def _record(folder: Path) -> SeriesRecord:
    (record,) = scan(folder).series
    return record


def _read_by_itk(names: Sequence[str]) -> tuple[NDArray, NDArray]:
    image = SimpleITK.ReadImage(names if len(names) > 1 else names[0])
    affine = np.eye(4)
    columns = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, :3], affine[:3, 3] = columns[:, ::-1], image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image), affine


def _folders(outcome: tuple[str, ...]) -> list[str]:
    return [folder for folder, reasons in _OUTCOMES.items() if reasons == outcome]


@pytest.mark.parametrize(
    ("folder", "reasons"), [(f, r) for f, r in _OUTCOMES.items() if r != _ASSEMBLED]
)
def test_a_real_series_that_is_no_volume_is_refused_with_all_its_reasons(
    shared_data: Path, folder: str, reasons: tuple[str, ...]
):
    with pytest.raises(GeometryError) as caught:
        assemble(_record(shared_data / "data" / "dicom" / folder))

    assert caught.value.reasons == reasons


@pytest.mark.parametrize("folder", _folders(_ASSEMBLED))
def test_a_real_series_equals_what_itk_reads_to_a_micrometre(shared_data: Path, folder: str):
    path = shared_data / "data" / "dicom" / folder

    volume = assemble(_record(path))

    voxels, affine = _read_by_itk(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))
    assert np.abs(volume.affine_lps - affine).max() < 1e-3
    assert np.array_equal(volume.voxels_zyx, voxels.astype(np.float32))


@pytest.mark.parametrize("folder", [f for f in _folders(_TOO_FEW) if "single_slice" not in f])
def test_real_series_refused_only_for_their_count_would_be_placed_and_decoded_right(
    shared_data: Path, folder: str
):
    path = shared_data / "data" / "dicom" / folder
    frames = _record(path).frames

    placement = place([plane_of(frame.header) for frame in frames])

    ordered = [frames[index] for index in placement.order]
    voxels, affine = _read_by_itk([str(frame.path) for frame in ordered])
    for k, frame in enumerate(ordered):
        (stored,) = decode_frames(frame.path, [1])
        slope = float(frame.header.get("RescaleSlope", 1))
        assert np.allclose(
            stored.values * slope + float(frame.header.get("RescaleIntercept", 0)), voxels[k]
        )
    assert np.abs(placement.affine_lps - affine).max() < 1e-3


@pytest.mark.parametrize(("echo_ms", "instances"), [(92, range(36, 71)), (11, range(1, 36))])
def test_one_echo_of_a_real_dual_echo_series_is_35_slices_equal_to_itk(
    shared_data: Path, echo_ms: float, instances: range
):
    record = _record(shared_data / "data/dicom/dcm_qa/dcm_qa_pdt2/In/Siemens/VE11")
    frames = tuple(frame for frame in record.frames if frame.header.EchoTime == echo_ms)

    volume = assemble(replace(record, frames=frames))

    voxels, affine = _read_by_itk([str(slice_.path) for slice_ in volume.source])
    assert {frame.header.InstanceNumber for frame in frames} == set(instances)
    assert np.array_equal(volume.voxels_zyx, voxels)
    assert np.abs(volume.affine_lps - affine).max() < 1e-3


def test_9_transfer_syntaxes_of_one_real_image_decode_to_the_same_numbers(shared_data: Path):
    files = sorted((shared_data / "data/dicom/dcm_qa/dcm_qa_ts/In").glob("*.dcm"))

    images = [decode_frames(path, [1])[0].values for path in files]

    assert len(images) == 9
    for image in images[1:]:
        assert np.array_equal(image, images[0])


@pytest.mark.parametrize(
    "name", ["12bitUnsigned.dcm", "12bitUnsigned_0x0F0F.dcm", "12bitSigned_0x0F0F.dcm"]
)
def test_12_bit_images_with_junk_in_their_high_bits_read_as_gdcm_reads_them(
    shared_data: Path, name: str
):
    path = shared_data / "data/dicom/dcm_qa/dcm_qa_12bit/In" / name

    (image,) = decode_frames(path, [1])

    voxels, _ = _read_by_itk([str(path)])
    assert np.array_equal(image.values, voxels[0])
    assert image.values.min() >= -2048
    assert image.values.max() <= 4095


@pytest.mark.parametrize(
    "series",
    [
        "lumbar_a/2_t2_sag",
        "lumbar_b/2_t1_sag",
        "lumbar_b/3_t2_sag",
        "lumbar_b/4_stir_sag",
        "lumbar_c/2_t2_sag",
    ],
)
def test_a_volume_lies_exactly_where_its_truth_lies(shared_data: Path, series: str):
    path = shared_data / "data" / "dicom" / "spine" / series
    truth = nibabel.load(path.parent / f"{path.name}_truth.nii.gz")

    volume = assemble(_record(path))

    index_to_truth = np.linalg.inv(np.diag([-1.0, -1, 1, 1]) @ truth.affine) @ volume.affine_lps
    # Whole, axis-parallel steps: the truth's voxels are ours, in another order of the axes.
    assert np.allclose(index_to_truth, np.rint(index_to_truth), atol=1e-3)
    corners = (
        index_to_truth @ np.array([[0, 0, 0, 1], [*(n - 1 for n in volume.voxels_zyx.shape), 1]]).T
    )
    assert np.allclose(corners[:3].min(axis=1), 0, atol=1e-3)
    assert np.allclose(corners[:3].max(axis=1), np.array(truth.shape) - 1, atol=1e-3)
