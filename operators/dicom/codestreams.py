"""Whether a compressed image can be what its header says, told from its first and last bytes.

Native decoders are given only codestreams of the announced size that end properly: some of them
fill up a cut image in silence, and none should be trusted with a matrix of 65535 x 65535.
This module decodes nothing.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pydicom.uid import JPEGTransferSyntaxes, RLELossless

if TYPE_CHECKING:
    from pydicom.uid import UID

_END_OF_IMAGE = b"\xff\xd9"
_JPEG_START = b"\xff\xd8"
_JPEG2000_START = b"\xff\x4f\xff\x51"
_MARKER = 0xFF
_SIZ_BYTES = 34
_START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""SOF0..SOF15 without DHT, JPG and DAC (ITU-T T.81 table B.1), and SOF55 of JPEG-LS (T.87)."""


def codestream_problem(codestream: bytes, syntax: UID, shape: tuple[int, int]) -> str | None:
    """Name what is wrong with a frame's codestream.

    Parameters
    ----------
    codestream : bytes
        One encapsulated frame.
    syntax : UID
        Transfer syntax.
    shape : tuple of 2 ints
        Rows and columns that the header announces.

    Returns
    -------
    str or None
        ``truncated_pixels`` (no end-of-image marker; RLE has none), ``undecodable_pixels`` (no
        header, another matrix, several components) or None.
    """
    if not codestream:
        return "truncated_pixels"
    if syntax == RLELossless:
        return None
    is_jpeg = syntax in JPEGTransferSyntaxes or codestream[:2] == _JPEG_START
    found = _jpeg_shape(codestream) if is_jpeg else _jpeg2000_shape(codestream)
    if found != (*shape, 1):
        return "undecodable_pixels"
    if _END_OF_IMAGE not in codestream.rstrip(b"\0")[-2:]:
        return "truncated_pixels"
    return None


def _jpeg_shape(codestream: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and components from the start-of-frame segment of JPEG or JPEG-LS."""
    offset = 2 if codestream[:2] == _JPEG_START else len(codestream)
    while offset + 10 <= len(codestream) and codestream[offset] == _MARKER:
        kind = codestream[offset + 1]
        if kind == _MARKER:  # fill byte
            offset += 1
            continue
        if kind in _START_OF_FRAME:
            rows, columns, components = struct.unpack(">HHB", codestream[offset + 5 : offset + 10])
            return rows, columns, components
        offset += 2 + struct.unpack(">H", codestream[offset + 2 : offset + 4])[0]
    return None


def _jpeg2000_shape(codestream: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and components from the SIZ segment (ITU-T T.800 A.5.1)."""
    start = codestream.find(_JPEG2000_START, 0, 4096)  # a JP2 wrapper may come first
    segment = codestream[start + 8 : start + 8 + _SIZ_BYTES]
    if start < 0 or len(segment) < _SIZ_BYTES:
        return None
    right, bottom, left, top = struct.unpack(">IIII", segment[:16])
    return bottom - top, right - left, int(struct.unpack(">H", segment[32:34])[0])
