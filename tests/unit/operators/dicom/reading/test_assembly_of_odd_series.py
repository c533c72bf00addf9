"""Series as the world writes them: read right, or refused by their own names before any pixel."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from operators.dicom.reading.assembly import assemble, header_findings
from operators.dicom.reading.series import SeriesRecord, scan
from operators.dicom.results.source_headers import read_source_headers
from operators.errors import InputRejectedError, SourceIdentityError
from tests.builders.mr_series import SAGITTAL, make_series, turned
from tests.builders.sloppy_elements import edit_files, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from operators.imaging.volume import Volume
    from tests.builders.mr_series import MadeSeries


def _record(folder: Path) -> SeriesRecord:
    (record,) = scan(folder).series
    return record


def _assembled(folder: Path) -> Volume:
    """What assembly gives; nobody may find anything against it afterwards."""
    record = _record(folder)
    assert header_findings(record) == ()
    volume = assemble(record)
    read_source_headers(volume)
    return volume


def _refusal(folder: Path) -> tuple[str, ...]:
    """Reasons of the refusal, which headers alone tell as well."""
    record = _record(folder)
    with pytest.raises(InputRejectedError) as caught:
        assemble(record)
    assert tuple(finding.name for finding in header_findings(record)) == caught.value.reasons
    return caught.value.reasons


def _is_as_made(volume: Volume, made: MadeSeries) -> bool:
    same_place = np.abs(volume.affine_lps - made.affine_lps).max() < 1e-6
    return same_place and np.array_equal(volume.voxels_zyx, made.voxels_zyx)


# Padding


def _corner() -> NDArray[np.bool_]:
    """Outside the image: a corner of 5 x 4 pixels, in no slice the darkest or brightest part."""
    corner = np.zeros((40, 32), dtype=np.bool_)
    corner[-5:, -4:] = True
    return corner


def _pad(value: int, *, signed: bool, tagged: str = "", limit: int | None = None) -> Callable:
    """Write a value over the corner of every slice, and the padding value under a VR."""

    def edit(dataset: Dataset) -> None:
        frames = int(dataset.get("NumberOfFrames", 1))
        pixels = np.frombuffer(dataset.PixelData, "<u2").reshape(frames, 40, 32).astype(np.int64)
        pixels[:, _corner()] = value
        dataset.PixelRepresentation = int(signed)
        dataset.BitsStored, dataset.HighBit = 16, 15
        dataset.PixelData = pixels.astype("<i2" if signed else "<u2").tobytes()
        for keyword, number in (("PixelPaddingValue", value), ("PixelPaddingRangeLimit", limit)):
            if tagged and number is not None:
                kind = "<h" if number < 0 else "<H"
                write(dataset, keyword, tagged, struct.pack(kind, number))

    return edit


@pytest.mark.parametrize(
    ("value", "signed", "vr"),
    [
        (-2000, True, "SS"),
        (-2000, True, "US"),
        (-32768, True, "SS"),
        (65535, False, "US"),
        (65535, False, "SS"),
        (63536, False, "US"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"sop_class": EnhancedMRImageStorage}])
def test_padding_becomes_the_0_of_air(
    tmp_path: Path, value: int, vr: str, options: dict[str, object], *, signed: bool
):
    made = make_series(tmp_path, **options)
    edit_files(set(made.paths), _pad(value, signed=signed, tagged=vr))

    voxels = _assembled(tmp_path).voxels_zyx

    assert np.array_equal(voxels[:, ~_corner()], made.voxels_zyx[:, ~_corner()])
    assert set(voxels[:, _corner()].ravel()) == {0.0}


def test_padding_becomes_the_0_of_each_slice_after_its_rescale(tmp_path: Path):
    slopes = tuple(1 + n / 11 for n in range(12))
    intercepts = tuple(-100.0 - n for n in range(12))
    made = make_series(tmp_path, slopes=slopes, intercepts=intercepts)
    edit_files(made.paths, _pad(-2000, signed=True, tagged="SS"))

    voxels = _assembled(tmp_path).voxels_zyx

    assert [set(part[_corner()]) for part in voxels] == [{value} for value in intercepts]


def test_padding_is_the_lowest_value_where_images_go_below_0(tmp_path: Path):
    made = make_series(tmp_path, signed=True)
    edit_files(made.paths, _pad(-2000, signed=True, tagged="SS"))

    voxels = _assembled(tmp_path).voxels_zyx

    lowest = made.voxels_zyx[:, ~_corner()].min()
    assert lowest < 0
    assert set(voxels[:, _corner()].ravel()) == {lowest}


@pytest.mark.parametrize("value", [-2000, 0, 32767])
def test_padding_is_dark_in_an_inverted_image_and_no_part_of_its_range(tmp_path: Path, value: int):
    made = make_series(tmp_path, photometric="MONOCHROME1")
    edit_files(made.paths, _pad(value, signed=True, tagged="SS"))

    voxels = _assembled(tmp_path).voxels_zyx

    plain = -made.voxels_zyx[:, ~_corner()]
    assert set(voxels[:, _corner()].ravel()) == {voxels[:, ~_corner()].min()}
    assert np.ptp(voxels[:, ~_corner()] + plain) == 0


@pytest.mark.parametrize("signed", [False, True])
def test_padding_with_the_0_of_air_changes_nothing(tmp_path: Path, *, signed: bool):
    for name, tagged in (("padded", "US"), ("plain", "")):
        made = make_series(tmp_path / name)
        edit_files(made.paths, _pad(0, signed=signed, tagged=tagged))

    padded, plain = _assembled(tmp_path / "padded"), _assembled(tmp_path / "plain")

    assert np.array_equal(padded.voxels_zyx, plain.voxels_zyx)


def test_a_range_of_padding_values_is_padding(tmp_path: Path):
    made = make_series(tmp_path)
    edit_files(made.paths, _pad(-2000, signed=True, tagged="SS", limit=-1000))
    edit_files(made.paths[3:4], _pad(-1500, signed=True))

    voxels = _assembled(tmp_path).voxels_zyx

    assert set(voxels[:, _corner()].ravel()) == {0.0}


def test_padding_is_found_in_compressed_and_implicit_files(tmp_path: Path):
    for n, syntax in enumerate((RLELossless, ImplicitVRLittleEndian)):
        folder = tmp_path / str(n)
        made = make_series(folder, transfer_syntax=syntax, tags={"PixelPaddingValue": 1900})

        voxels = _assembled(folder).voxels_zyx

        assert np.array_equal(voxels, np.where(made.voxels_zyx == 1900, 0, made.voxels_zyx))


def test_a_slice_of_nothing_but_padding_is_refused(tmp_path: Path):
    made = make_series(tmp_path, tags={"PixelPaddingValue": 65535})

    def blank(dataset: Dataset) -> None:
        dataset.BitsStored, dataset.HighBit = 16, 15
        dataset.PixelData = b"\xff" * len(dataset.PixelData)

    edit_files(made.paths[4:5], blank)

    with pytest.raises(InputRejectedError) as caught:
        assemble(_record(tmp_path))
    assert caught.value.reasons == ("only_padding",)
    assert "1 of 12 images" in caught.value.message


def test_an_unreadable_padding_value_is_refused(tmp_path: Path):
    made = make_series(tmp_path)
    edit_files(made.paths, lambda d: write(d, "PixelPaddingValue", "LO", b"none"))

    assert _refusal(tmp_path) == ("unreadable_pixel_padding",)


# Numbers in headers

_CLEAR: dict[str, tuple[str, str, bytes]] = {
    "spacing as unlimited text": ("PixelSpacing", "UT", b"0.9\\0.6"),
    "spacing with decimal commas": ("PixelSpacing", "DS", b"0,9\\0,6"),
    "spacing of three values, the last empty": ("PixelSpacing", "DS", b"0.9\\0.6\\"),
    "slope as text": ("RescaleSlope", "LO", b"1.0"),
    "slope too long": ("RescaleSlope", "DS", b"1.000000000000000000"),
    "rows as text": ("Rows", "IS", b"40"),
    "bits as a long": ("BitsStored", "UL", b"\x0c\0\0\0"),
    "polarity in small letters": ("PhotometricInterpretation", "CS", b"monochrome2"),
    "unsigned thickness": ("SliceThickness", "FL", struct.pack("<f", 4.0)),
}


@pytest.mark.parametrize(("keyword", "vr", "value"), _CLEAR.values(), ids=_CLEAR)
def test_a_clear_value_in_a_sloppy_element_is_read(
    tmp_path: Path, keyword: str, vr: str, value: bytes
):
    made = make_series(tmp_path)
    edit_files(made.paths, lambda d: write(d, keyword, vr, value))

    assert _is_as_made(_assembled(tmp_path), made)


def test_a_slope_with_a_decimal_comma_is_applied(tmp_path: Path):
    made = make_series(tmp_path)
    edit_files(made.paths, lambda d: write(d, "RescaleSlope", "DS", b"1,25"))

    assert np.array_equal(_assembled(tmp_path).voxels_zyx, 1.25 * made.voxels_zyx)


def test_an_image_that_does_not_say_it_has_one_sample_a_pixel_is_read(tmp_path: Path):
    made = make_series(tmp_path, tags={"SamplesPerPixel": None, "HighBit": None})

    assert _is_as_made(_assembled(tmp_path), made)


_UNCLEAR: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "slope of words": ("RescaleSlope", b"one", ("invalid_rescale",)),
    "slope of a thousand or so": ("RescaleSlope", b"1,250", ("invalid_rescale",)),
    "two slopes": ("RescaleSlope", b"1\\2", ("invalid_rescale",)),
    "intercept of words": ("RescaleIntercept", b"none", ("invalid_rescale",)),
    "spacing of words": ("PixelSpacing", b"a\\b", ("unreadable_pixel_spacing",)),
    "one spacing": ("PixelSpacing", b"0.9", ("unreadable_pixel_spacing",)),
    "negative spacing": ("PixelSpacing", b"0.9\\-0.6", ("invalid_pixel_spacing",)),
    "spacing in micrometres": ("PixelSpacing", b"900\\600", ("invalid_pixel_spacing",)),
    "position of two": ("ImagePositionPatient", b"1\\2", ("unreadable_position",)),
    "position with a hole": ("ImagePositionPatient", b"1\\\\2\\3", ("unreadable_position",)),
    "orientation of words": ("ImageOrientationPatient", b"sagittal", ("unreadable_orientation",)),
    "skewed orientation": (
        "ImageOrientationPatient",
        b"0.0000\\1.0000\\0.0000\\0.0000\\0.0100\\-1.000",
        ("invalid_orientation",),
    ),
    "frames of words": ("NumberOfFrames", b"one", ("unreadable_pixel_description",)),
}


@pytest.mark.parametrize(("keyword", "value", "reasons"), _UNCLEAR.values(), ids=_UNCLEAR)
def test_an_unclear_value_is_refused_by_the_name_of_its_attribute(
    tmp_path: Path, keyword: str, value: bytes, reasons: tuple[str, ...]
):
    made = make_series(tmp_path)
    edit_files(made.paths, lambda d: write(d, keyword, "DS", value))

    assert _refusal(tmp_path) == reasons


def test_an_unreadable_spacing_in_a_functional_group_is_refused(tmp_path: Path):
    made = make_series(tmp_path, sop_class=EnhancedMRImageStorage)

    def edit(dataset: Dataset) -> None:
        measures = dataset.PerFrameFunctionalGroupsSequence[3].PixelMeasuresSequence[0]
        write(measures, "PixelSpacing", "DS", b"0.9\\wide")

    edit_files(set(made.paths), edit)

    assert _refusal(tmp_path) == ("unreadable_pixel_spacing",)
    assert _record(tmp_path).problems == ("unreadable_attributes: PixelSpacing in 1 of 1 files",)


# Geometry of few decimals


@pytest.mark.parametrize("decimals", [2, 3])
@pytest.mark.parametrize("turns", [(10.0, 7.0), (-21.0, 3.0), (5.0, -14.0)])
def test_cosines_of_few_decimals_are_made_perpendicular_within_their_rounding(
    tmp_path: Path, turns: tuple[float, float], decimals: int
):
    true = turned(SAGITTAL, *turns)
    made = make_series(tmp_path, orientation=true, slices=19, slice_distance_mm=4.0)

    def edit(dataset: Dataset) -> None:
        dataset.ImageOrientationPatient = [f"{value:.{decimals}f}" for value in true]
        position = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [f"{value:.2f}" for value in position]

    edit_files(made.paths, edit)

    affine = _assembled(tmp_path).affine_lps

    row, column = affine[:3, 2], affine[:3, 1]
    assert abs(row @ column) < 1e-12
    assert (np.linalg.norm(column), np.linalg.norm(row)) == pytest.approx((0.9, 0.6), abs=1e-9)
    corners = np.array([[k, j, i, 1] for k in (0, 18) for j in (0, 39) for i in (0, 31)])
    error = np.linalg.norm((affine - made.affine_lps) @ corners.T, axis=0).max()
    # A direction is off by half its last decimal in each of three parts, and 36 mm away.
    assert error < 0.5 * 10**-decimals * np.sqrt(6) * np.hypot(36, 19) + 0.02


def test_one_slice_a_little_out_of_line_moves_no_other(tmp_path: Path):
    made = make_series(tmp_path)

    def edit(dataset: Dataset) -> None:
        position = [float(value) for value in dataset.ImagePositionPatient]
        dataset.ImagePositionPatient = [position[0] + 0.1, position[1], position[2] + 0.05]
        dataset.PixelSpacing = [0.9004, 0.6]

    edit_files(made.paths[:1], edit)

    assert np.abs(_assembled(tmp_path).affine_lps - made.affine_lps).max() < 1e-6


# Bytes behind the pixels


@pytest.mark.parametrize("excess", [2, 20, 512, 1000])
@pytest.mark.parametrize("options", [{}, {"sop_class": EnhancedMRImageStorage}])
def test_zero_bytes_behind_the_pixels_are_padding(
    tmp_path: Path, options: dict[str, object], excess: int
):
    made = make_series(tmp_path, **options)

    def edit(dataset: Dataset) -> None:
        dataset.PixelData += bytes(excess)

    edit_files(set(made.paths), edit)

    assert _is_as_made(_assembled(tmp_path), made)


def test_more_than_padding_behind_the_pixels_is_refused(tmp_path: Path):
    for n, excess in enumerate((bytes(40 * 32 * 2), b"\0\0\1\0", b"  ")):
        made = make_series(tmp_path / str(n))

        def edit(dataset: Dataset, excess: bytes = excess) -> None:
            dataset.PixelData += excess

        edit_files(made.paths, edit)

        assert _refusal(tmp_path / str(n)) == ("pixel_length_mismatch",)


def test_rows_lost_from_the_header_of_an_image_with_a_dark_end_are_no_padding(tmp_path: Path):
    made = make_series(tmp_path)

    def edit(dataset: Dataset) -> None:
        rows = len(dataset.PixelData) // 40
        dataset.PixelData = dataset.PixelData[: 36 * rows] + bytes(4 * rows)
        dataset.Rows = 38

    edit_files(made.paths, edit)

    assert _refusal(tmp_path) == ("pixel_length_mismatch",)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_files_that_are_not_in_the_syntax_they_name_are_read_as_they_are(
    tmp_path: Path, syntax: str
):
    made = make_series(tmp_path, transfer_syntax=syntax)
    implicit, explicit = b"UI\x12\x001.2.840.10008.1.2\0", b"UI\x14\x001.2.840.10008.1.2.1\0"
    names = (implicit, explicit) if syntax == ImplicitVRLittleEndian else (explicit, implicit)
    for path in made.paths:
        content = path.read_bytes()
        meta_bytes = int.from_bytes(content[140:144], "little") + len(names[1]) - len(names[0])
        renamed = content.replace(*names)
        path.write_bytes(renamed[:140] + meta_bytes.to_bytes(4, "little") + renamed[144:])

    assert _is_as_made(_assembled(tmp_path), made)


# Identity


def _without(keyword: str, *, meta: bool) -> Callable[[Dataset], None]:
    def edit(dataset: Dataset) -> None:
        del dataset[keyword]
        if meta:
            del dataset.file_meta[f"MediaStorage{keyword}"]

    return edit


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SOPClassUID"])
def test_a_uid_that_only_the_file_meta_has_is_taken_from_there(tmp_path: Path, keyword: str):
    made = make_series(tmp_path)
    edit_files(made.paths, _without(keyword, meta=False))

    source = _assembled(tmp_path).source

    assert tuple(slice_.sop_instance_uid for slice_ in source) == made.sop_instance_uids
    assert {slice_.sop_class_uid for slice_ in source} == {"1.2.840.10008.5.1.4.1.1.4"}


@pytest.mark.parametrize(
    ("keyword", "reason"),
    [
        ("SOPInstanceUID", "missing_sop_instance_uid"),
        ("SOPClassUID", "missing_sop_class_uid"),
    ],
)
def test_a_uid_that_nobody_has_is_refused(tmp_path: Path, keyword: str, reason: str):
    made = make_series(tmp_path)
    edit_files(made.paths, _without(keyword, meta=True))

    assert _refusal(tmp_path) == (reason,)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tags": {"StudyInstanceUID": None}}, "missing_study_uid"),
        ({"tags": {"SOPInstanceUID": "1.2.3"}}, "repeated_sop_instance_uid"),
        ({"slice_tags": {3: {"PatientID": "other"}}}, "mixed_patient"),
    ],
)
def test_a_source_that_a_result_could_not_point_back_at_is_refused(
    tmp_path: Path, options: dict[str, object], reason: str
):
    make_series(tmp_path, **options)

    with pytest.raises(SourceIdentityError):
        assemble(_record(tmp_path))
    assert _refusal(tmp_path) == (reason,)
