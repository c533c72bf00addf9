"""What a report says of one series: rows, flags, limits and where it all comes from, as plain data.

How it looks is the business of ``page``; nothing here is measured or decided anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from operators.anatomy.labels import SACRUM_INSTANCE
from operators.anatomy.levels import UNCERTAIN, short_name, texts_of
from operators.anatomy.vertebrae import cranial_to_caudal, vertebra_text
from operators.report.flags import Flag, flags_of
from operators.report.published import published_for
from operators.report.words import COLUMNS, CURVE_NAMES, DISC, REASON_WORDS
from operators.spine.measurements.definitions import MEASURES, WHOLE_SPINE
from operators.spine.measurements.quantities import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operators.anatomy.levels import LevelName
    from operators.report.flags import MeasuredValue


_ABSENT: Final = str(Reason.NOT_PRESENT)
"""Where this is all that is said of a vertebra and its disc, the image has its processes alone."""

WITHHELD: Final = "Nothing is measured here: the quality gate withholds this result"
"""In place of findings, values and the letters that would say it of each of them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the table: a value, flagged or not, or the letter of the reason for none."""

    text: str
    is_flagged: bool = False
    is_reason: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of the measurements of one series.

    Attributes
    ----------
    findings : tuple of str
        Values beyond a threshold, one line per threshold; of a withheld result that, and why.
    doubts : tuple of str
        What a reader should check: uncertain names, low confidence, warnings.
    rows : tuple of (str, tuple of Cell)
        Level, then one cell per column of `operators.report.words.COLUMNS`; none of a withheld
        result.
    curves : tuple of (str, str)
        Curve and its value; at the end "Not given" with the others and why.
    reasons : tuple of (str, str)
        Letters in the table and what they stand for.
    published : tuple of str
        Published values of healthy adults for what is measured.
    """

    findings: tuple[str, ...]
    doubts: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    curves: tuple[tuple[str, str], ...]
    reasons: tuple[tuple[str, str], ...]
    published: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is known of one series.

    Attributes
    ----------
    measurements : sequence of MeasuredValue
        All of the series, from head to foot.
    levels : mapping of int to LevelName
        By vertebra id.
    quality : sequence of str
        Sentences of the quality gate's findings (`operators.spine.quality`).
    facts : sequence of str
        Warnings of the pipeline.
    """

    measurements: Sequence[MeasuredValue]
    levels: Mapping[int, LevelName]
    quality: Sequence[str] = ()
    facts: Sequence[str] = ()


def said_of(measured: Measured) -> Said:
    """Put measurements into words.

    Parameters
    ----------
    measured : Measured
        Of one series.

    Returns
    -------
    Said
        Free of patient data.
    """
    texts = texts_of(measured.levels)
    if any(row.reason == str(Reason.WITHHELD) for row in measured.measurements):
        doubts = _doubts(replace(measured, quality=()), texts)
        return Said((WITHHELD, *measured.quality), doubts, (), (), (), ())
    values = {(row.instance, row.measure): row for row in measured.measurements}
    instances = [row.instance for row in measured.measurements if row.instance != WHOLE_SPINE]
    numbers = cranial_to_caudal(instance % DISC for instance in instances)
    bodies = cranial_to_caudal(instance for instance in instances if instance < DISC)
    places = _Places(numbers, bodies, texts)
    flags = flags_of(measured.measurements, measured.levels)
    flagged = {(flag.instance, flag.measure) for flag in flags}
    seen = {
        row.instance % DISC
        for row in measured.measurements
        if row.value is not None or row.reason != _ABSENT
    }
    letters = _letters(values, [number for number in numbers if number in seen])
    return Said(
        findings=_findings(flags, places),
        doubts=_doubts(measured, texts),
        rows=tuple(
            (places.row(number), tuple(_cells(number, values, letters, flagged)))
            for number in numbers
            if number in seen
        ),
        curves=_curves(values, places),
        reasons=tuple((letter, _reason(reason)) for reason, letter in letters.items()),
        published=published_for(measured.measurements, measured.levels),
    )


@dataclass(frozen=True, slots=True)
class _Places:
    """How vertebrae and discs are called: numbers with any measure, those with a body, texts."""

    numbers: tuple[int, ...]
    bodies: tuple[int, ...]
    texts: Mapping[int, str]

    def level(self, number: int) -> str:
        """Level, or ``vertebra 3`` where none is named."""
        name = short_name(number, self.texts)
        return vertebra_text(number) if name == str(number) else name

    def row(self, number: int) -> str:
        """Level with its number in the masks; of a disc alone, what it lies above."""
        if number not in self.bodies:
            return "disc above"
        name = short_name(number, self.texts)
        return name if name == str(number) else f"{name}  ({number})"

    def of(self, instance: int) -> str:
        """Vertebra, or disc by both its neighbours, or nothing for the spine as a whole."""
        if instance == WHOLE_SPINE:
            return ""
        owner = instance % DISC
        if instance < DISC:
            return self.level(owner)
        below = self.numbers[self.numbers.index(owner) + 1 :]
        other = self.level(below[0] if below else SACRUM_INSTANCE)
        return f"{self.level(owner)}/{other}" if owner in self.bodies else f"above {other}"


def _letters(
    values: Mapping[tuple[int, str], MeasuredValue], numbers: Sequence[int]
) -> dict[str, str]:
    """Give a letter to every reason in the table, in the order of reading."""
    keys = [
        (n + place, key) for n in numbers for _, columns in COLUMNS for _, key, place in columns
    ]
    found = [row.reason for key in keys if (row := values.get(key)) is not None and row.reason]
    return {reason: chr(ord("a") + rank) for rank, reason in enumerate(dict.fromkeys(found))}


def _reason(name: str) -> str:
    """Words of a reason; a record of another version may have one that is not known here."""
    return REASON_WORDS.get(name) or name.replace("_", " ")


def _cells(
    number: int,
    values: Mapping[tuple[int, str], MeasuredValue],
    letters: Mapping[str, str],
    flagged: set[tuple[int, str]],
) -> list[Cell]:
    cells = []
    for _, columns in COLUMNS:
        for _, key, place in columns:
            row = values.get((number + place, key))
            if row is None:
                cells.append(Cell(""))
            elif row.value is None:
                cells.append(Cell(letters[row.reason or ""], is_reason=True))
            else:
                cells.append(Cell(_number(key, row.value), (number + place, key) in flagged))
    return cells


def _number(key: str, value: float) -> str:
    """Value as a table has room for: tenths of a millimetre, hundredths of a ratio."""
    unit = MEASURES[key].unit
    decimals = {"mm": 1, "1": 2}.get(unit, 0)
    return f"{round(value, decimals) + 0.0:.{decimals}f}"  # no "-0"


def _findings(flags: Sequence[Flag], places: _Places) -> tuple[str, ...]:
    """One line per threshold that is crossed anywhere."""
    found: dict[str, list[str]] = {}
    for flag in flags:
        where = f"{places.of(flag.instance)} {flag.value_text}".strip()
        found.setdefault(flag.words, []).append(where)
    return tuple(f"{words.capitalize()}: {', '.join(where)}" for words, where in found.items())


def _doubts(result: Measured, texts: Mapping[int, str]) -> tuple[str, ...]:
    """Uncertain names, findings of the quality gate, warnings; nothing twice."""
    probable = [short_name(n, texts) for n, name in result.levels.items() if n in texts]
    probable = [name for name in probable if name.endswith("?")]
    unnamed = [str(n) for n, name in result.levels.items() if name.text == UNCERTAIN]
    told = []
    if probable:
        told.append(f"Names that are probable only: {', '.join(probable)}")
    if unnamed:
        told.append(f"Level uncertain: vertebra {', '.join(unnamed)}")
    told += result.quality
    told += [fact.replace("_", " ").capitalize() for fact in dict.fromkeys(result.facts)]
    return tuple(told)


def _curves(
    values: Mapping[tuple[int, str], MeasuredValue], places: _Places
) -> tuple[tuple[str, str], ...]:
    """Curves with a value, one each; those without in one line, by their reasons."""
    given: list[tuple[str, str]] = []
    missing: dict[str, list[str]] = {}
    for key, name in CURVE_NAMES.items():
        row = values.get((WHOLE_SPINE, key))
        if row is None:
            continue
        if row.value is None:
            missing.setdefault(_reason(row.reason or ""), []).append(name[:1].lower() + name[1:])
        else:
            ends = [values.get((WHOLE_SPINE, f"{key}_{end}_vertebra")) for end in _COBB_ENDS]
            levels = [places.level(int(end.value)) for end in ends if end is not None and end.value]
            between = f" between {' and '.join(levels)}" if levels else ""
            given.append((name, f"{row.value:.0f}°{between} ({MEASURES[key].definition})"))
    why = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in missing.items())
    return (*given, *((("Not given", why),) if why else ()))


_COBB_ENDS: Final = ("upper", "lower")
