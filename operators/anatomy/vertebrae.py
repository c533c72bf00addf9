"""Which instance ids are vertebrae, in which order they stand, and what they are called.

Ids follow VerSe and SPINEPS: 1 = C1 ... 7 = C7, 8 = T1 ... 19 = T12, 28 = T13, 20 = L1 ... 25 = L6,
26 = sacrum. Where not every level is known, a map has running numbers, which are no levels: the
names here are for vertebrae whose level is known from evidence. Every number that a person reads is
the id in the mask (``app/decisions/0014``, ``0030``). No DICOM codes here: see ``codes``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.anatomy.labels import (
    DISC_OFFSET,
    ENDPLATE_OFFSET,
    SACRUM_INSTANCE,
    T13_INSTANCE,
    VERTEBRA_INSTANCES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CRANIAL_TO_CAUDAL: tuple[int, ...] = (
    *range(1, 20),
    T13_INSTANCE,
    *range(20, 26),
    SACRUM_INSTANCE,
)
"""All vertebra ids and the sacrum from head to foot; T13 stands between T12 and L1."""

ATLAS_INSTANCE = 1
"""C1. Among running numbers only a vertebra that is recognised as C1 has it."""

AXIS_INSTANCE = 2
"""C2, which owns the dens; among running numbers, the topmost vertebra where no C1 is seen."""

_T12, _L1 = 19, 20

_RANK = {instance: rank for rank, instance in enumerate(CRANIAL_TO_CAUDAL)}

LEVEL_NAMES: dict[int, str] = {
    **{n: f"C{n}" for n in range(1, 8)},
    **{n: f"T{n - 7}" for n in range(8, 20)},
    T13_INSTANCE: "T13",
    **{n: f"L{n - 19}" for n in range(20, 26)},
    SACRUM_INSTANCE: "sacrum",
}
"""Instance id to level name, for levels that are known from evidence."""


def cranial_to_caudal(instances: Iterable[int]) -> tuple[int, ...]:
    """Sort vertebra ids (and 26, the sacrum) from head to foot.

    Parameters
    ----------
    instances : iterable of int
        Ids out of `CRANIAL_TO_CAUDAL`, without their disc and endplate offsets.

    Returns
    -------
    tuple of int
        Every id once, T13 (28) before L1 (20), the sacrum (26) last.

    Raises
    ------
    KeyError
        If an id is none of these.

    Examples
    --------
    >>> cranial_to_caudal([26, 20, 28, 19])
    (19, 28, 20, 26)
    """
    return tuple(sorted(set(instances), key=_RANK.__getitem__))


def vertebrae_among(labels: Iterable[int]) -> tuple[int, ...]:
    """Vertebra ids among the labels of an instance map, head to foot, without the sacrum.

    Parameters
    ----------
    labels : iterable of int
        Labels of an instance map: X, 100 + X, 200 + X, 26.

    Returns
    -------
    tuple of int
        The ids X of vertebrae.
    """
    return cranial_to_caudal(label for label in labels if label in VERTEBRA_INSTANCES)


def vertebra_of(label: int) -> int:
    """Id of the vertebra (or the sacrum) that a label of the instance map belongs to.

    Parameters
    ----------
    label : int
        X, 100 + X (its disc) or 200 + X (its endplate).

    Returns
    -------
    int
        X.

    Raises
    ------
    KeyError
        If the label belongs to no vertebra and not to the sacrum.

    Examples
    --------
    >>> vertebra_of(105), vertebra_of(205), vertebra_of(5)
    (5, 5, 5)
    """
    for offset in (ENDPLATE_OFFSET, DISC_OFFSET, 0):
        if label - offset in _RANK:
            return label - offset
    raise KeyError(label)


def number_above(vertebra: int) -> int:
    """Id of the vertebra above in a column of twelve thoracic vertebrae; 0 above the first.

    Examples
    --------
    >>> number_above(28), number_above(20), number_above(1)
    (19, 19, 0)
    """
    return _T12 if vertebra in {T13_INSTANCE, _L1} else vertebra - 1


def vertebra_text(vertebra: int) -> str:
    """Call a vertebra by its id in the mask.

    Parameters
    ----------
    vertebra : int
        Id of a vertebra.

    Returns
    -------
    str
        The only words for it, in labels, legends and flags, as long as its level is not known.

    Examples
    --------
    >>> vertebra_text(3)
    'vertebra 3'
    """
    return f"vertebra {vertebra}"


def ordinal_text(
    label: int, vertebrae: Sequence[int], levels: Mapping[int, str] | None = None
) -> str:
    """Say in words which instance this is: by its number, and by its level where one is named.

    Parameters
    ----------
    label : int
        X, 100 + X, 200 + X or 26.
    vertebrae : sequence of int
        All vertebra ids of the map, head to foot (`vertebrae_among`).
    levels : mapping of int to str, optional
        What is said about the level of vertebrae, by id (`operators.anatomy.levels`).

    Returns
    -------
    str
        At most 64 characters, such as ``"disc below vertebra 4 (L3)"``: its vertebra's id in the
        mask and its level.

    Raises
    ------
    KeyError
        If the label belongs to no vertebra and not to the sacrum.

    Notes
    -----
    A disc or endplate whose own vertebra is outside the image is described by the next vertebra
    below it, else by the last one above it.

    Examples
    --------
    >>> ordinal_text(104, (2, 3, 4))
    'disc below vertebra 4'
    >>> ordinal_text(101, (2, 3, 4))
    'disc above vertebra 2'
    >>> ordinal_text(4, (2, 3, 4), {4: "probably L3"})
    'vertebra 4 (probably L3)'
    """
    owner = vertebra_of(label)
    if label == SACRUM_INSTANCE:
        return "sacrum"
    place = _place(owner, vertebrae, levels or {})
    if label == owner:
        return place
    is_disc = label == DISC_OFFSET + owner
    if owner in vertebrae:
        return f"disc below {place}" if is_disc else f"endplates of {place}"
    return f"disc {place}" if is_disc else f"endplates {place}"


def _place(owner: int, vertebrae: Sequence[int], levels: Mapping[int, str]) -> str:
    if owner in vertebrae:
        level = f" ({levels[owner]})" if owner in levels else ""
        return vertebra_text(owner) + level
    if owner == SACRUM_INSTANCE:
        return "of the sacrum"
    below = [other for other in vertebrae if _RANK[other] > _RANK[owner]]
    return f"above {vertebra_text(below[0])}" if below else "below all vertebrae"
