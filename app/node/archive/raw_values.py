"""Values of a header as they came, read without an error whatever they are."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, Literal

from pydicom.charset import python_encoding

_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+", re.ASCII)
_LONGEST_UID: Final = 64
_LARGEST_NUMBER: Final = 2**31


def is_uid(text: str) -> bool:
    """Whether a text can identify something: digits and dots, at most 64 (PS3.5, 9.1).

    Leading zeros in a component are let pass: scanners in use write them.

    Examples
    --------
    >>> is_uid("1.2.840.10008.1.1"), is_uid("../1.2"), is_uid("")
    (True, False, False)
    """
    return len(text) <= _LONGEST_UID and _UID.fullmatch(text) is not None


@dataclass(slots=True)
class RawValues:
    """Raw values by name; every reader gives nothing for nonsense."""

    raw: dict[str, bytes]
    byte_order: Literal["little", "big"] = "little"
    is_broken: bool = False
    has_ended: bool = False
    is_at_end: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all of the header was there and could be read."""
        return not self.is_broken and (self.has_ended or self.is_at_end)

    def words(self, name: str) -> tuple[str, ...]:
        """Values of a coded or numeric string (their repertoire is ASCII)."""
        parts = self.raw.get(name, b"").decode("latin-1").split("\\")
        return tuple(part.strip(" \0\t\r\n") for part in parts)

    def uid(self, name: str) -> str:
        """Read a UID; empty where it is none."""
        word = self.words(name)[0]
        return word if is_uid(word) else ""

    def text(self, name: str) -> str:
        """Text in the object's character set; what cannot be decoded is replaced."""
        named = self.words("character_set")[-1]
        codec = python_encoding.get(named, "latin_1")
        try:
            decoded = self.raw.get(name, b"").decode(codec, "replace")
        except LookupError:
            decoded = self.raw.get(name, b"").decode("latin_1")
        return "".join(letter for letter in decoded if letter.isprintable()).strip()

    def numbers(self, name: str, count: int) -> tuple[float, ...] | None:
        """Read decimal strings (DS), so many and all finite."""
        try:
            numbers = tuple(float(word) for word in self.words(name))
        except ValueError:
            return None
        is_sound = len(numbers) == count and all(math.isfinite(number) for number in numbers)
        return numbers if is_sound else None

    def number(self, name: str) -> float | None:
        """Read one decimal string (DS)."""
        numbers = self.numbers(name, 1)
        return numbers[0] if numbers else None

    def whole(self, name: str) -> int | None:
        """Read an integer string (IS)."""
        number = self.number(name)
        is_sound = number is not None and abs(number) < _LARGEST_NUMBER
        return int(number) if is_sound and number is not None else None

    def first_whole(self, name: str) -> int | None:
        """Read the first of several integer strings."""
        first = self.words(name)[0]
        return int(first) if first.isascii() and first.isdigit() and len(first) < 10 else None  # noqa: PLR2004 - below 2^31

    def binary(self, name: str) -> int | None:
        """Read a binary integer (US, SL)."""
        value = self.raw.get(name, b"")
        is_sound = len(value) in {2, 4}
        return int.from_bytes(value, self.byte_order) if is_sound else None
