"""The columns of bones that people have, and the levels that a row of vertebrae can be.

7 cervical, 11 to 13 thoracic and 4 to 6 lumbar vertebrae; the lowest instance of a mask may be a
piece of the sacrum. Standard library only: the page asks here, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.anatomy.labels import L6_INSTANCE, SACRUM_INSTANCE, T13_INSTANCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CERVICAL: Final = tuple(range(1, 8))
THORACIC: Final = (*range(8, 20), T13_INSTANCE)
LUMBAR: Final = (*range(20, 25), L6_INSTANCE)

_BY_FREQUENCY: Final = (
    *((12, 5), (12, 6), (12, 4), (13, 5), (11, 5)),
    *((13, 6), (11, 4), (13, 4), (11, 6)),
)
"""Thoracic and lumbar vertebrae, the usual column first."""


def column_of(thoracic: int, lumbar: int) -> tuple[int, ...]:
    """Levels of a column from C1 down, without the sacrum.

    Examples
    --------
    >>> column_of(13, 4)[-5:]
    (28, 20, 21, 22, 23)
    """
    return (*CERVICAL, *THORACIC[:thoracic], *LUMBAR[:lumbar])


def places_of(levels: Sequence[int]) -> tuple[int, ...]:
    """Places of a row of levels in its column, from 0; a bone that is left out leaves out one.

    Examples
    --------
    >>> places_of((19, 20, 22)), places_of((18, 20))
    ((0, 1, 3), (0, 1))
    """
    places = _indices(levels)
    return tuple(place - places[0] for place in places)


def is_possible(places: Sequence[int], named: Mapping[int, int]) -> bool:
    """Whether vertebrae at these places can have these levels among them.

    Parameters
    ----------
    places : sequence of int
        Of every vertebra in the row of bones, ascending.
    named : mapping of int to int
        Level by number of the vertebra in `places`, from 0.

    Examples
    --------
    >>> is_possible((0, 1), {0: 23, 1: 24}), is_possible((0, 1, 2), {0: 23, 2: 24})
    (True, False)
    """
    length = places[-1] - places[0] + 1
    return any(
        all(column[start + places[n] - places[0]] == level for n, level in named.items())
        for column in _columns()
        for start in range(len(column) - length + 1)
    )


def shifted(levels: Sequence[int], step: int) -> dict[int, int]:
    """Move a row of levels along its column.

    Parameters
    ----------
    levels : sequence of int
        Of every vertebra, head to foot; a bone may be left out.
    step : int
        1: every vertebra gets the name of the bone below; -1: of the bone above.

    Returns
    -------
    dict of int to int
        New level by place. One that moves over the lower end of the column has none: it can be
        another lumbar vertebra or a piece of the sacrum. Empty where one moves over the upper end,
        or where no column holds the row.

    Examples
    --------
    >>> shifted((19, 20, 21), -1), shifted((23, 24), 1), shifted((1, 2), -1)
    ({0: 18, 1: 19, 2: 20}, {0: 24}, {})
    """
    targets = {place: at + step for place, at in enumerate(_indices(levels))}
    if min(targets.values(), default=-1) < 0:
        return {}
    column = _column_with(levels)
    return {n: column[at] for n, at in targets.items() if at < len(column) - 1}


def _columns() -> Iterator[tuple[int, ...]]:
    """Every column, the usual one first, each ending in the sacrum."""
    for thoracic, lumbar in _BY_FREQUENCY:
        yield (*column_of(thoracic, lumbar), SACRUM_INSTANCE)


def _column_with(levels: Sequence[int]) -> tuple[int, ...]:
    """Column that holds a row, if possible without a gap; empty where none does."""
    holding = [column for column in _columns() if levels and set(levels) <= set(column)]
    gaps = [column.index(levels[-1]) - column.index(levels[0]) for column in holding]
    return holding[gaps.index(min(gaps))] if holding else ()


def _indices(levels: Sequence[int]) -> tuple[int, ...]:
    column = _column_with(levels)
    return tuple(column.index(level) for level in levels) if column else ()
