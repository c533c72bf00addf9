"""Typical sizes of human vertebrae, discs, canal and cord, level by level.

Typical values after Panjabi et al. 1991/1992 (Spine 16:861, 16:888, 17:299), Gilad and Nissan 1986,
Busscher et al. 2010 (Eur Spine J 19:1104), Kunkel et al. 2011 (J Anat 219:375) and Frostell et al.
2016 (Front Neurol 7:238), smoothed by hand. They shape a phantom; they are no reference values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_COLUMNS = [
    "height",
    "depth",
    "width",
    "disc",
    "canal_ap",
    "canal_width",
    "cord_ap",
    "cord_width",
    "spinous_length",
    "spinous_declination",
    "spinous_half_height",
    "tilt",
]

_ROWS = """
C1 8 11 11 0 20 26 8.5 11.5 6 0 3 -8
C2 22 15 17 5 18 24 8 11.5 18 25 6 -6
C3 13.6 15.3 17.5 5 15.5 23 7.6 12 14 20 4.5 -4
C4 13.3 15.5 18 5.2 15 23.5 7.4 12.8 15 18 4.5 0
C5 13.2 15.8 19 5.3 15 24 7.3 13.2 17 18 4.5 4
C6 13.4 16.3 21 5.6 15 24.5 7.2 12.8 23 20 5 9
C7 14.4 16.9 24 5.2 15 23.5 7 11.6 31 22 5 15
T1 15.8 17.5 27.5 4.6 15.3 21 6.7 9.8 33 30 5 20
T2 16.8 18.5 27 4 15.3 18.5 6.5 9 33 38 5 21
T3 17.2 20.5 26 3.6 15.3 17.2 6.4 8.6 33 45 5 19
T4 17.6 22.5 26 3.4 15.3 16.8 6.3 8.4 33 50 5 16
T5 18.2 24 27 3.7 15.4 16.8 6.2 8.3 33 55 5 13
T6 18.8 25.5 28 4.2 15.5 17 6.2 8.2 33 58 5 9
T7 19.4 27 29 4.6 15.6 17.2 6.3 8.2 33 58 5 6
T8 20 28.5 30 5 15.7 17.2 6.4 8.3 32 52 5 2
T9 20.8 29.5 31 5.4 15.8 17.4 6.6 8.5 30 42 5.5 -2
T10 21.8 30.5 33 5.9 16 17.8 6.9 8.8 28 30 6 -5
T11 23 31 36 6.6 16.5 19 7.4 9.4 26 20 7.5 -8
T12 24.5 31.5 40 7.4 17 21.5 7.8 9.6 26 14 9 -11
L1 26 32.5 42 8.3 17.3 22.5 7.8 9.2 29 10 10.5 -13
L2 27 33.5 43.5 9.5 17 23 7.6 9 31 8 11.5 -9
L3 27.5 34.5 45.5 10.5 16.6 23.5 0 0 31 8 11.5 -1
L4 27.5 35 47.5 11.2 16.6 24.5 0 0 29 10 10.5 9
L5 27.5 35 50 10.6 16.8 27 0 0 25 15 8.5 21
S1 30 30 52 3 14 28 0 0 12 20 7 40
S2 25 20 42 1.5 11 22 0 0 9 20 6 46
S3 20 15 36 1 8 16 0 0 6 20 5 44
S4 17 12 30 1 5 11 0 0 0 0 0 30
S5 13 9 25 0 3 7 0 0 0 0 0 10
"""

LAST_MOBILE = "L5"
EXTRA_LUMBAR = "L6"
LAST_THORACIC, EXTRA_THORACIC = "T12", "T13"


@dataclass(frozen=True, slots=True)
class Level:
    """Typical sizes of one level, in mm and degrees.

    Attributes
    ----------
    name : str
        ``C1`` to ``S5``, ``L6`` and ``T13`` for extra vertebrae.
    instance : int
        Number in the instance map (C1 = 1 ... L5 = 24, L6 = 25, T13 = 28, any sacral level = 26).
    sizes : dict of str to float
        The columns of the table.
    """

    name: str
    instance: int
    sizes: dict[str, float]

    @property
    def region(self) -> str:
        """One of ``C``, ``T``, ``L``, ``S``."""
        return self.name[0]


def _parse() -> tuple[Level, ...]:
    levels = []
    for number, row in enumerate(_ROWS.strip().splitlines(), start=1):
        name, *values = row.split()
        sizes = dict(zip(_COLUMNS, map(float, values), strict=True))
        levels.append(Level(name, min(number, 24) if name[0] != "S" else 26, sizes))
    return tuple(levels)


TYPICAL_LEVELS: tuple[Level, ...] = _parse()


def levels_with_variant(lumbar_count: int, thoracic_count: int = 12) -> tuple[Level, ...]:
    """Typical levels of a spine with 4, 5 or 6 lumbar and 12 or 13 thoracic vertebrae.

    Parameters
    ----------
    lumbar_count : int
        4 = L5 belongs to the sacrum, 5 = usual, 6 = one vertebra more (L6).
    thoracic_count : int
        12 = usual, 13 = one vertebra with ribs more (T13).

    Returns
    -------
    tuple of Level
        From cranial to caudal.
    """
    usual = list(TYPICAL_LEVELS)
    place = [level.name for level in usual].index(LAST_MOBILE)
    if lumbar_count == 4:
        del usual[place]
    elif lumbar_count == 6:
        usual.insert(place + 1, Level(EXTRA_LUMBAR, 25, usual[place].sizes))
    if thoracic_count == 13:
        last = [level.name for level in usual].index(LAST_THORACIC)
        usual.insert(last + 1, Level(EXTRA_THORACIC, 28, usual[last].sizes))
    return tuple(usual)


def column(levels: tuple[Level, ...], name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """One column of the table as an array over the levels."""
    return np.array([level.sizes[name] for level in levels], dtype=np.float64)
