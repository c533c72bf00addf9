"""The level of a vertebra, as far as it is known: its name, how sure it is, and what it rests on.

A level is a statement about an id in the masks. Ids are running numbers, except where every level
is certain: then they are the levels themselves. How levels are found is the business of
`operators.spine.levels.names`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from operators.anatomy.labels import SACRUM_INSTANCE
from operators.anatomy.vertebrae import ATLAS_INSTANCE, LEVEL_NAMES, number_above

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CERTAIN_LEVEL: Final = 0.98
"""From this confidence on a level is stated, and coded in DICOM. Chosen on synthetic spines so that
none of the names stated is wrong (``app/decisions/0015``)."""

PROBABLE_LEVEL: Final = 0.6
"""From this confidence on a level is called probable; below nothing is named."""

UNCERTAIN: Final = "level uncertain"
PROBABLY: Final = "probably "
"""Reserve before the name of a level that is not certain."""

ANATOMICAL: Final = "anatomical: 1 = C1, 8 = T1, 20 = L1, 25 = L6, 28 = T13"
"""How the vertebrae of a map are numbered of which every level is certain."""

SACRAL_TONE: Final = 27
"""No vertebra has this id; in its colour a piece of the sacrum is shown."""

_TONE: Final = {SACRUM_INSTANCE: SACRAL_TONE}


@dataclass(frozen=True, slots=True)
class LevelName:
    """What is known about the level of one vertebra.

    Attributes
    ----------
    level : int
        Id of the most probable level (`LEVEL_NAMES`); 26 for a piece of the sacrum.
    confidence : float
        Probability that it is this one, 0 to 1.
    evidence : tuple of str
        What speaks for it, in words.
    rival : int
        The next most probable level; 0 where there is none.
    centre_mm : tuple of float
        Where the vertebra lies: centre of its body, LPS; empty where unknown.
    """

    level: int
    confidence: float
    evidence: tuple[str, ...] = ()
    rival: int = 0
    centre_mm: tuple[float, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether the level may be stated without reserve."""
        return self.confidence >= CERTAIN_LEVEL

    @property
    def text(self) -> str:
        """Name for people, with its reserve.

        Examples
        --------
        >>> LevelName(23, 0.98).text, LevelName(25, 0.8).text, LevelName(14, 0.3).text
        ('L4', 'probably L6', 'level uncertain')
        """
        if self.confidence < PROBABLE_LEVEL:
            return UNCERTAIN
        return level_text(self.level) if self.is_certain else PROBABLY + level_text(self.level)

    def as_json(self) -> dict[str, Any]:
        """Plain dict: what it says (``text``), and each attribute, levels by their names."""
        return {
            "text": self.text,
            "level": level_text(self.level),
            "confidence": round(self.confidence, 3),
            "rival": level_text(self.rival) if self.rival else None,
            "evidence": list(self.evidence),
            "centre_mm": list(self.centre_mm),
        }


def are_numbers(levels: Mapping[int, LevelName]) -> bool:
    """Whether the ids of a map are its levels: every one is certain and has its own number.

    Parameters
    ----------
    levels : mapping of int to LevelName
        By vertebra id; without an entry, nothing is known.

    Examples
    --------
    >>> are_numbers({23: LevelName(23, 1.0), 24: LevelName(24, 1.0)})
    True
    >>> are_numbers({23: LevelName(23, 1.0), 24: LevelName(24, 0.9)}), are_numbers({})
    (False, False)
    """
    return bool(levels) and all(name.is_certain and name.level == n for n, name in levels.items())


def numbering_text(
    vertebrae: Sequence[int] = (), levels: Mapping[int, LevelName] | None = None
) -> str:
    """Say how the vertebrae of a map are numbered.

    Parameters
    ----------
    vertebrae : sequence of int
        All vertebra ids of the map, head to foot (`operators.anatomy.vertebrae.vertebrae_among`).
    levels : mapping of int to LevelName, optional
        What is known of the levels, by vertebra id.

    Returns
    -------
    str
        Of running numbers it names the first one, and C1 where that is 1.

    Examples
    --------
    >>> numbering_text((2, 3, 4))
    'running numbers from the top beginning with 2, not anatomical'
    >>> numbering_text((1, 2), {1: LevelName(1, 1.0), 2: LevelName(2, 0.9)})
    'running numbers from the top beginning with 1 (taken for C1), levels beside them'
    >>> numbering_text((24,), {24: LevelName(24, 1.0)})
    'anatomical: 1 = C1, 8 = T1, 20 = L1, 25 = L6, 28 = T13'
    """
    if are_numbers(levels or {}):
        return ANATOMICAL
    beginning = [f" beginning with {first}" for first in vertebrae[:1]]
    atlas = [" (taken for C1)"] if ATLAS_INSTANCE in vertebrae[:1] else []
    meaning = ", levels beside them" if texts_of(levels or {}) else ", not anatomical"
    return "".join(["running numbers from the top", *beginning, *atlas, meaning])


def tones_of(levels: Mapping[int, LevelName]) -> dict[int, int]:
    """Give every id the level in whose colour it is shown, so that a level always has one.

    Parameters
    ----------
    levels : mapping of int to LevelName
        By vertebra id, head to foot.

    Returns
    -------
    dict of int to int
        Most probable level, certain or not: no two vertebrae of a map have the same. A piece of the
        sacrum is told from the sacrum (`SACRAL_TONE`). Also of the id above the first, whose disc
        may be in view.

    Examples
    --------
    >>> tones_of({2: LevelName(24, 0.7), 3: LevelName(26, 0.7)})
    {1: 23, 2: 24, 3: 27}
    """
    tones = {n: _TONE.get(name.level, name.level) for n, name in levels.items()}
    above = {number_above(n): number_above(tone) for n, tone in list(tones.items())[:1]}
    return {**above, **tones}


def texts_of(levels: Mapping[int, LevelName]) -> dict[int, str]:
    """Say something about the level of each vertebra, but nothing where it is uncertain."""
    return {n: name.text for n, name in levels.items() if name.confidence >= PROBABLE_LEVEL}


def numbers_text(numbers: Iterable[int], levels: Mapping[str, Mapping[str, Any]]) -> str:
    """List vertebrae by their numbers with what is said about their levels.

    Parameters
    ----------
    numbers : iterable of int
        Ids in the mask, head to foot.
    levels : mapping of str to mapping
        `LevelName.as_json` by number; may be empty.

    Examples
    --------
    >>> numbers_text([7, 8, 9], {"7": {"text": "L4"}, "8": {"text": "probably L5"}})
    '7 (L4), 8 (probably L5), 9'
    """
    named = {n: str(level["text"]) for n, level in levels.items() if level["text"] != UNCERTAIN}
    return ", ".join(f"{n} ({named[str(n)]})" if str(n) in named else str(n) for n in numbers)


def level_text(level: int) -> str:
    """Name a level.

    Examples
    --------
    >>> level_text(28), level_text(26)
    ('T13', 'part of the sacrum')
    """
    return "part of the sacrum" if level == SACRUM_INSTANCE else LEVEL_NAMES[level]


def short_name(instance: int, levels: Mapping[int, str]) -> str:
    """Level as there is room for on a bone; the number in the mask where none is named.

    Parameters
    ----------
    instance : int
        Vertebra or 26.
    levels : mapping of int to str
        What is said about levels (`texts_of`).

    Examples
    --------
    >>> levels = {7: "L4", 8: "probably L5", 9: "probably part of the sacrum"}
    >>> [short_name(n, levels) for n in (6, 7, 8, 9, 26)]
    ['6', 'L4', 'L5?', 'S?', 'S']
    """
    if instance == SACRUM_INSTANCE:
        return "S"
    text = levels.get(instance, "")
    name = text.removeprefix(PROBABLY)
    if name not in LEVEL_NAMES.values():
        return "S?" if name else str(instance)
    return name if text == name else f"{name}?"


def from_json(document: Mapping[str, Any]) -> LevelName:
    """Read what `LevelName.as_json` has written.

    Examples
    --------
    >>> name = LevelName(28, 0.75, ("free above",), 19)
    >>> from_json(name.as_json()) == name
    True
    """
    numbers = {level_text(level): level for level in (*LEVEL_NAMES, SACRUM_INSTANCE)}
    rival = document.get("rival")
    return LevelName(
        numbers[str(document["level"])],
        float(document["confidence"]),
        tuple(map(str, document.get("evidence", ()))),
        numbers[str(rival)] if rival else 0,
    )
