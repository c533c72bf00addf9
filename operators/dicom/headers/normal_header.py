"""A header in normal form: every element decoded, what is clear repaired, what is broken named.

Writers put decimal commas into numbers, numbers into text elements and text into numeric ones. A
value that can only mean one thing is read; every other one is left out and its name kept, because
an attribute that cannot be read is not an attribute that is absent.
"""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.valuerep import DSfloat

from operators.dicom.headers.header_values import mark_unreadable, plain_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydicom.tag import BaseTag

PARSE_ERRORS: tuple[type[Exception], ...] = (
    InvalidDicomError,
    BytesLengthException,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
    RecursionError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on broken bytes (found by fuzzing); anything else is our own bug."""

_MAX_PRIVATE_BYTES = 1024
"""Longer private elements (vendor protocol dumps of 100 kB per slice) aren't kept in memory."""

_DECIMAL_VRS = frozenset({"DS", "IS"})
_INTEGER_VRS = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV"})
_NUMERIC_VRS = _DECIMAL_VRS | _INTEGER_VRS | {"FD", "FL"}
_SIGN_UNKNOWN = "US or SS"
_BYTE_VRS = frozenset({"OB", "OW", "UN"})
_NUMBER_CHARACTERS = frozenset(b"0123456789+-.,Ee \\\0")
_MAX_DECIMAL_CHARACTERS = 16
"""PS3.5 6.2, DS; a longer value is read, and shortened so that results may copy it."""

_MAY_BE_NAN = frozenset(
    {
        "FloatPixelPaddingValue",
        "DoubleFloatPixelPaddingValue",
        "FloatPixelPaddingRangeLimit",
        "DoubleFloatPixelPaddingRangeLimit",
    }
)
_META_COPIES: dict[str, str] = {
    "SOPInstanceUID": "MediaStorageSOPInstanceUID",
    "SOPClassUID": "MediaStorageSOPClassUID",
}
"""Attribute -> its copy in the file meta information (PS3.10 7.1)."""


def normal_header(dataset: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """Decode every element now, so that nobody meets a broken value later.

    Parameters
    ----------
    dataset : Dataset
        As read from a file, without pixels; it is used up.

    Returns
    -------
    Dataset
        The readable, non-empty elements, without long private ones; numbers under the VR of the
        data dictionary; ``file_meta`` is kept and stands in for SOP Class and Instance UID where
        the data set lacks them. `header_values.unreadable` tells what is there but unreadable, of
        the header and of each sequence item.
    tuple of str
        Keywords (else tags) of the public elements left out as unreadable, at any depth, sorted.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        broken, deeper = _decode(dataset)
        elements = ((tag, dataset[tag]) for tag in sorted(dataset.keys()))
        header = Dataset({tag: element for tag, element in elements if not element.is_empty})
        header.file_meta = getattr(dataset, "file_meta", FileMetaDataset())
        for keyword, copy in _META_COPIES.items():
            if not str(header.get(keyword, "")).strip() and header.file_meta.get(copy):
                setattr(header, keyword, header.file_meta[copy].value)
    mark_unreadable(header, broken)
    return header, tuple(sorted(broken | deeper))


def _decode(dataset: Dataset) -> tuple[set[str], set[str]]:
    """Decode the elements of a data set or item in place, removing those that can't be read.

    Returns
    -------
    set of str
        Names of the public elements that were removed.
    set of str
        The same of the items of its sequences.
    """
    broken: set[str] = set()
    deeper: set[str] = set()
    for tag in sorted(dataset.keys()):
        raw = dataset.get_item(tag)
        if tag.is_private and len(getattr(raw, "value", b"") or b"") > _MAX_PRIVATE_BYTES:
            del dataset[tag]
            continue
        try:
            element = _element(dataset, tag)
            if element.VR == "SQ":
                deeper |= _decode_items(element.value)
            if element is not dataset.get_item(tag):
                dataset[tag] = element
        except PARSE_ERRORS:
            del dataset[tag]
            if not tag.is_private:
                broken.add(keyword_for_tag(tag) or f"({tag.group:04X},{tag.element:04X})")
    return broken, deeper


def _decode_items(items: Iterable[Dataset]) -> set[str]:
    """Decode sequence items in place; each item is told what of it can't be read."""
    names: set[str] = set()
    for item in items:
        broken, deeper = _decode(item)
        mark_unreadable(item, broken)
        names |= broken | deeper
    return names


def _element(dataset: Dataset, tag: BaseTag) -> DataElement:
    """Decode one element; ValueError and others of `PARSE_ERRORS` where that can't be done."""
    raw: object = dataset.get_item(tag)
    known = _known_vr(tag)
    if isinstance(raw, RawDataElement) and raw.value:
        written = raw.VR or known
        if _is_number_text(raw.value, written, known):
            return _from_text(tag, known, raw.value)
        if written in _BYTE_VRS and known not in ("", "SQ", *_BYTE_VRS):
            dataset[tag] = raw._replace(VR="US" if known == _SIGN_UNKNOWN else known)
    return _checked(dataset[tag], known)


def _known_vr(tag: BaseTag) -> str:
    """VR of the data dictionary; empty for private and unknown tags and for other choices."""
    if tag.is_private:
        return ""
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return ""
    return vr if vr == _SIGN_UNKNOWN or " or " not in vr else ""


def _is_number_text(value: bytes, written: str, known: str) -> bool:
    """Whether the bytes of a numeric attribute are text: by their VR, or as nothing else fits.

    Raises
    ------
    ValueError
        If they may be both, such as ``b"12"`` written as US.
    """
    if known not in _NUMERIC_VRS and known != _SIGN_UNKNOWN:
        return False
    if written in (known, *_BYTE_VRS):
        return known in _DECIMAL_VRS
    if written in _NUMERIC_VRS - _DECIMAL_VRS:
        looks = set(value) <= _NUMBER_CHARACTERS and any(48 <= byte < 58 for byte in value)  # noqa: PLR2004 - ASCII digits
        if looks and known in _DECIMAL_VRS and written in _INTEGER_VRS:
            raise ValueError("an integer or text")
        # Digits and signs as a binary fraction would be some 1e-76 (FD) or 1e-7 (FL).
        return looks and written in ("FD", "FL")
    return written != "SQ"


def _from_text(tag: BaseTag, known: str, value: bytes) -> DataElement:
    """Element of the dictionary's VR from numbers written as text."""
    parts = value.decode("ascii").split("\\")
    while parts and not parts[-1].strip(" \0\t\r\n"):  # a backslash too many at the end
        parts.pop()
    plain = [plain_number(part) for part in parts]
    if any(part is None for part in plain):
        raise ValueError("not a number")
    return _built(tag, known, [str(part) for part in plain])


def _built(tag: BaseTag, known: str, parts: Sequence[str | float]) -> DataElement:
    """Element of numbers whose kind and count its attribute allows."""
    values = [float(part) for part in parts]
    vr = known
    if known == _SIGN_UNKNOWN:
        vr = "SS" if min(values, default=0) < 0 else "US"
    if vr in _INTEGER_VRS:
        if not all(value.is_integer() for value in values):
            raise ValueError("not a whole number")
        converted: list[object] = [int(value) for value in values]
    elif vr == "DS":
        converted = [
            part
            if isinstance(part, str) and len(part) <= _MAX_DECIMAL_CHARACTERS
            else DSfloat(value, auto_format=True)
            for part, value in zip(parts, values, strict=True)
        ]
    else:
        converted = list(values)
    single = len(converted) == 1
    return _checked(DataElement(tag, vr, converted[0] if single else converted), known)


def _checked(element: DataElement, known: str) -> DataElement:
    """See that a numeric attribute holds finite numbers, as many as it may.

    Raises
    ------
    ValueError
        If it holds text (pydicom hands it on), infinity or NaN, or several numbers where one is
        meant; the same number several times is one.
    """
    if known not in _NUMERIC_VRS and known != _SIGN_UNKNOWN and element.VR not in _NUMERIC_VRS:
        return element
    if element.is_empty:
        return element
    values = list(element.value) if element.VM > 1 else [element.value]
    if element.keyword not in _MAY_BE_NAN and not all(math.isfinite(value) for value in values):
        raise ValueError("not finite")
    if known not in ("", _SIGN_UNKNOWN, element.VR):
        return _built(element.tag, known, [float(value) for value in values])
    meant = dictionary_VM(element.tag) if known else ""
    if meant == "1" and len(set(values)) == 1:
        values = values[:1]
    if meant.isdigit() and len(values) != int(meant):
        raise ValueError("wrong number of values")
    if len(values) < element.VM:
        return DataElement(element.tag, element.VR, values[0])
    return element


__all__ = ["PARSE_ERRORS", "normal_header"]
