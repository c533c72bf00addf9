"""A data set's beginning as a stream that never gives more bytes than it may.

A header can be long: vendors put megabytes into private elements. Values that nobody wants are
skipped without being read, and what is hostile (a value of gigabytes, sequences without end, a
deflated bomb) ends at a bound in bytes, in elements and in the length of one value.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from io import BytesIO
    from typing import BinaryIO

LARGEST_HEADER_BYTES: Final = 64 << 20
"""How far into a data set its header is looked for, bytes; the largest private elements seen in
MR headers are a few MB. What begins later is not found, and the object goes to quarantine."""

MOST_READS: Final = 100_000
"""Reads for one header, at most three per element: hostile bytes hold up nobody for seconds."""

LONGEST_VALUE_BYTES: Final = 1 << 20
"""Of an element that is wanted; longer ones are cut off."""

UNDEFINED: Final = 0xFFFFFFFF
_ITEM_GROUP: Final = 0xFFFE
_ITEM: Final = 0xE000
_LONG_VRS: Final = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
"""Value representations with a length of 32 bits (DICOM PS3.5, 7.1.2)."""
_CHUNK_BYTES: Final = 1 << 16
_KEPT_BYTES: Final = 64
"""How far back an inflated stream can be sought: the beginning of the element just read."""


class Source(Protocol):
    """What a header is read from."""

    def read(self, count: int, /) -> bytes:
        """Give the next bytes, fewer at the end."""

    def seek(self, position: int, /) -> int:
        """Go to a position."""

    def tell(self) -> int:
        """Position, bytes from the beginning."""


class Inflated:
    """A deflated data set as it would be without compression; goes forward only.

    Parameters
    ----------
    packed : BytesIO or BinaryIO
        At the beginning of the data set.
    """

    def __init__(self, packed: BytesIO | BinaryIO) -> None:
        self._packed = packed
        self._unpack = zlib.decompressobj(-zlib.MAX_WBITS)
        self._buffer = b""
        self._start = 0
        self._at = 0

    def read(self, count: int, /) -> bytes:
        """Give the next bytes, fewer at the end; zlib.error where they are none."""
        while self._at + count > self._start + len(self._buffer):
            if not self._more():
                break
        first = self._at - self._start
        value = self._buffer[first : first + count]
        self._at += len(value)
        return value

    def seek(self, position: int, /) -> int:
        """Go forward, or back by the beginning of one element."""
        if position < self._start:
            raise ValueError("an inflated stream goes forward only")
        while position > self._start + len(self._buffer):
            self._forget(position)
            if not self._more():
                break
        self._at = position
        return position

    def tell(self) -> int:
        """Position, bytes from the beginning."""
        return self._at

    def _more(self) -> bool:
        """Inflate one more chunk; whether there was one."""
        packed = self._unpack.unconsumed_tail or self._packed.read(_CHUNK_BYTES)
        chunk = self._unpack.decompress(packed, _CHUNK_BYTES)
        self._forget(self._at)
        self._buffer += chunk
        return bool(chunk or (packed and not self._unpack.eof))

    def _forget(self, position: int) -> None:
        cut = min(max(0, position - _KEPT_BYTES - self._start), len(self._buffer))
        self._buffer, self._start = self._buffer[cut:], self._start + cut


class Bounded:
    """A source that ends at a bound, and never gives a longer value than it may.

    Parameters
    ----------
    source : Source
        At the beginning of the data set.
    bound : int
        Bytes after which it ends.
    """

    def __init__(self, source: Source, bound: int) -> None:
        self._source = source
        self._bound = bound
        self._origin = source.tell()
        self._reads_left = MOST_READS

    def read(self, count: int, /) -> bytes:
        """Give the next bytes; all of them count as read, also those that are cut off.

        Raises
        ------
        EOFError
            If there have been too many reads.
        """
        self._reads_left -= 1
        if self._reads_left < 0:
            raise EOFError
        at = self.tell()
        value = self._source.read(min(count, LONGEST_VALUE_BYTES, max(0, self._bound - at)))
        if count > LONGEST_VALUE_BYTES:
            self.seek(at + count)
        return value

    def seek(self, position: int, /) -> int:
        """Go to a position, also behind the end."""
        return self._source.seek(self._origin + position)

    def tell(self) -> int:
        """Position, bytes from the beginning of the data set."""
        return self._source.tell() - self._origin

    def is_within(self) -> bool:
        """Whether the byte before this position is there: nothing was skipped behind the end."""
        at = self.tell()
        if not at:
            return False
        self.seek(at - 1)
        return bool(self.read(1))


def skip_undefined(stream: Bounded, *, is_implicit: bool, is_little: bool) -> None:
    """Skip the element of undefined length that begins here, whatever is nested in it.

    Parameters
    ----------
    stream : Bounded
        At the tag of the element; afterwards behind its sequence delimiter.
    is_implicit, is_little : bool
        Encoding of the data set (DICOM PS3.5, 7.1.2, 7.5).

    Raises
    ------
    EOFError
        If it does not end within the stream.
    """
    order = "<" if is_little else ">"
    depth = 0
    while True:
        group, element, length = _next_element(stream, order, is_implicit=is_implicit)
        if group == _ITEM_GROUP and element != _ITEM:
            depth -= 1
        elif length == UNDEFINED:
            depth += 1
        else:
            stream.seek(stream.tell() + length)
        if depth <= 0:
            return


def _next_element(stream: Bounded, order: str, *, is_implicit: bool) -> tuple[int, int, int]:
    """Group, element, length; the stream stands at the value afterwards."""
    head = stream.read(8)
    if len(head) < 8:  # noqa: PLR2004 - tag and length, or tag, VR and short length
        raise EOFError
    group, element = struct.unpack_from(f"{order}HH", head)
    representation = head[4:6]
    # Within UN of undefined length the encoding is implicit, whatever the data set's is.
    has_letters = representation.isalpha() and representation.isupper()
    if group == _ITEM_GROUP or is_implicit or not has_letters:
        return group, element, struct.unpack_from(f"{order}L", head, 4)[0]
    if representation not in _LONG_VRS:
        return group, element, struct.unpack_from(f"{order}H", head, 6)[0]
    longer = stream.read(4)
    if len(longer) < 4:  # noqa: PLR2004 - a length of 32 bits
        raise EOFError
    return group, element, struct.unpack(f"{order}L", longer)[0]
