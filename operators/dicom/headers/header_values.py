"""Reading header values that may be absent, empty, repeated, padded or nonsense.

Scanners and anonymisers write all of that; here it becomes a number, a word or nothing, and "not
there" stays apart from "there, but not readable". This module gives no value a meaning.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING

from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydicom.dataset import Dataset

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(E[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(E[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
"""``1,250`` is 1250 to some writers and 1.25 to others; ``0,250`` and ``1,25`` are clear."""


def texts(header: Dataset, keyword: str) -> tuple[str, ...]:
    """Every value of an attribute as stripped text, empty ones left out.

    Parameters
    ----------
    header : Dataset
        Normal-form header of one plane.
    keyword : str
        DICOM keyword.

    Returns
    -------
    tuple of str
        As written, backslash-separated strings split; () where absent.
    """
    # By tag, not by keyword: three times faster, and this is asked thousands of times a study.
    tag = _tag(keyword)
    value = header[tag].value if tag in header else None
    if value is None or isinstance(value, bytes):
        return ()
    items = value.split("\\") if isinstance(value, str) else value
    if isinstance(items, (int, float)) or not hasattr(items, "__iter__"):
        items = (items,)
    stripped = (str(item).strip(" \0\t\r\n") for item in items)
    return tuple(text for text in stripped if text)


@cache
def _tag(keyword: str) -> BaseTag:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return Tag(tag)


def words(header: Dataset, keyword: str) -> tuple[str, ...]:
    """Every value of a coded attribute, upper case, blanks and hyphens as underscores.

    ``"Phase Map"`` and ``"PHASE_MAP"`` become the same word; otherwise like `texts`.
    """
    return tuple(
        text.upper().replace(" ", "_").replace("-", "_") for text in texts(header, keyword)
    )


def numbers(header: Dataset, keyword: str) -> tuple[float, ...]:
    """Every value of a numeric attribute; () if one of them is no finite number."""
    try:
        values = tuple(float(text) for text in texts(header, keyword))
    except ValueError:
        return ()
    return values if all(math.isfinite(value) for value in values) else ()


def positive_number(header: Dataset, keyword: str) -> float | None:
    """First value of a quantity that cannot be zero or less; scanners write 0 for "not set"."""
    values = numbers(header, keyword)
    return values[0] if values and values[0] > 0 else None


def whole_number(header: Dataset, keyword: str) -> int | None:
    """Give the one value of an integer attribute; None where there is no such one."""
    values = numbers(header, keyword)
    return int(values[0]) if len(values) == 1 and values[0].is_integer() else None


def plain_number(text: str) -> str | None:
    """Write number text as DICOM does (PS3.5 6.2, DS), if it can only mean one number.

    Parameters
    ----------
    text : str
        One value; blanks and NUL characters around it don't count.

    Returns
    -------
    str or None
        With a decimal point where a single decimal comma was; None for anything else, also for
        ``1,250``, which may be a thousand.

    Examples
    --------
    >>> plain_number(" 160,0"), plain_number("1,250"), plain_number("1_0")
    ('160.0', None, None)
    """
    stripped = text.strip(" \0\t\r\n")
    if _DECIMAL_COMMA.fullmatch(stripped) and not _THOUSANDS.fullmatch(stripped):
        stripped = stripped.replace(",", ".")
    return stripped if _NUMBER.fullmatch(stripped) else None


def unreadable(header: Dataset) -> frozenset[str]:
    """Keywords of the attributes that are there, not empty, and could not be read."""
    # A plain Python attribute: no data element can say that another one is broken.
    names: frozenset[str] = getattr(header, "unreadable_keywords", frozenset())
    return names


def mark_unreadable(header: Dataset, keywords: Iterable[str]) -> None:
    """Remember which attributes of a header could not be read (in place)."""
    header.unreadable_keywords = frozenset(keywords)


def median(values: Sequence[float | None]) -> float | None:
    """Lower median of the values that are known, None where none is.

    The lower median is one of the values, so a detail never quotes a time nobody set.
    """
    known = sorted(value for value in values if value is not None)
    return known[(len(known) - 1) // 2] if known else None
