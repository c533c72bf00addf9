"""The coded region of a vertebra whose level is known, and of the disc below it.

A name with a reserve has no code: a code can't carry one. T13 and L6, and the discs beside them,
are no concepts of SNOMED CT's groups: they have codes of our own scheme, and never a neighbour's.

References
----------
DICOM PS3.16 CID 7603 (vertebrae), CID 7604 (intervertebral discs).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from operators.anatomy.codes import LOCAL_SCHEME, SACRUM, Concept
from operators.anatomy.labels import DISC_OFFSET, SACRUM_INSTANCE
from operators.anatomy.vertebrae import LEVEL_NAMES, cranial_to_caudal, vertebra_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from operators.anatomy.levels import LevelName

_VERTEBRAE: Final = """
C1 14806007  C2 39976000  C3 113205007  C4 5329002  C5 36978003  C6 36054005  C7 87391001
T1 64864005  T2 53733008  T3 1626008  T4 73071006  T5 56401006  T6 45296009  T7 62487009
T8 11068009  T9 82687006  T10 7610001  T11 12989004  T12 23215003  L1 66794005  L2 14293000
L3 36470004  L4 11994002  L5 49668003
"""

_DISCS: Final = """
C2/C3 1078209008  C3/C4 58820006  C4/C5 49400002  C5/C6 73959003  C6/C7 75095006  C7/T1 37414007
T1/T2 40908007  T2/T3 6004007  T3/T4 2620004  T4/T5 82965004  T5/T6 72692000  T6/T7 74401007
T7/T8 28693002  T8/T9 9188009  T9/T10 113209001  T10/T11 34959001  T11/T12 1537001
T12/L1 76206002  L1/L2 80064006  L2/L3 67459009  L3/L4 62551000  L4/L5 84020006  L5/S1 715056000
"""

_OWN_DISCS: Final = frozenset({"T11/L1", "T12/T13", "T13/L1", "L4/S1", "L5/L6", "L6/S1"})
"""Between neighbours that only a variant has."""

_FIRST_SACRAL: Final = "S1"


def _codes(table: str) -> dict[str, str]:
    cells = table.split()
    return dict(zip(cells[::2], cells[1::2], strict=True))


_CODES: Final = _codes(_VERTEBRAE)
_DISC_CODES: Final = _codes(_DISCS)


def vertebra_concept(level: int) -> Concept:
    """Concept of a vertebra of a level, of the sacrum for 26.

    Parameters
    ----------
    level : int
        Id out of `operators.anatomy.vertebrae.LEVEL_NAMES`.

    Returns
    -------
    Concept
        SNOMED CT; of our own scheme for T13 and L6.

    Examples
    --------
    >>> vertebra_concept(23).value, vertebra_concept(25).value
    ('11994002', 'VERTEBRA-L6')
    """
    if level == SACRUM_INSTANCE:
        return SACRUM
    name = LEVEL_NAMES[level]
    if name in _CODES:
        return Concept(_CODES[name], f"{name} vertebra")
    return Concept(f"VERTEBRA-{name}", f"{name} vertebra", LOCAL_SCHEME)


def disc_concept(above: int, below: int) -> Concept | None:
    """Concept of the disc between two levels, of which the lower may be the sacrum.

    None where the levels are no neighbours, or have no disc between them.

    Examples
    --------
    >>> [disc.value for disc in map(disc_concept, (24, 19), (26, 28)) if disc]
    ['715056000', 'DISC-T12-T13']
    >>> disc_concept(21, 23) is None
    True
    """
    upper, lower = (_name(level) for level in (above, below))
    name = f"{upper}/{lower}"
    if name in _DISC_CODES:
        return Concept(_DISC_CODES[name], f"{name} disc")
    if name in _OWN_DISCS:
        return Concept(f"DISC-{upper}-{lower}", f"{name} disc", LOCAL_SCHEME)
    return None


def level_regions(labels: Iterable[int], levels: Mapping[int, LevelName]) -> dict[int, Concept]:
    """Regions of the labels of an instance map, as far as their levels are certain.

    Parameters
    ----------
    labels : iterable of int
        X, 100 + X, 200 + X, 26.
    levels : mapping of int to LevelName
        By vertebra id X.

    Returns
    -------
    dict of int to Concept
        Vertebra and endplates: the vertebra. Disc: the disc between it and the next one, if that
        is certain as well; a disc below the last vertebra only where the sacrum follows.
    """
    present = set(labels)
    known = {n: name.level for n, name in levels.items() if name.is_certain}
    if SACRUM_INSTANCE in present:
        known[SACRUM_INSTANCE] = SACRUM_INSTANCE
    order = cranial_to_caudal({*levels, *(present & {SACRUM_INSTANCE})})
    discs = {
        DISC_OFFSET + above: disc
        for above, below in pairwise(order)
        if above in known and below in known
        if (disc := disc_concept(known[above], known[below]))
    }
    bones = {
        label: vertebra_concept(known[vertebra_of(label)])
        for label in present
        if _is_of_vertebra(label) and vertebra_of(label) in known
    }
    return {**bones, **{label: disc for label, disc in discs.items() if label in present}}


def _is_of_vertebra(label: int) -> bool:
    owner = vertebra_of(label)
    return owner != SACRUM_INSTANCE and label - owner != DISC_OFFSET


def _name(level: int) -> str:
    return _FIRST_SACRAL if level == SACRUM_INSTANCE else LEVEL_NAMES[level]
