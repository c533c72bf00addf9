"""Pixel data of one file as numbers, exactly as stored, whatever the transfer syntax.

Every syntax has one named decoder, so that a file gives the same numbers on every machine. Rescale
and photometric interpretation are `operators.dicom.assembly`'s business.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gdcm  # type: ignore[import-untyped]
import numpy as np
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from operators.dicom.codestreams import codestream_problem
from operators.dicom.extent import pixel_problem
from operators.dicom.frames import PARSE_ERRORS
from operators.errors import PixelDataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import FileDataset

PLUGINS: dict[UID, str] = {
    RLELossless: "pydicom",
    JPEGBaseline8Bit: "gdcm",
    JPEGExtended12Bit: "gdcm",
    JPEGLossless: "gdcm",
    JPEGLosslessSV1: "gdcm",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
}
"""Encapsulated transfer syntax -> the pydicom plug-in that decodes it."""

_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
_TEXTS = {
    "truncated_header": "the file ends within its header",
    "truncated_pixels": "the pixel data are cut off",
    "missing_pixels": "the file holds no pixel data",
    "undecodable_pixels": "the codestream is no image of the announced kind",
}
_WORD_BITS = (8, 16, 32)
_GREY_BITS = 8
_DECODE_ERRORS: tuple[type[Exception], ...] = (*PARSE_ERRORS, RuntimeError)


@dataclass(frozen=True, slots=True)
class _Bits:
    """How a sample lies in its word (PS3.5 8.1.1)."""

    allocated: int
    stored: int
    high: int
    is_signed: bool


def decode_frames(path: Path, frame_numbers: Sequence[int]) -> list[NDArray[np.number]]:
    """Decode images of one file.

    Parameters
    ----------
    path : Path
        DICOM file, classic or multi-frame.
    frame_numbers : sequence of int
        1-based; ``[1]`` for a single-frame file.

    Returns
    -------
    list of (Y, X) ndarray
        Stored values: int64 cut to BitsStored at HighBit (whatever stands in the other bits) and
        sign-extended, or float for float pixel data. No rescale, no inversion.

    Raises
    ------
    PixelDataError
        Reasons: missing_pixels, truncated_pixels, truncated_header, not_monochrome,
        invalid_bit_layout, frame_count_mismatch, pixel_length_mismatch, undecodable_pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = _read(path)
            _check_kind(dataset)
            return [_decode(dataset, number) for number in frame_numbers]
        except _DECODE_ERRORS as error:
            raise PixelDataError(reasons=("undecodable_pixels",)) from error


def _read(path: Path) -> FileDataset:
    """Read a file whose pixel data are all there: pydicom drops cut ones without a word."""
    with path.open("rb") as file:
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        problem = pixel_problem(file, header)
        if problem:
            raise PixelDataError(_TEXTS[problem], reasons=(problem,))
        file.seek(0)
        dataset = pydicom.dcmread(file, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:  # written without a file meta header
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def _check_kind(dataset: FileDataset) -> None:
    """Refuse by the header what isn't a complete grey image."""
    if sum(keyword in dataset for keyword in _PIXEL_KEYWORDS) != 1:
        raise PixelDataError(_TEXTS["missing_pixels"], reasons=("missing_pixels",))
    grey = dataset.get("PhotometricInterpretation") in _MONOCHROME
    if not grey or dataset.get("SamplesPerPixel") != 1:
        raise PixelDataError("the image is not monochrome", reasons=("not_monochrome",))
    described = len(dataset.get("PerFrameFunctionalGroupsSequence", ()))
    if described and described != int(dataset.get("NumberOfFrames", 1)):
        reasons = ("frame_count_mismatch",)
        raise PixelDataError("frames and their descriptions differ in number", reasons=reasons)
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        _check_native_length(dataset)


def _check_native_length(dataset: FileDataset) -> None:
    present = len(next(dataset[key].value for key in _PIXEL_KEYWORDS if key in dataset))
    samples = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("NumberOfFrames", 1))
    wanted = samples * int(dataset.BitsAllocated) // 8
    if present < wanted:
        detail = f"{present} of {wanted} bytes of pixel data"
        raise PixelDataError(detail, reasons=("truncated_pixels",))
    if present > wanted + wanted % 2 or wanted == 0:
        detail = f"{present} bytes of pixel data where the header announces {wanted}"
        raise PixelDataError(detail, reasons=("pixel_length_mismatch",))


def _decode(dataset: FileDataset, number: int) -> NDArray[np.number]:
    syntax = dataset.file_meta.TransferSyntaxUID
    codestream = _codestream(dataset, number) if syntax.is_encapsulated else b""
    bits = _bits(dataset) if "PixelData" in dataset else None
    if syntax == JPEGExtended12Bit and bits is not None and bits.stored > _GREY_BITS:
        shape = (int(dataset.Rows), int(dataset.Columns))
        array = _decode_12_bit_jpeg(codestream, shape, bits.stored)
    else:
        # raw: no colour conversion; unused bits are cut below, by HighBit as well.
        array, _ = get_decoder(syntax).as_array(
            dataset,
            index=number - 1,
            raw=True,
            decoding_plugin=PLUGINS.get(syntax, ""),
            correct_unused_bits=False,  # type: ignore[arg-type]
        )
    if array.shape != (dataset.Rows, dataset.Columns):
        raise PixelDataError(reasons=("undecodable_pixels",))
    return array if bits is None else _cut_unused_bits(array, bits)


def _codestream(dataset: FileDataset, number: int) -> bytes:
    """Get one frame's bytes, looked at before a native library meets them."""
    codestream = get_frame(
        dataset.PixelData, number - 1, number_of_frames=int(dataset.get("NumberOfFrames", 1))
    )
    shape = (int(dataset.Rows), int(dataset.Columns))
    problem = codestream_problem(codestream, dataset.file_meta.TransferSyntaxUID, shape)
    if problem:
        raise PixelDataError(_TEXTS[problem], reasons=(problem,))
    return codestream


def _bits(dataset: FileDataset) -> _Bits:
    stored = int(dataset.BitsStored)
    bits = _Bits(
        allocated=int(dataset.BitsAllocated),
        stored=stored,
        high=int(dataset.get("HighBit", stored - 1)),
        is_signed=dataset.PixelRepresentation == 1,
    )
    fits = 1 <= bits.stored <= bits.allocated and bits.stored - 1 <= bits.high < bits.allocated
    # A JPEG codestream holds samples, not words: bits below them can't be told from values.
    shifted = dataset.file_meta.TransferSyntaxUID.is_encapsulated and bits.high != bits.stored - 1
    if bits.allocated not in _WORD_BITS or not fits or shifted:
        detail = f"{bits.stored} bits up to bit {bits.high} of {bits.allocated}"
        raise PixelDataError(detail, reasons=("invalid_bit_layout",))
    return bits


def _cut_unused_bits(array: NDArray[np.number], bits: _Bits) -> NDArray[np.int64]:
    """Values of BitsStored bits below and including HighBit, sign-extended."""
    words = array.view(np.dtype(f"u{array.dtype.itemsize}").newbyteorder(array.dtype.byteorder))
    values = words.astype(np.int64) >> (bits.high + 1 - bits.stored)
    values &= (1 << bits.stored) - 1
    if bits.is_signed:
        values -= (values >> (bits.stored - 1)) << bits.stored
    return values


def _decode_12_bit_jpeg(
    codestream: bytes, shape: tuple[int, int], stored: int
) -> NDArray[np.number]:
    """Process 4 (12-bit lossy JPEG), which pydicom's plug-ins decline and GDCM itself decodes.

    GDCM gets the codestream only: its file reader ends the whole process on a broken header.
    """
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(codestream)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((shape[1], shape[0], 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(
        gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2)
    )
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, stored, stored - 1, 0))
    # GDCM hands out bytes as text (None on failure); surrogate escapes carry what isn't UTF-8.
    data = image.GetBuffer().encode("utf-8", "surrogateescape")
    array: NDArray[np.number] = np.frombuffer(data, "<u2").reshape(shape)
    return array
