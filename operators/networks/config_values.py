"""Values of a JSON config as exact types; each parser raises TypeError or ValueError."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from operators.networks.label_names import label_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Triple = tuple[float, float, float]


def as_text(value: object) -> str:
    """Accept text."""
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def as_texts(value: object) -> tuple[str, ...]:
    """Accept one text or a list of texts."""
    return (value,) if isinstance(value, str) else tuple(as_text(v) for v in as_items(value))


def as_items(value: object) -> list[object]:
    """Accept a list."""
    if not isinstance(value, list):
        raise TypeError("list expected")
    return value


def as_flag(value: object) -> bool:
    """Accept true or false; 0 and 1 are not accepted."""
    if not isinstance(value, bool):
        raise TypeError("true or false expected")
    return value


def as_number(value: object) -> float:
    """Accept a number, not a boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("number expected")
    return float(value)


def as_positive(value: object) -> float:
    """Accept a finite number above 0."""
    number = as_number(value)
    if not 0 < number < float("inf"):
        raise ValueError("positive number expected")
    return number


def as_count(value: object) -> int:
    """Accept a whole number, not negative."""
    number = as_number(value)
    if number != int(number) or number < 0:
        raise ValueError("whole number expected")
    return int(number)


def as_counts(value: object) -> tuple[int, ...]:
    """Accept a list of whole numbers."""
    return tuple(as_count(v) for v in as_items(value))


def as_border(value: object) -> tuple[object, object, object]:
    """Accept three whole numbers, not negative."""
    return as_three(value, as_count)


def as_three(value: object, parse: Callable[[object], object]) -> tuple[object, object, object]:
    """Accept a list of exactly three values."""
    first, second, third = (parse(v) for v in as_items(value))
    return first, second, third


def as_codes(value: object) -> tuple[object, object, object]:
    """Accept three orientation codes that name three different patient axes."""
    codes = as_three(value, as_text)
    if sorted("LRPASI".find(str(code)) // 2 for code in codes) != [0, 1, 2]:
        raise ValueError("three different patient axes expected")
    return codes


def as_folds(value: object) -> tuple[str, ...]:
    """Accept names of folds: a number n stands for "0" .. "n-1"."""
    if isinstance(value, str):
        folds: tuple[str, ...] = (value,)
    elif isinstance(value, list):
        folds = tuple(v if isinstance(v, str) else str(as_count(v)) for v in value)
    else:
        folds = tuple(str(n) for n in range(as_count(value)))
    if not folds or any(not fold.isalnum() for fold in folds):
        raise ValueError("at least one fold expected")
    return folds


def as_resolution(value: object) -> tuple[Triple, Triple]:
    """Accept one spacing, or a pair of the smallest and the largest, in mm."""
    items = as_items(value)
    ends = items if len(items) == 2 else [items, items]  # noqa: PLR2004  # [min, max]
    low, high = (cast("Triple", as_three(end, as_positive)) for end in ends)
    if any(a > b for a, b in zip(low, high, strict=True)):
        raise ValueError("minimum above maximum")
    return low, high


def as_labels(value: object) -> Mapping[int, int]:
    """Accept a table of numbers or names to numbers or names."""
    if not isinstance(value, dict):
        raise TypeError("table expected")
    return {label_number(key): label_number(v) for key, v in value.items()}


def as_cutout(value: object) -> tuple[object, object, object]:
    """Accept three positive whole numbers."""
    size = as_three(value, as_count)
    if 0 in size:
        raise ValueError("positive size expected")
    return size
