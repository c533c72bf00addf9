"""Broken DICOM files by the thousand, reproducible from a seed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.dataelem import RawDataElement

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import Dataset

_HEADER_START = 132


def mutate(content: bytes, seed: int) -> bytes:
    """One broken variant of a DICOM file; which damage it takes follows from the seed."""
    rng = np.random.default_rng(seed)
    return _KINDS[seed % len(_KINDS)](content, rng)


def _flip_bits(content: bytes, rng: np.random.Generator) -> bytes:
    broken = bytearray(content)
    for place in rng.integers(_HEADER_START, len(broken), rng.integers(1, 12)):
        broken[place] ^= 1 << int(rng.integers(8))
    return bytes(broken)


def _flip_header_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    broken = bytearray(content)
    end = min(len(broken), 2500)
    for place in rng.integers(0, end, rng.integers(1, 6)):
        broken[place] = int(rng.integers(256))
    return bytes(broken)


def _truncate(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(0, len(content)))]


def _cut_out(content: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(_HEADER_START, len(content)))
    return content[:start] + content[start + int(rng.integers(1, 200)) :]


def _insert(content: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(_HEADER_START, len(content)))
    return content[:start] + rng.bytes(int(rng.integers(1, 64))) + content[start:]


def _zero(content: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(_HEADER_START, len(content)))
    length = min(int(rng.integers(1, 400)), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


def _drop_elements(content: bytes, rng: np.random.Generator) -> bytes:
    def drop(dataset: Dataset) -> None:
        for tag in rng.choice(list(dataset.keys()), rng.integers(1, 4)):
            dataset.pop(int(tag), None)

    return _edited(content, drop)


def _poison_elements(content: bytes, rng: np.random.Generator) -> bytes:
    def poison(dataset: Dataset) -> None:
        for tag in rng.choice(list(dataset.keys()), rng.integers(1, 4)):
            raw = dataset.get_item(int(tag))
            if isinstance(raw, RawDataElement):
                value = _POISON[int(rng.integers(len(_POISON)))]
                dataset._dict[raw.tag] = raw._replace(value=value, length=len(value))

    return _edited(content, poison)


_POISON = (
    b"",
    b"\0\0",
    b"\xff\xff",
    b"\xff\xff\xff\xff",
    b"nan ",
    b"inf\\-inf\\1e999 ",
    b"abc\\def\\\\ ",
    b"-1",
    b"99999999999999999999",
    b"0\\0\\0\\0\\0\\0 ",
    b"1\\2",
    b"\x1b$B\xff\xfe",
)


def _edited(content: bytes, edit: Callable[[Dataset], None]) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(content))
    edit(dataset)
    written = io.BytesIO()
    try:
        dataset.save_as(written)
    except (ValueError, TypeError, AttributeError, KeyError):  # pydicom won't write this damage
        return content[: len(content) // 2]
    return written.getvalue()


_KINDS = (
    _flip_bits,
    _flip_header_bytes,
    _truncate,
    _cut_out,
    _insert,
    _zero,
    _drop_elements,
    _poison_elements,
)
