"""What a header says about its pixels: matrix, place of the samples in their words, padding values.

One reading for scanning, judging and decoding (DICOM PS3.3 C.7.6.3, C.7.5.1.1.2). No pixel is
looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from operators.dicom.headers.header_values import texts, unreadable, whole_number, words
from operators.dicom.headers.normal_header import normal_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LAYOUT = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SamplesPerPixel",
    "NumberOfFrames",
)
_PADDING: tuple[tuple[str, str], ...] = (
    ("PixelPaddingValue", "PixelPaddingRangeLimit"),
    ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
)
_NEEDED = ("Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation")
_MONOCHROME = (("MONOCHROME1",), ("MONOCHROME2",))
_TAGS = tuple(
    Tag(keyword)
    for keyword in (
        *_LAYOUT,
        "PhotometricInterpretation",
        *(name for pair in _PADDING for name in pair),
    )
)
_FLOAT_ONLY_BITS = 64
_INTEGER_BITS = (8, 16, 32)
_FLOAT_BITS = (32, 64)


@dataclass(frozen=True, slots=True)
class PixelDescription:
    """Form of the pixel data of one instance.

    Attributes
    ----------
    rows, columns, frames : int
        0 rows or columns where the header doesn't say; 1 frame then.
    allocated, stored, high : int
        Bits of a word, bits of a sample, and the highest bit of the sample (PS3.5 8.1.1).
    is_signed, is_float, is_inverted : bool
        Two's complement; fractions instead of integers; MONOCHROME1.
    padding : tuple of 2 floats or None
        Lowest and highest value that marks pixels outside the image, as written: the sign is
        `operators.dicom.reading.padding`'s business.
    problems : dict of str to str
        Named reasons why the pixels can't be read, with the attributes or figures behind them.
    """

    rows: int
    columns: int
    frames: int
    allocated: int
    stored: int
    high: int
    is_signed: bool
    is_float: bool
    is_inverted: bool
    padding: tuple[float, float] | None
    problems: dict[str, str]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns

    @property
    def byte_count(self) -> int:
        """Bytes of the uncompressed pixel data of a grey image, without padding behind them."""
        return self.rows * self.columns * self.frames * self.allocated // 8


def described(dataset: Dataset) -> PixelDescription:
    """Describe the pixels of a data set as it was read from a file.

    Parameters
    ----------
    dataset : Dataset
        Not changed.

    Returns
    -------
    PixelDescription
        As `describe` gives it for the normal form.
    """
    part = Dataset({tag: dataset.get_item(tag) for tag in _TAGS if tag in dataset})
    if hasattr(dataset, "file_meta"):
        part.file_meta = dataset.file_meta
    return describe(normal_header(part)[0])


def describe(header: Dataset) -> PixelDescription:
    """Describe the pixels that belong to a header.

    Parameters
    ----------
    header : Dataset
        In normal form, of an instance or of one plane.

    Returns
    -------
    PixelDescription
        Its `problems` are unreadable_pixel_description, missing_pixel_description,
        not_monochrome, invalid_bit_layout and unreadable_pixel_padding.
    """
    said = {keyword: whole_number(header, keyword) for keyword in _LAYOUT}
    allocated, stored = said["BitsAllocated"] or 0, said["BitsStored"] or 0
    high = said["HighBit"]
    is_float = allocated == _FLOAT_ONLY_BITS or (
        allocated in _FLOAT_BITS and said["BitsStored"] is said["PixelRepresentation"] is None
    )
    photometric = words(header, "PhotometricInterpretation")[:1]
    frames = said["NumberOfFrames"]
    found = PixelDescription(
        rows=said["Rows"] or 0,
        columns=said["Columns"] or 0,
        frames=1 if frames is None else frames,
        allocated=allocated,
        stored=allocated if is_float else stored,
        high=stored - 1 if high is None else high,
        is_signed=said["PixelRepresentation"] == 1,
        is_float=is_float,
        is_inverted=photometric == ("MONOCHROME1",),
        padding=_padding(header),
        problems={},
    )
    found.problems.update(_problems(header, said, found))
    return found


def length_problem(
    description: PixelDescription, length: int, read: Callable[[int, int], bytes]
) -> str | None:
    """Compare uncompressed pixel data with what the header announces.

    Parameters
    ----------
    description : PixelDescription
        Of a grey image without problems.
    length : int
        Bytes that are there.
    read : callable
        Gives so many bytes (second argument) from a place in the pixel data (first argument).

    Returns
    -------
    str or None
        ``truncated_pixels`` or ``pixel_length_mismatch``.

    Notes
    -----
    Writers pad Pixel Data beyond its even length, and receivers are to accept that (PS3.5 8.1.1).
    Padding is zero bytes, fewer than one frame's; and not whole rows or columns behind a last row
    of zeros: that may as well be the dark end of an image larger than its header says.
    """
    wanted = description.byte_count
    if length < wanted:
        return "truncated_pixels"
    excess = length - wanted
    if excess <= wanted % 2 and wanted:
        return None
    if not wanted or excess * description.frames >= wanted or any(read(wanted, excess)):
        return "pixel_length_mismatch"
    row = description.columns * description.allocated // 8
    column = description.rows * description.allocated // 8
    may_be_image = excess % row == 0 or excess % column == 0
    if may_be_image and not any(read(wanted - row, row)):
        return "pixel_length_mismatch"
    return None


def _padding(header: Dataset) -> tuple[float, float] | None:
    """Read the padding value and its range limit, whichever is larger (PS3.3 C.7.5.1.1.2)."""
    for value, limit in _PADDING:
        said = [float(text) for keyword in (value, limit) for text in texts(header, keyword)[:1]]
        if texts(header, value):
            return min(said), max(said)
    return None


def _problems(
    header: Dataset, said: dict[str, int | None], found: PixelDescription
) -> Iterator[tuple[str, str]]:
    broken = unreadable(header)
    needed = _NEEDED[:3] if found.is_float else _NEEDED
    unread = [keyword for keyword in _LAYOUT if keyword in broken]
    absent = [keyword for keyword in needed if said[keyword] is None and keyword not in broken]
    if unread:
        yield "unreadable_pixel_description", ", ".join(unread)
    if absent:
        yield "missing_pixel_description", ", ".join(absent)
    if names := [keyword for pair in _PADDING for keyword in pair if keyword in broken]:
        yield "unreadable_pixel_padding", ", ".join(names)
    grey = words(header, "PhotometricInterpretation")[:1] in _MONOCHROME
    if not grey or said["SamplesPerPixel"] not in (None, 1):
        yield "not_monochrome", "one grey value a pixel is needed"
    elif not unread and not absent and not found.is_float and not _fits(header, found):
        detail = f"{found.stored} bits up to bit {found.high} of {found.allocated}"
        yield "invalid_bit_layout", detail


def _fits(header: Dataset, found: PixelDescription) -> bool:
    """Whether the sample lies inside its word, and its sign is said as it may be."""
    # A JPEG codestream holds samples, not words: bits below them can't be told from values.
    is_shifted = found.high != found.stored - 1 and _is_encapsulated(header)
    return (
        found.allocated in _INTEGER_BITS
        and 1 <= found.stored <= found.allocated
        and found.stored - 1 <= found.high < found.allocated
        and not is_shifted
        and whole_number(header, "PixelRepresentation") in (0, 1)
    )


def _is_encapsulated(header: Dataset) -> bool:
    meta = getattr(header, "file_meta", None)
    syntax = None if meta is None else meta.get("TransferSyntaxUID")
    if not isinstance(syntax, UID) or not syntax.is_transfer_syntax:
        return False
    return bool(syntax.is_encapsulated)
