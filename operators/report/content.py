"""What a report says of one series: rows, flags, limits and where it all comes from, as plain data.

How it looks is the business of ``page``; nothing here is measured or decided anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from operators.anatomy.labels import DISC_OFFSET, SACRUM_INSTANCE, VERTEBRA_INSTANCES
from operators.anatomy.levels import UNCERTAIN, texts_of
from operators.anatomy.vertebrae import cranial_to_caudal, vertebra_text
from operators.dicom.provenance import MODEL_NAME, RESEARCH_NOTICE
from operators.imaging.panels import short_name
from operators.report.flags import Flag, flags_of
from operators.report.words import COLUMNS, CURVE_NAMES, DISC, REASON_WORDS
from operators.spine.measurements.measure import WHOLE_SPINE
from operators.spine.measurements.table import MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operators.anatomy.levels import LevelName
    from operators.dicom.provenance import ResultContext
    from operators.spine.measurements.measure import Measurement


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the table: a value, flagged or not, or the letter of the reason for none."""

    text: str
    is_flagged: bool = False
    is_reason: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a page says, but the picture.

    Attributes
    ----------
    identity : tuple of (str, str)
        Whose images these are, and which: label and value.
    is_research_only : bool
        Whether every page says so.
    findings : tuple of str
        Values beyond a threshold, most cranial first.
    doubts : tuple of str
        What a reader should check: uncertain names, low confidence, warnings.
    rows : tuple of (str, tuple of Cell)
        Level, then one cell per column of `COLUMNS`.
    curves : tuple of (str, str)
        Curve and its value, or why there is none.
    reasons : tuple of (str, str)
        Letters in the table and what they stand for.
    origin : tuple of (str, str)
        Software, models, time, source: label and value.
    """

    identity: tuple[tuple[str, str], ...]
    is_research_only: bool
    findings: tuple[str, ...]
    doubts: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    curves: tuple[tuple[str, str], ...]
    reasons: tuple[tuple[str, str], ...]
    origin: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What of a result goes into a report.

    Attributes
    ----------
    measurements : sequence of Measurement
        All of the series.
    levels : mapping of int to LevelName
        By vertebra id.
    low : sequence of str
        Structures and vertebrae of low confidence or agreement (`operators.spine.confidence`).
    facts : sequence of str
        Warnings of the pipeline.
    context : ResultContext
        Software, models, clock.
    """

    measurements: Sequence[Measurement]
    levels: Mapping[int, LevelName]
    low: Sequence[str]
    facts: Sequence[str]
    context: ResultContext


def report_of(
    result: Reported, identity: Sequence[tuple[str, str]], origin: Sequence[tuple[str, str]] = ()
) -> Report:
    """Put a result into words.

    Parameters
    ----------
    result : Reported
        Of one series.
    identity : sequence of (str, str)
        Whose images these are, as the page shows it; may be empty.
    origin : sequence of (str, str)
        What is known of the source and the time, in front of software and models.

    Returns
    -------
    Report
        Free of patient data but for ``identity``.
    """
    texts = texts_of(result.levels)
    values = {(row.instance, row.measure): row for row in result.measurements}
    flags = flags_of(result.measurements, result.levels)
    owners = [row.instance % DISC_OFFSET for row in result.measurements if row.instance]
    numbers = cranial_to_caudal(owners)
    bodies = cranial_to_caudal(
        row.instance for row in result.measurements if 0 < row.instance < DISC
    )
    places = _Places(numbers, bodies, texts)
    letters = _letters(values, numbers)
    flagged = {(flag.instance, flag.measure) for flag in flags}
    return Report(
        identity=tuple(identity),
        is_research_only=result.context.is_research_only,
        findings=_findings(flags, places),
        doubts=_doubts(result, texts),
        rows=tuple(
            (places.row(number), tuple(_cells(number, values, letters, flagged)))
            for number in numbers
        ),
        curves=tuple(
            _curve(key, values, places) for key in CURVE_NAMES if (WHOLE_SPINE, key) in values
        ),
        reasons=tuple((letter, REASON_WORDS[reason]) for reason, letter in letters.items()),
        origin=(*origin, *_origin(result.context)),
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
    values: Mapping[tuple[int, str], Measurement], numbers: Sequence[int]
) -> dict[str, str]:
    """Give a letter to every reason in the table, in the order of reading."""
    keys = [
        (n + place, key) for n in numbers for _, columns in COLUMNS for _, key, place in columns
    ]
    found = [row.reason for key in keys if (row := values.get(key)) is not None and row.reason]
    return {reason: chr(ord("a") + rank) for rank, reason in enumerate(dict.fromkeys(found))}


def _cells(
    number: int,
    values: Mapping[tuple[int, str], Measurement],
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
    return f"{value:.{decimals}f}"


def _findings(flags: Sequence[Flag], places: _Places) -> tuple[str, ...]:
    """One line per threshold that is crossed anywhere."""
    found: dict[str, list[str]] = {}
    for flag in flags:
        where = f"{places.of(flag.instance)} {flag.value_text}".strip()
        found.setdefault(flag.words, []).append(where)
    return tuple(f"{words.capitalize()}: {', '.join(where)}" for words, where in found.items())


def _doubts(result: Reported, texts: Mapping[int, str]) -> tuple[str, ...]:
    """Uncertain names, low confidence, warnings; nothing twice."""
    probable = [short_name(n, texts) for n, name in result.levels.items() if n in texts]
    probable = [name for name in probable if name.endswith("?")]
    unnamed = [str(n) for n, name in result.levels.items() if name.text == UNCERTAIN]
    told = []
    if probable:
        told.append(f"Names that are probable only: {', '.join(probable)}")
    if unnamed:
        told.append(f"Level uncertain: vertebra {', '.join(unnamed)}")
    if result.low:
        low = dict.fromkeys(_low(name, texts) for name in result.low)
        told.append(f"Low confidence of the networks: {', '.join(low)}")
    told += [fact.replace("_", " ").capitalize() for fact in dict.fromkeys(result.facts)]
    return tuple(told)


def _low(name: str, texts: Mapping[int, str]) -> str:
    """``vertebra_4`` by its level, structures in words."""
    number = name.removeprefix("vertebra_")
    if number != name and int(number) in VERTEBRA_INSTANCES:
        level = texts.get(int(number))
        return vertebra_text(int(number)) + (f" ({level})" if level else "")
    return name.replace("_", " ")


def _curve(
    key: str, values: Mapping[tuple[int, str], Measurement], places: _Places
) -> tuple[str, str]:
    name, row = CURVE_NAMES[key], values[WHOLE_SPINE, key]
    if row.value is None:
        return name, f"not given: {REASON_WORDS[row.reason or '']}"
    ends = [values.get((WHOLE_SPINE, f"{key}_{end}_vertebra")) for end in ("upper", "lower")]
    levels = [places.level(int(end.value)) for end in ends if end is not None and end.value]
    between = f" between {' and '.join(levels)}" if levels else ""
    return name, f"{row.value:.0f}°{between} ({MEASURES[key].definition})"


def _origin(context: ResultContext) -> tuple[tuple[str, str], ...]:
    models = (("Phase 1", context.semantic_model), ("Phase 2", context.instance_model))
    notice = f"; {RESEARCH_NOTICE}" if context.is_research_only else ""
    return (
        ("Software", f"{MODEL_NAME} {context.software_version}{notice}"),
        *(
            (f"Model, {phase.lower()}", f"{model.name} {model.version}, SHA-256 {model.digest}")
            for phase, model in models
        ),
        ("Computed with", context.numeric_profile),
    )
