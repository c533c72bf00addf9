"""Ids become levels where every vertebra of a map has a certain one, else they stay as they are.

Never a mixture: with one doubtful name all ids are running numbers. ``app/decisions/0030``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from operators.anatomy.labels import SACRUM_INSTANCE
from operators.anatomy.vertebrae import number_above, vertebra_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from operators.anatomy.levels import LevelName
    from operators.imaging.volume import LabelMap
    from operators.spine.levels.stations import Station

Value = TypeVar("Value")

_NUMBERED: Final = re.compile(r"(vertebra_without_body|disc_in_parts): (\d+)(.*)")
"""Facts of a result that name an instance by its id (`operators.spine.postprocessing`)."""


def levels_as_numbers(levels: Mapping[int, LevelName]) -> dict[int, int]:
    """Level of every vertebra, if each may be its id.

    Parameters
    ----------
    levels : mapping of int to LevelName
        By vertebra id: all vertebrae of a map.

    Returns
    -------
    dict of int to int
        Empty where one is uncertain, or is a piece of the sacrum, which is no vertebra.

    Examples
    --------
    >>> from operators.anatomy.levels import LevelName
    >>> levels_as_numbers({2: LevelName(19, 0.99), 3: LevelName(28, 1.0)})
    {2: 19, 3: 28}
    >>> levels_as_numbers({2: LevelName(24, 0.99), 3: LevelName(26, 1.0)})
    {}
    """
    if not all(name.is_certain and name.level != SACRUM_INSTANCE for name in levels.values()):
        return {}
    return {n: name.level for n, name in levels.items()}


def renumbered(instances: LabelMap, numbers: Mapping[int, int]) -> LabelMap:
    """Give vertebrae other ids, and their discs and endplates with them.

    Parameters
    ----------
    instances : LabelMap
        X, 100 + X, 200 + X, 26, and labels that belong to no vertebra, which stay.
    numbers : mapping of int to int
        New id of every vertebra X, head to foot.

    Returns
    -------
    LabelMap
        On the same grid. A disc above the topmost vertebra gets the id above, as everywhere; above
        C1 there is none, and what was taken for one becomes background.
    """
    labels = instances.labels_zyx
    present = np.flatnonzero(np.bincount(labels.ravel()))
    table = np.arange(int(present[-1]) + 1 if len(present) else 1, dtype=labels.dtype)
    for label in present.tolist():
        table[label] = new_label(label, numbers)
    return instances.with_labels(table[labels])


def new_label(label: int, numbers: Mapping[int, int]) -> int:
    """Label of an instance when vertebrae have other ids; 0 for what is above C1.

    Examples
    --------
    >>> [new_label(label, {2: 19, 3: 28}) for label in (3, 103, 202, 101, 26, 80)]
    [28, 128, 219, 118, 26, 80]
    """
    try:
        owner = vertebra_of(label)
    except KeyError:
        return label  # background, metal
    if owner == SACRUM_INSTANCE or not numbers:
        return label
    new = numbers.get(owner) or number_above(next(iter(numbers.values())))
    return label - owner + new if new else 0


def by_new_number(values: Mapping[int, Value], numbers: Mapping[int, int]) -> dict[int, Value]:
    """Values by vertebra, under the new ids."""
    return {numbers.get(n, n): value for n, value in values.items()}


def station_with(station: Station, numbers: Mapping[int, int]) -> Station:
    """Measures of an image, under the new ids."""
    vertebrae = tuple(
        replace(v, vertebra=numbers.get(v.vertebra, v.vertebra)) for v in station.spine.vertebrae
    )
    return replace(
        station,
        spine=replace(station.spine, vertebrae=vertebrae),
        named=by_new_number(station.named, numbers),
    )


def facts_with(facts: Iterable[str], numbers: Mapping[int, int]) -> tuple[str, ...]:
    """Facts that name an instance name it by its new id.

    Examples
    --------
    >>> facts_with(("disc_in_parts: 103 (2)", "hot_voxels_capped: 3"), {2: 19, 3: 20})
    ('disc_in_parts: 120 (2)', 'hot_voxels_capped: 3')
    """

    def renamed(match: re.Match[str]) -> str:
        return f"{match[1]}: {new_label(int(match[2]), numbers)}{match[3]}"

    return tuple(_NUMBERED.sub(renamed, fact) for fact in facts)
