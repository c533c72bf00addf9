"""Pixel data of one file as numbers, exactly as stored, whatever the transfer syntax.

Every syntax has one named decoder, so that a file gives the same numbers on every machine. Rescale,
photometric interpretation and what to put in place of padding are `reading.assembly`'s
business.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
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

from operators.dicom.headers.normal_header import PARSE_ERRORS
from operators.dicom.headers.pixel_description import described, length_problem
from operators.dicom.reading.codestreams import codestream_problem
from operators.dicom.reading.extent import pixel_problem
from operators.dicom.reading.padding import find_padding
from operators.errors import PixelDataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import FileDataset

    from operators.dicom.headers.pixel_description import PixelDescription

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
_TEXTS = {
    "truncated_header": "the file ends within its header",
    "truncated_pixels": "the pixel data are cut off",
    "missing_pixels": "the file holds no pixel data",
    "pixel_length_mismatch": "the pixel data are longer than the header announces",
    "undecodable_pixels": "the codestream is no image of the announced kind",
}
_GREY_BITS = 8
_DECODE_ERRORS: tuple[type[Exception], ...] = (*PARSE_ERRORS, RuntimeError)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image as it is stored.

    Attributes
    ----------
    values : (Y, X) ndarray
        int64 cut to BitsStored at HighBit (whatever stands in the other bits) and sign-extended,
        or float for float pixel data. No rescale, no inversion.
    is_padding : (Y, X) ndarray of bool or None
        Pixels that are no part of the image; None where all are.
    """

    values: NDArray[np.number]
    is_padding: NDArray[np.bool_] | None = None


def decode_frames(path: Path, frame_numbers: Sequence[int]) -> list[StoredImage]:
    """Decode images of one file.

    Parameters
    ----------
    path : Path
        DICOM file, classic or multi-frame.
    frame_numbers : sequence of int
        1-based; ``[1]`` for a single-frame file.

    Returns
    -------
    list of StoredImage
        In the order asked.

    Raises
    ------
    PixelDataError
        Reasons: missing_pixels, truncated_pixels, truncated_header, pixel_length_mismatch,
        frame_count_mismatch, undecodable_pixels and those of
        `operators.dicom.headers.pixel_description.describe`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = _read(path)
            description = _description(dataset)
            return [_decode(dataset, description, number) for number in frame_numbers]
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


def _description(dataset: FileDataset) -> PixelDescription:
    """Refuse by the header what isn't a complete grey image; write clear values over sloppy ones.

    pydicom's decoders read the elements of the data set themselves.
    """
    present = [keyword for keyword in _PIXEL_KEYWORDS if keyword in dataset]
    if len(present) != 1:
        raise PixelDataError(_TEXTS["missing_pixels"], reasons=("missing_pixels",))
    description = replace(described(dataset), is_float=present[0] != "PixelData")
    if description.problems:
        text = "; ".join(f"{name} ({detail})" for name, detail in description.problems.items())
        raise PixelDataError(text, reasons=tuple(description.problems))
    groups = len(dataset.get("PerFrameFunctionalGroupsSequence", ()))
    if groups and groups != description.frames:
        reasons = ("frame_count_mismatch",)
        raise PixelDataError("frames and their descriptions differ in number", reasons=reasons)
    data = dataset[present[0]].value
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        problem = length_problem(description, len(data), lambda a, n: data[a : a + n])
        if problem:
            raise PixelDataError(_TEXTS[problem], reasons=(problem,))
    dataset.Rows, dataset.Columns = description.shape
    dataset.SamplesPerPixel, dataset.NumberOfFrames = 1, description.frames
    dataset.PhotometricInterpretation = "MONOCHROME2"  # decoded raw, whichever it is
    dataset.BitsAllocated = description.allocated
    if not description.is_float:
        dataset.BitsStored, dataset.HighBit = description.stored, description.high
        dataset.PixelRepresentation = int(description.is_signed)
    return description


def _decode(dataset: FileDataset, description: PixelDescription, number: int) -> StoredImage:
    syntax = dataset.file_meta.TransferSyntaxUID
    codestream = _codestream(dataset, description, number) if syntax.is_encapsulated else b""
    is_deep = not description.is_float and description.stored > _GREY_BITS
    if syntax == JPEGExtended12Bit and is_deep:
        array = _decode_12_bit_jpeg(codestream, description.shape, description.stored)
    else:
        # raw: no colour conversion; unused bits are cut below, by HighBit as well.
        array, _ = get_decoder(syntax).as_array(
            dataset,
            index=number - 1,
            raw=True,
            decoding_plugin=PLUGINS.get(syntax, ""),
            correct_unused_bits=False,  # type: ignore[arg-type]
        )
    if array.shape != description.shape:
        raise PixelDataError(reasons=("undecodable_pixels",))
    if description.is_float:
        return StoredImage(array, find_padding(array, array, description))
    words = array.view(np.dtype(f"u{array.dtype.itemsize}").newbyteorder(array.dtype.byteorder))
    values = _cut_unused_bits(words, description)
    return StoredImage(values, find_padding(values, words, description))


def _codestream(dataset: FileDataset, description: PixelDescription, number: int) -> bytes:
    """Get one frame's bytes, looked at before a native library meets them."""
    codestream = get_frame(dataset.PixelData, number - 1, number_of_frames=description.frames)
    problem = codestream_problem(codestream, dataset.file_meta.TransferSyntaxUID, description.shape)
    if problem:
        raise PixelDataError(_TEXTS[problem], reasons=(problem,))
    return codestream


def _cut_unused_bits(words: NDArray[np.number], description: PixelDescription) -> NDArray[np.int64]:
    """Values of BitsStored bits below and including HighBit, sign-extended."""
    stored = description.stored
    values = words.astype(np.int64) >> (description.high + 1 - stored)
    values &= (1 << stored) - 1
    if description.is_signed:
        values -= (values >> (stored - 1)) << stored
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
