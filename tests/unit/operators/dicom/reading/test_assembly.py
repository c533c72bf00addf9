from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import (
    HTJ2K,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.series import SeriesRecord, scan
from operators.errors import GeometryError, InputRejectedError, PixelDataError
from tests.builders import htj2k_image
from tests.builders.mr_series import (
    GDCM_ENCODED,
    NATIVE,
    OBLIQUE_SAGITTAL,
    PYDICOM_ENCODED,
    SAGITTAL,
    make_series,
    turned,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from operators.imaging.volume import Volume

_CLASSES = (MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage)
_GREY_LEVELS_LOST = {"1.2.840.10008.1.2.4.50": 1, "1.2.840.10008.1.2.4.91": 2}
"""Lossy JPEG and JPEG 2000 at the builder's quality, of 255 and of 2047 grey levels."""


def _only_series(folder: Path) -> SeriesRecord:
    (record,) = scan(folder).series
    return record


def _assembled(folder: Path) -> Volume:
    return assemble(_only_series(folder))


def _refused(folder: Path) -> InputRejectedError:
    with pytest.raises(InputRejectedError) as caught:
        _assembled(folder)
    for reason in caught.value.reasons:
        assert reason in caught.value.message
    return caught.value


def _read_by_itk(folder: Path) -> tuple[NDArray, NDArray]:
    """Voxels and index-(k, j, i)-to-LPS affine by ITK's GDCM reader."""
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = SimpleITK.ReadImage(names if len(names) > 1 else names[0])
    affine = np.eye(4)
    columns = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, :3], affine[:3, 3] = columns[:, ::-1], image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image), affine


@pytest.mark.parametrize("sop_class", _CLASSES, ids=["classic", "enhanced", "legacy"])
@pytest.mark.parametrize("syntax", [*NATIVE, *PYDICOM_ENCODED, *GDCM_ENCODED])
def test_12_oblique_slices_come_out_true_in_every_transfer_syntax(
    tmp_path: Path, syntax: str, sop_class: str
):
    eight_bit = syntax in (JPEGBaseline8Bit, JPEGExtended12Bit)
    depth = {"bits_allocated": 8, "bits_stored": 8} if eight_bit else {}
    made = make_series(tmp_path, transfer_syntax=syntax, sop_class=sop_class, **depth)

    volume = _assembled(tmp_path)

    assert volume.voxels_zyx.dtype == np.float32
    lost = _GREY_LEVELS_LOST.get(str(syntax), 1 if eight_bit else 0)
    assert np.abs(volume.voxels_zyx - made.voxels_zyx).max() <= lost
    assert np.abs(volume.affine_lps - made.affine_lps).max() < 1e-6


@pytest.mark.skipif(not shutil.which("dcmcjpeg"), reason="dcmtk's encoder is not installed")
def test_12_bit_lossy_jpeg_comes_out_within_3_grey_levels_of_2047(tmp_path: Path):
    made = make_series(tmp_path, transfer_syntax=JPEGExtended12Bit)

    assert np.abs(_assembled(tmp_path).voxels_zyx - made.voxels_zyx).max() <= 3


@pytest.mark.parametrize("syntax", [HTJ2KLossless, HTJ2K])
def test_high_throughput_jpeg_2000_comes_out_true(tmp_path: Path, syntax: str):
    made = make_series(tmp_path)
    for path in made.paths:
        dataset = pydicom.dcmread(path)
        dataset.PixelData = pydicom.encaps.encapsulate([htj2k_image.CODESTREAM])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)

    voxels = _assembled(tmp_path).voxels_zyx

    assert np.array_equal(voxels, np.stack([htj2k_image.pixels()] * 12))


_ORIENTATIONS = {
    "sagittal": SAGITTAL,
    "from the other side": (0.0, -1.0, 0.0, 0.0, 0.0, -1.0),
    "upside down": (0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    "oblique": OBLIQUE_SAGITTAL,
    "30 degrees": turned(SAGITTAL, -30.0, -9.0),
    "axial": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "coronal": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0),
}


@pytest.mark.parametrize("orientation", _ORIENTATIONS.values(), ids=_ORIENTATIONS)
@pytest.mark.parametrize("sop_class", [MRImageStorage, EnhancedMRImageStorage])
def test_place_and_values_equal_an_independent_reader_to_a_micrometre(
    tmp_path: Path, orientation: tuple[float, ...], sop_class: str
):
    make_series(
        tmp_path,
        orientation=orientation,
        pixel_spacing=(0.85, 0.55),
        slice_distance_mm=3.3,
        sop_class=sop_class,
        # ITK reads frames in the order of the file: only there it is the order in space.
        shuffle_seed=7 if sop_class == MRImageStorage else None,
    )

    volume = _assembled(tmp_path)
    voxels, affine = _read_by_itk(tmp_path)

    assert np.abs(volume.affine_lps - affine).max() < 1e-3
    assert np.array_equal(volume.voxels_zyx, voxels)


def test_every_slice_names_its_own_instance(tmp_path: Path):
    made = make_series(tmp_path)

    source = _assembled(tmp_path).source

    assert tuple(slice_.sop_instance_uid for slice_ in source) == made.sop_instance_uids
    assert tuple(slice_.path for slice_ in source) == made.paths
    assert {slice_.frame_number for slice_ in source} == {None}
    assert {slice_.sop_class_uid for slice_ in source} == {MRImageStorage}


def test_every_slice_names_its_own_frame_of_shuffled_ones(tmp_path: Path):
    make_series(tmp_path, sop_class=EnhancedMRImageStorage)

    volume = _assembled(tmp_path)

    dataset = pydicom.dcmread(volume.source[0].path)
    assert sorted(slice_.frame_number for slice_ in volume.source) == list(range(1, 13))
    assert [slice_.frame_number for slice_ in volume.source] != list(range(1, 13))
    for k, slice_ in enumerate(volume.source):
        group = dataset.PerFrameFunctionalGroupsSequence[slice_.frame_number - 1]
        position = group.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose((volume.affine_lps @ [k, 0, 0, 1])[:3], position, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_file_order_changes_nothing(tmp_path: Path, seed: int):
    make_series(tmp_path / "a", shuffle_seed=seed)
    make_series(tmp_path / "b", shuffle_seed=None)

    a, b = _assembled(tmp_path / "a"), _assembled(tmp_path / "b")

    assert np.array_equal(a.voxels_zyx, b.voxels_zyx)
    assert np.array_equal(a.affine_lps, b.affine_lps)


@pytest.mark.parametrize("sop_class", _CLASSES, ids=["classic", "enhanced", "legacy"])
def test_slopes_of_12_slices_from_1_to_2_and_their_intercepts_are_each_applied(
    tmp_path: Path, sop_class: str
):
    made = make_series(
        tmp_path,
        sop_class=sop_class,
        slopes=tuple(1 + n / 11 for n in range(12)),
        intercepts=tuple(-300.0 + 17 * n for n in range(12)),
    )

    assert np.allclose(_assembled(tmp_path).voxels_zyx, made.voxels_zyx, rtol=1e-6)


def test_a_slope_of_037_beside_slopes_of_1_is_not_rounded_away(tmp_path: Path):
    made = make_series(tmp_path, slopes=(1.0, *(0.37,) * 11))

    voxels = _assembled(tmp_path).voxels_zyx

    assert np.allclose(voxels, made.voxels_zyx, rtol=1e-6)
    assert np.abs(voxels - np.rint(voxels)).max() > 0.4


@pytest.mark.parametrize("bits", [(16, 12), (16, 16), (8, 8), (32, 24)])
def test_signed_values_stay_signed(tmp_path: Path, bits: tuple[int, int]):
    made = make_series(tmp_path, signed=True, bits_allocated=bits[0], bits_stored=bits[1])

    voxels = _assembled(tmp_path).voxels_zyx

    assert voxels.min() < 0
    assert np.array_equal(voxels, made.voxels_zyx)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", NATIVE)
def test_junk_in_the_4_bits_above_12_changes_nothing(tmp_path: Path, syntax: str, *, signed: bool):
    made = make_series(tmp_path, junk_high_bits=True, signed=signed, transfer_syntax=syntax)

    assert np.array_equal(_assembled(tmp_path).voxels_zyx, made.voxels_zyx)


def test_monochrome1_is_turned_with_one_constant_for_all_slices(tmp_path: Path):
    slopes = tuple(1 + n / 11 for n in range(12))
    made = make_series(tmp_path / "1", photometric="MONOCHROME1", slopes=slopes)
    make_series(tmp_path / "2", photometric="MONOCHROME2", slopes=slopes)

    inverted, plain = _assembled(tmp_path / "1"), _assembled(tmp_path / "2")

    total = inverted.voxels_zyx + plain.voxels_zyx
    assert np.ptp(total) < 1e-3
    assert (inverted.voxels_zyx.min(), inverted.voxels_zyx.max()) == pytest.approx(
        (plain.voxels_zyx.min(), plain.voxels_zyx.max())
    )
    assert np.allclose(inverted.voxels_zyx, made.voxels_zyx, atol=1e-3)


@pytest.mark.parametrize("sop_class", [MRImageStorage, EnhancedMRImageStorage])
def test_slice_distances_that_headers_claim_are_never_used(tmp_path: Path, sop_class: str):
    lies = {"SpacingBetweenSlices": 99.0, "SliceThickness": 0.1, "SliceLocation": 5.0}
    made = make_series(
        tmp_path, sop_class=sop_class, tags=lies if sop_class == MRImageStorage else {}
    )

    assert _assembled(tmp_path).spacing_zyx_mm == pytest.approx((4.4, 0.9, 0.6), abs=1e-6)
    assert np.allclose(_assembled(tmp_path).affine_lps, made.affine_lps, atol=1e-6)


def test_one_echo_of_a_dual_echo_series_assembles_alone(tmp_path: Path):
    made = make_series(tmp_path, echo_times=(100.0, 11.0))
    record = _only_series(tmp_path)
    late = tuple(frame for frame in record.frames if frame.header.EchoTime == 100)

    volume = assemble(replace(record, frames=late))

    assert np.array_equal(volume.voxels_zyx, made.voxels_zyx)


_JITTER = tuple(4.4 * n + (1.5 if n == 6 else 0.0) for n in range(12))
_OTHER_PLANE = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}

_GEOMETRY_REFUSALS: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "one inner slice missing": ({"missing": (4,)}, ("missing_slice",)),
    "two neighbours missing": ({"missing": (4, 5)}, ("missing_slice",)),
    "random increment": ({"positions_mm": _JITTER}, ("irregular_spacing",)),
    "gantry tilt": ({"shear_mm": 1.4}, ("shear",)),
    "localizer inside": ({"slice_tags": {11: _OTHER_PLANE}}, ("mixed_orientation",)),
    "4 slices": ({"slices": 4}, ("too_few_slices",)),
    "no slice positions": (
        {"tags": {"ImagePositionPatient": None}},
        ("missing_position",),
    ),
    "one slice without position": (
        {"slice_tags": {3: {"ImagePositionPatient": None}}},
        ("missing_position",),
    ),
    "no orientation": ({"tags": {"ImageOrientationPatient": None}}, ("missing_orientation",)),
    "no pixel spacing": ({"tags": {"PixelSpacing": None}}, ("missing_pixel_spacing",)),
    "one slice zoomed": ({"frame_spacing": {3: (1.0, 0.7)}}, None),
    "two frames of reference": (
        {"slice_tags": {3: {"FrameOfReferenceUID": "1.2.3"}}},
        ("mixed_frame_of_reference",),
    ),
    "two echoes": ({"echo_times": (11.0, 100.0)}, ("several_echoes",)),
    "two times": ({"temporal_positions": 2}, ("several_temporal_positions",)),
    "same images twice": (
        {"positions_mm": (0.0, *(4.4 * n for n in range(11)))},
        ("duplicate_positions",),
    ),
    "mosaic": (
        {"tags": {"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}},
        ("mosaic",),
    ),
    "tilt and a hole": ({"shear_mm": 1.4, "missing": (4,)}, ("missing_slice", "shear")),
}


@pytest.mark.parametrize(
    ("options", "reasons"), _GEOMETRY_REFUSALS.values(), ids=_GEOMETRY_REFUSALS
)
def test_each_broken_geometry_of_12_slices_is_refused_with_exactly_its_reasons(
    tmp_path: Path, options: dict[str, object], reasons: tuple[str, ...] | None
):
    make_series(tmp_path, **options)

    error = _refused(tmp_path)

    assert isinstance(error, GeometryError)
    # A slice zoomed about its corner is shifted as well.
    assert error.reasons == (reasons or ("mixed_pixel_spacing", "shear"))


@pytest.mark.parametrize(
    "options",
    [
        {"missing": (4,)},
        {"positions_mm": _JITTER},
        {"shear_mm": 1.4},
        {"frame_spacing": {3: (1.0, 0.7)}},
        {"echo_times": (11.0, 100.0)},
        {"temporal_positions": 2},
        {"slices": 4},
    ],
)
@pytest.mark.parametrize("sop_class", _CLASSES[1:], ids=["enhanced", "legacy"])
def test_multi_frame_objects_are_refused_for_the_same_reasons(
    tmp_path: Path, sop_class: str, options: dict[str, object]
):
    make_series(tmp_path / "multi", sop_class=sop_class, **options)
    make_series(tmp_path / "classic", **options)

    assert _refused(tmp_path / "multi").reasons == _refused(tmp_path / "classic").reasons


def test_a_slice_of_another_matrix_is_refused(tmp_path: Path):
    make_series(tmp_path, slice_tags={3: {"Rows": 32, "Columns": 40}})

    error = _refused(tmp_path)

    assert error.reasons[0] == "mixed_matrix"
    assert "32 x 40, 40 x 32" in error.message


def test_a_multi_frame_file_that_does_not_place_its_frames_is_refused(tmp_path: Path):
    make_series(tmp_path, sop_class=EnhancedMRImageStorage)
    (path,) = tmp_path.iterdir()
    dataset = pydicom.dcmread(path)
    del dataset.PerFrameFunctionalGroupsSequence
    dataset.save_as(path)

    assert "undescribed_frames" in _refused(tmp_path).reasons


_PIXEL_REFUSALS: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "no pixels": ({"slice_tags": {3: {"PixelData": None}}}, ("missing_pixels",)),
    "colour": (
        {"tags": {"PhotometricInterpretation": "PALETTE COLOR"}},
        ("not_monochrome",),
    ),
    "slope 0": ({"slice_tags": {3: {"RescaleSlope": 0}}}, ("invalid_rescale",)),
    "both polarities": (
        {"slice_tags": {3: {"PhotometricInterpretation": "MONOCHROME1"}}},
        ("mixed_photometric",),
    ),
    "14 bits in 12": ({"tags": {"BitsStored": 17}}, ("invalid_bit_layout",)),
    "bit layout lost": ({"tags": {"BitsAllocated": None}}, ("missing_pixel_description",)),
    "larger pixel data than the matrix": (
        {"tags": {"Rows": 39}},
        ("pixel_length_mismatch",),
    ),
}


@pytest.mark.parametrize(("options", "reasons"), _PIXEL_REFUSALS.values(), ids=_PIXEL_REFUSALS)
def test_each_unusable_pixel_data_of_12_slices_is_refused_with_exactly_its_reason(
    tmp_path: Path, options: dict[str, object], reasons: tuple[str, ...]
):
    make_series(tmp_path, **options)

    error = _refused(tmp_path)

    assert isinstance(error, PixelDataError)
    assert error.reasons == reasons


@pytest.mark.parametrize("syntax", [*NATIVE[:3], *PYDICOM_ENCODED, *GDCM_ENCODED])
def test_a_file_cut_60_bytes_short_is_refused_as_truncated_in_every_syntax(
    tmp_path: Path, syntax: str
):
    eight_bit = syntax in (JPEGBaseline8Bit, JPEGExtended12Bit)
    depth = {"bits_allocated": 8, "bits_stored": 8} if eight_bit else {}
    made = make_series(tmp_path, transfer_syntax=syntax, **depth)
    made.paths[4].write_bytes(made.paths[4].read_bytes()[:-60])

    error = _refused(tmp_path)

    assert error.reasons == ("truncated_pixels",)
    assert "1 of 12 files" in error.message


def test_geometry_and_pixel_reasons_are_named_together(tmp_path: Path):
    make_series(tmp_path, missing=(5,), slice_tags={3: {"PixelData": None}})

    error = _refused(tmp_path)

    assert isinstance(error, GeometryError)
    assert error.reasons == ("missing_slice", "missing_pixels")
    assert "8.80 mm" in error.message


def test_a_series_without_frames_has_too_few_slices():
    with pytest.raises(GeometryError) as caught:
        assemble(SeriesRecord("1.2", "1", ()))
    assert caught.value.reasons == ("too_few_slices",)


def test_refusals_hold_no_patient_data(tmp_path: Path):
    make_series(
        tmp_path / "SMITH",
        tags={"PatientName": "SMITH^JOHN", "PatientID": "SMITH", "PixelSpacing": None},
        missing=(4,),
        transfer_syntax=ExplicitVRLittleEndian,
    )

    assert "SMITH" not in str(_refused(tmp_path))
