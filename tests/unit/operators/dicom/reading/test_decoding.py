from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGTransferSyntaxes,
    RLELossless,
)

from operators.dicom.reading.decoding import PLUGINS, decode_frames
from operators.errors import PixelDataError
from tests.builders.mr_series import make_series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset


def _first_file(folder: Path, edit: Callable[[Dataset], None], **options: object) -> Path:
    path = make_series(folder, **options).paths[0]
    dataset = pydicom.dcmread(path)
    edit(dataset)
    dataset.save_as(path)
    return path


def _values(path: Path, frame_numbers: Sequence[int]) -> list[NDArray]:
    return [image.values for image in decode_frames(path, frame_numbers)]


def _reasons(path: Path) -> tuple[str, ...]:
    with pytest.raises(PixelDataError) as caught:
        decode_frames(path, [1])
    return caught.value.reasons


def test_every_jpeg_syntax_has_one_named_decoder():
    assert set(JPEGTransferSyntaxes) <= set(PLUGINS)


@pytest.mark.parametrize(
    ("layout", "word", "value"),
    [
        ((12, 11, 0), 0xF123, 0x123),
        ((12, 11, 1), 0x0FFF, -1),
        ((12, 11, 1), 0xF7FF, 0x7FF),
        ((12, 15, 0), 0x123F, 0x123),
        ((12, 15, 1), 0xFFF0, -1),
        ((16, 15, 1), 0x8000, -32768),
        ((1, 0, 0), 0xFFFF, 1),
    ],
)
def test_a_word_is_cut_at_its_high_bit_and_sign_extended(
    tmp_path: Path, layout: tuple[int, int, int], word: int, value: int
):
    def edit(dataset: Dataset) -> None:
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = layout
        dataset.PixelData = np.full((40, 32), word, dtype="<u2").tobytes()

    (image,) = _values(_first_file(tmp_path, edit), [1])

    assert (image.min(), image.max()) == (value, value)


def test_frames_3_and_1_of_a_multi_frame_file_come_in_the_order_asked(tmp_path: Path):
    made = make_series(tmp_path, sop_class=EnhancedMRImageStorage, shuffle_seed=None)

    images = _values(made.paths[0], [3, 1])

    assert np.array_equal(images[0], made.voxels_zyx[2])
    assert np.array_equal(images[1], made.voxels_zyx[0])


def test_a_file_without_meta_header_is_decoded_by_its_encoding(tmp_path: Path):
    made = make_series(tmp_path, transfer_syntax=ImplicitVRLittleEndian)
    content = made.paths[0].read_bytes()
    made.paths[0].write_bytes(content[content.index(b"\x08\x00\x05\x00") :])

    (image,) = _values(made.paths[0], [1])

    assert np.array_equal(image, made.voxels_zyx[0])


def _as_float(dataset: Dataset) -> None:
    dataset.FloatPixelData = np.full((40, 32), 0.25, dtype="<f4").tobytes()
    dataset.BitsAllocated = 32
    del dataset.PixelData


def test_float_pixel_data_keep_their_fractions(tmp_path: Path):
    (image,) = _values(_first_file(tmp_path, _as_float), [1])

    assert np.unique(image).tolist() == [0.25]


def _recode(dataset: Dataset, change: Callable[[bytes], bytes]) -> None:
    codestream = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([change(codestream.rstrip(b"\0"))])
    dataset["PixelData"].is_undefined_length = True


@pytest.mark.parametrize("syntax", sorted(set(PLUGINS) - {RLELossless, HTJ2KLossless}))
def test_a_whole_file_around_a_codestream_cut_in_half_is_refused(tmp_path: Path, syntax: str):
    encodable = {
        "1.2.840.10008.1.2.4.81": "1.2.840.10008.1.2.4.80",
        "1.2.840.10008.1.2.4.201": JPEG2000Lossless,
        "1.2.840.10008.1.2.4.202": JPEG2000Lossless,
        "1.2.840.10008.1.2.4.203": JPEG2000Lossless,
    }.get(str(syntax), syntax)
    grey = str(syntax) in ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")

    def edit(dataset: Dataset) -> None:
        _recode(dataset, lambda codestream: codestream[: len(codestream) // 2])
        dataset.file_meta.TransferSyntaxUID = syntax

    path = _first_file(
        tmp_path,
        edit,
        transfer_syntax=pydicom.uid.UID(encodable),
        **({"bits_allocated": 8, "bits_stored": 8} if grey else {}),
    )

    assert _reasons(path) == ("truncated_pixels",)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLosslessSV1])
@pytest.mark.parametrize(
    "change",
    [lambda _: b"\0" * 64, lambda c: c[:2] + b"\xff" * 20 + c[22:]],
    ids=["zeros", "overwritten header"],
)
def test_rubbish_in_a_codestream_is_refused(
    tmp_path: Path, syntax: str, change: Callable[[bytes], bytes]
):
    path = _first_file(tmp_path, lambda d: _recode(d, change), transfer_syntax=syntax)

    assert _reasons(path)[0] in ("undecodable_pixels", "truncated_pixels")


def test_a_codestream_of_another_matrix_is_refused(tmp_path: Path):
    def edit(dataset: Dataset) -> None:
        dataset.Rows, dataset.Columns = 32, 40

    path = _first_file(tmp_path, edit, transfer_syntax=JPEGLosslessSV1)

    assert _reasons(path) == ("undecodable_pixels",)


def test_an_unknown_transfer_syntax_is_refused(tmp_path: Path):
    content = make_series(tmp_path).paths[0].read_bytes()
    path = tmp_path / "unknown.dcm"
    path.write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0"))

    assert _reasons(path) == ("undecodable_pixels",)


def test_a_colour_image_is_refused(tmp_path: Path):
    def edit(dataset: Dataset) -> None:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
        dataset.PlanarConfiguration = 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.PixelData = bytes(40 * 32 * 3)

    assert _reasons(_first_file(tmp_path, edit)) == ("not_monochrome",)


def test_a_file_that_has_gone_is_refused(tmp_path: Path):
    assert _reasons(tmp_path / "gone.dcm") == ("undecodable_pixels",)


def test_a_frame_beyond_the_last_is_refused(tmp_path: Path):
    made = make_series(tmp_path, transfer_syntax=ExplicitVRLittleEndian)
    with pytest.raises(PixelDataError):
        decode_frames(made.paths[0], [2])
