"""Streams that end at a bound, whatever the bytes say."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest

from app.node.archive.header_stream import (
    LONGEST_VALUE_BYTES,
    MOST_READS,
    UNDEFINED,
    Bounded,
    Inflated,
    skip_undefined,
)

DELIMITER = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
OPEN_ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)


def deflated(data: bytes) -> BytesIO:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return BytesIO(packer.compress(data) + packer.flush())


def sequence(content: bytes) -> bytes:
    """An element of undefined length, explicit VR, with this content and its delimiter."""
    return struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, UNDEFINED) + content + DELIMITER


def test_a_bound_is_an_end():
    stream = Bounded(BytesIO(bytes(range(10))), 6)
    assert stream.read(4) == bytes(range(4))
    assert stream.read(4) == bytes((4, 5))
    assert stream.read(4) == b""
    assert stream.is_within()


def test_places_count_from_where_the_data_set_begins():
    source = BytesIO(b"xxxx" + bytes(range(10)))
    source.seek(4)
    stream = Bounded(source, 100)
    assert stream.tell() == 0
    stream.seek(3)
    assert stream.read(1) == b"\3"


def test_behind_the_end_is_not_within():
    stream = Bounded(BytesIO(bytes(10)), 100)
    assert not stream.is_within()
    stream.seek(10)
    assert stream.is_within()
    stream.seek(11)
    assert not stream.is_within()


def test_a_value_that_is_too_long_is_cut_and_counts_whole():
    stream = Bounded(BytesIO(bytes(LONGEST_VALUE_BYTES + 50)), 1 << 30)
    assert len(stream.read(LONGEST_VALUE_BYTES + 10)) == LONGEST_VALUE_BYTES
    assert stream.tell() == LONGEST_VALUE_BYTES + 10


def test_reads_without_end_end():
    stream = Bounded(BytesIO(b""), 100)
    for _ in range(MOST_READS):
        stream.read(1)
    with pytest.raises(EOFError):
        stream.read(1)


def test_a_deflated_data_set_reads_as_if_it_were_plain():
    data = bytes(range(256)) * 1000
    stream = Inflated(deflated(data))
    assert stream.read(10) == data[:10]
    stream.seek(8)  # back by the beginning of an element
    assert stream.read(4) == data[8:12]
    stream.seek(200_000)
    assert stream.read(300) == data[200_000:200_300]
    assert stream.tell() == 200_300
    with pytest.raises(ValueError, match="forward only"):
        stream.seek(0)
    assert stream.read(1 << 20) == data[200_300:]
    assert stream.read(1) == b""


def test_a_deflated_bomb_costs_no_memory():
    stream = Bounded(Inflated(deflated(bytes(50_000_000))), 1 << 20)
    stream.seek(40_000_000)
    assert stream.read(10) == b""


def test_nested_sequences_are_skipped_whole():
    inner = sequence(
        OPEN_ITEM + struct.pack("<HH2sH", 0x0008, 0x0100, b"SH", 4) + b"abcd" + ITEM_END
    )
    data = sequence(OPEN_ITEM + inner + ITEM_END) + b"next"
    stream = Bounded(BytesIO(data), 1 << 20)
    skip_undefined(stream, is_implicit=False, is_little=True)
    assert stream.read(4) == b"next"


def test_a_sequence_with_items_of_known_length_is_skipped():
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 12) + struct.pack("<HHL", 8, 0x100, 4) + b"abcd"
    data = struct.pack("<HHL", 0x0008, 0x1140, UNDEFINED) + item + DELIMITER + b"next"
    stream = Bounded(BytesIO(data), 1 << 20)
    skip_undefined(stream, is_implicit=True, is_little=True)
    assert stream.read(4) == b"next"


@pytest.mark.parametrize("cut", [1, 8, 12, 20])
def test_one_that_does_not_end_is_told(cut: int):
    data = sequence(OPEN_ITEM + ITEM_END)[:-cut]
    with pytest.raises(EOFError):
        skip_undefined(Bounded(BytesIO(data), 1 << 20), is_implicit=False, is_little=True)


def test_big_endian_is_read_as_such():
    data = struct.pack(">HH2sHL", 0x0008, 0x1140, b"SQ", 0, UNDEFINED)
    data += struct.pack(">HHL", 0xFFFE, 0xE0DD, 0) + b"next"
    stream = Bounded(BytesIO(data), 1 << 20)
    skip_undefined(stream, is_implicit=False, is_little=False)
    assert stream.read(4) == b"next"
