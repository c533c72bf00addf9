"""What a person said about the level of a vertebra, and which vertebra of a result that is.

A vertebra is known again by its place, since running numbers change with the masks that another
version or model makes; by its number only where a person has just read that. No patient data:
millimetres and levels. Standard library only: the page asks here, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from operators.anatomy.vertebrae import LEVEL_NAMES
from operators.errors import NamesRejectedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SAME_PLACE_MM: Final = 8.0
"""Furthest the centre of a body lies from where it was when a person named it: half the distance
from C3 to C4 (Gilad and Nissan 1986: bodies of 12 to 14 mm and discs of 4 to 5 mm)."""

_LEVELS: Final = {name.upper(): level for level, name in LEVEL_NAMES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedVertebra:
    """One statement of a person.

    Attributes
    ----------
    level : int
        Id of the level (`LEVEL_NAMES`); 26: a piece of the sacrum.
    vertebra : int
        Its number in the result that the person saw, which is the one without a person's names.
    key : str
        Name of that result among those of a run; empty: the only one.
    centre_mm : tuple of float
        Centre of its body, LPS; empty: found by `key` and `vertebra`.
    """

    level: int
    vertebra: int
    key: str = ""
    centre_mm: tuple[float, ...] = ()

    @property
    def text(self) -> str:
        """How it stands among the parameters of a result.

        Examples
        --------
        >>> NamedVertebra(level=23, vertebra=3).text
        '3=L4'
        >>> NamedVertebra(level=28, vertebra=3, key="a", centre_mm=(1.0, -20.5, 7.0)).text
        'T13 at 1.0 -20.5 7.0 mm'
        """
        name = LEVEL_NAMES[self.level]
        if self.centre_mm:
            return f"{name} at {' '.join(f'{value:.1f}' for value in self.centre_mm)} mm"
        return f"{self.key}:{self.vertebra}={name}" if self.key else f"{self.vertebra}={name}"

    def find(self, key: str, centres: Mapping[int, tuple[float, ...]]) -> int | None:
        """Give the number of this vertebra in a result.

        Parameters
        ----------
        key : str
            Name of the result.
        centres : mapping of int to tuple of float
            Centre of every vertebra, LPS, mm.

        Returns
        -------
        int or None
            None where it is not there.
        """
        if not self.centre_mm:
            return self.vertebra if self.key in {"", key} and self.vertebra in centres else None
        distances = {n: math.dist(self.centre_mm, centre) for n, centre in centres.items()}
        nearest = min(distances, key=distances.__getitem__, default=None)
        return None if nearest is None or distances[nearest] > SAME_PLACE_MM else nearest


def level_named(name: str) -> int:
    """Id of a level that a person wrote.

    Raises
    ------
    NamesRejectedError
        ``unknown_level``.

    Examples
    --------
    >>> level_named(" t13"), level_named("sacrum")
    (28, 26)
    """
    level = _LEVELS.get(name.strip().upper())
    if level is None:
        message = "no such level; there are C1 to C7, T1 to T13, L1 to L6 and sacrum"
        raise NamesRejectedError(message, reasons=("unknown_level",))
    return level


def parse(text: str) -> NamedVertebra:
    """Read ``NUMBER=LEVEL`` or ``KEY:NUMBER=LEVEL``.

    Raises
    ------
    NamesRejectedError
        ``unknown_level``, ``unknown_vertebra``.

    Examples
    --------
    >>> parse("series4:3=L4")
    NamedVertebra(level=23, vertebra=3, key='series4', centre_mm=())
    """
    place, _, name = text.partition("=")
    key, _, number = place.rpartition(":")
    if not (number.isascii() and number.isdigit()):
        message = "a vertebra is named by its number and its level, such as 3=L4"
        raise NamesRejectedError(message, reasons=("unknown_vertebra",))
    return NamedVertebra(level=level_named(name), vertebra=int(number), key=key)


def parameter_of(named: Iterable[NamedVertebra]) -> tuple[tuple[str, str], ...]:
    """Say, as a parameter of a result, what a person said; nothing where that is nothing."""
    said = sorted(one.text for one in named)
    return (("named_levels", "; ".join(said)),) if said else ()
