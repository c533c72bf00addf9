from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom.encaps import get_frame
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from operators.dicom.reading.codestreams import codestream_problem
from tests.builders.mr_series import make_series

if TYPE_CHECKING:
    from pathlib import Path

_SHAPE = (40, 32)
_CHECKED = (JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)


def _codestream(folder: Path, syntax: str) -> bytes:
    depth = {"bits_allocated": 8, "bits_stored": 8} if syntax == JPEGBaseline8Bit else {}
    made = make_series(folder, transfer_syntax=syntax, **depth)
    return get_frame(pydicom.dcmread(made.paths[0]).PixelData, 0, number_of_frames=1)


@pytest.mark.parametrize("syntax", [*_CHECKED, RLELossless])
def test_an_encoded_40_x_32_image_has_no_problem(tmp_path: Path, syntax: str):
    assert codestream_problem(_codestream(tmp_path, syntax), syntax, _SHAPE) is None


@pytest.mark.skipif(not shutil.which("dcmcjpeg"), reason="dcmtk's encoder is not installed")
def test_a_12_bit_lossy_image_has_no_problem(tmp_path: Path):
    codestream = _codestream(tmp_path, JPEGExtended12Bit)

    assert codestream_problem(codestream, JPEGExtended12Bit, _SHAPE) is None


@pytest.mark.parametrize("syntax", _CHECKED)
@pytest.mark.parametrize("shape", [(32, 40), (40, 33), (65535, 65535)])
def test_another_matrix_is_undecodable(tmp_path: Path, syntax: str, shape: tuple[int, int]):
    problem = codestream_problem(_codestream(tmp_path, syntax), syntax, shape)

    assert problem == "undecodable_pixels"


@pytest.mark.parametrize("syntax", _CHECKED)
def test_an_image_without_its_end_is_truncated(tmp_path: Path, syntax: str):
    whole = _codestream(tmp_path, syntax).rstrip(b"\0")

    assert codestream_problem(whole[:-2], syntax, _SHAPE) == "truncated_pixels"
    assert codestream_problem(b"", syntax, _SHAPE) == "truncated_pixels"


@pytest.mark.parametrize("precision", [0, 1, 12, 17, 104])
def test_a_precision_that_baseline_jpeg_does_not_know_is_undecodable(
    tmp_path: Path, precision: int
):
    whole = bytearray(_codestream(tmp_path, JPEGBaseline8Bit))
    whole[whole.index(b"\xff\xc0") + 4] = precision

    assert codestream_problem(bytes(whole), JPEGBaseline8Bit, _SHAPE) == "undecodable_pixels"


def test_predictor_7_is_not_selection_value_1(tmp_path: Path):
    whole = bytearray(_codestream(tmp_path, JPEGLosslessSV1))
    whole[whole.index(b"\xff\xda") + 7] = 7

    assert codestream_problem(bytes(whole), JPEGLosslessSV1, _SHAPE) == "undecodable_pixels"


def test_an_oversubscribed_huffman_table_is_undecodable(tmp_path: Path):
    whole = bytearray(_codestream(tmp_path, JPEGLosslessSV1))
    whole[whole.index(b"\xff\xc4") + 5] = 3  # three codes of 1 bit

    assert codestream_problem(bytes(whole), JPEGLosslessSV1, _SHAPE) == "undecodable_pixels"


def test_a_second_image_header_within_the_scan_is_undecodable(tmp_path: Path):
    whole = _codestream(tmp_path, JPEGLosslessSV1).rstrip(b"\0")
    broken = whole[:-10] + b"\xff\xc3" + whole[-8:]

    assert codestream_problem(broken, JPEGLosslessSV1, _SHAPE) == "undecodable_pixels"
