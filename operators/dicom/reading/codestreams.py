"""Whether a compressed image can be what its header says, told from its marker segments.

Native decoders are given only codestreams of the announced size that end properly and keep to
their transfer syntax: some decoders fill up a cut image in silence, and GDCM's JPEG library ends
the process on some broken headers (found by fuzzing). This module decodes nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.uid import (
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

if TYPE_CHECKING:
    from pydicom.uid import UID

_MARKER = 0xFF
_END_OF_IMAGE = b"\xff\xd9"
_JPEG_START = b"\xff\xd8"
_JPEG2000_START = b"\xff\x4f\xff\x51"
_SIZ_BYTES = 34
_HUFFMAN, _SCAN = 0xC4, 0xDA
_HUFFMAN_LENGTHS = 16
_JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""SOF0..SOF15 without DHT, JPG and DAC (ITU-T T.81 table B.1), and SOF55 of JPEG-LS (T.87)."""


@dataclass(frozen=True, slots=True)
class _Process:
    """What a JPEG transfer syntax allows (PS3.5 10.2 and 10.3, ITU-T T.81 table B.2)."""

    frame_markers: tuple[int, ...]
    precisions: tuple[int, ...]
    predictors: tuple[int, ...] | None = None


_EVERY_DEPTH = tuple(range(2, 17))
_PROCESSES: dict[UID, _Process] = {
    JPEGBaseline8Bit: _Process((0xC0,), (8,)),
    JPEGExtended12Bit: _Process((0xC0, 0xC1), (8, 12)),
    JPEGLossless: _Process((0xC3,), _EVERY_DEPTH, tuple(range(1, 8))),
    JPEGLosslessSV1: _Process((0xC3,), _EVERY_DEPTH, (1,)),
    JPEGLSLossless: _Process((0xF7,), _EVERY_DEPTH),
    JPEGLSNearLossless: _Process((0xF7,), _EVERY_DEPTH),
}


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
        sound header, another matrix, several components) or None.
    """
    if not codestream:
        return "truncated_pixels"
    if syntax == RLELossless:
        return None
    trimmed = codestream.rstrip(b"\0")
    if not trimmed.endswith(_END_OF_IMAGE):
        return "truncated_pixels"
    process = _PROCESSES.get(syntax)
    if process is None:
        sound = _jpeg2000_shape(trimmed) == (*shape, 1)
    else:
        sound = _is_sound_jpeg(trimmed, process, shape)
    return None if sound else "undecodable_pixels"


def _is_sound_jpeg(codestream: bytes, process: _Process, shape: tuple[int, int]) -> bool:
    """Whether there is one grey frame of the process's kind, in one scan."""
    try:
        segments, scan_end = _segments(codestream)
    except (struct.error, IndexError):
        return False
    frames = [(kind, body) for kind, body in segments if kind in _JPEG_FRAMES]
    scans = [body for kind, body in segments if kind == _SCAN]
    tables = [body for kind, body in segments if kind == _HUFFMAN]
    if len(frames) != 1 or len(scans) != 1 or not all(map(_is_sound_huffman_table, tables)):
        return False
    kind, body = frames[0]
    if kind not in process.frame_markers or not _is_sound_frame(body, process, shape):
        return False
    if process.predictors and (len(scans[0]) != 6 or scans[0][3] not in process.predictors):  # noqa: PLR2004 -- T.81 B.2.3
        return False
    return _is_one_scan(codestream[scan_end:], is_jpeg_ls=kind == 0xF7)  # noqa: PLR2004 -- SOF55


def _segments(codestream: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Marker segments up to the scan header, and where the scan's data begin."""
    segments: list[tuple[int, bytes]] = []
    offset = 2 if codestream[:2] == _JPEG_START else len(codestream)
    while not segments or segments[-1][0] != _SCAN:
        if codestream[offset] != _MARKER:
            raise IndexError(offset)
        kind = codestream[offset + 1]
        if kind == _MARKER:  # fill byte
            offset += 1
            continue
        length = struct.unpack_from(">H", codestream, offset + 2)[0]
        segments.append((kind, codestream[offset + 4 : offset + 2 + length]))
        offset += 2 + length
    return segments, offset


def _is_sound_frame(body: bytes, process: _Process, shape: tuple[int, int]) -> bool:
    """Judge a frame header: precision, lines, samples, one unsampled component (T.81 B.2.2)."""
    precision, rows, columns, components = struct.unpack(">BHHB", body[:6].ljust(6, b"\0"))
    one = components == 1 and len(body) == 9  # noqa: PLR2004 -- 6 bytes and 3 per component
    return one and (rows, columns) == shape and precision in process.precisions


def _is_sound_huffman_table(body: bytes) -> bool:
    """Whether code counts and values fit together and no code length is oversubscribed."""
    while body:
        counts = body[1 : 1 + _HUFFMAN_LENGTHS]
        size = 1 + _HUFFMAN_LENGTHS + sum(counts)
        codes = sum(count << (_HUFFMAN_LENGTHS - 1 - n) for n, count in enumerate(counts))
        if len(counts) < _HUFFMAN_LENGTHS or size > len(body) or codes > 1 << _HUFFMAN_LENGTHS:
            return False
        body = body[size:]
    return True


def _is_one_scan(data: bytes, *, is_jpeg_ls: bool) -> bool:
    """Whether entropy-coded data hold no marker but restarts before the end of the image."""
    data = data.removesuffix(_END_OF_IMAGE)
    place = data.find(b"\xff")
    while 0 <= place < len(data) - 1:
        follower = data[place + 1]
        # JPEG-LS stuffs a zero bit after FF (T.87 A.1), JPEG a zero byte (T.81 F.1.2.3).
        stuffed = follower < 0x80 if is_jpeg_ls else follower in (0x00, _MARKER)  # noqa: PLR2004
        if not stuffed and not 0xD0 <= follower <= 0xD7:  # noqa: PLR2004 -- RST0..RST7
            return False
        place = data.find(b"\xff", place + 1)
    return True


def _jpeg2000_shape(codestream: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and components from the SIZ segment (ITU-T T.800 A.5.1)."""
    start = codestream.find(_JPEG2000_START, 0, 4096)  # a JP2 wrapper may come first
    segment = codestream[start + 8 : start + 8 + _SIZ_BYTES]
    if start < 0 or len(segment) < _SIZ_BYTES:
        return None
    right, bottom, left, top = struct.unpack(">IIII", segment[:16])
    return bottom - top, right - left, int(struct.unpack(">H", segment[32:34])[0])
