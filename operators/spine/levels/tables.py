"""Typical figures of every level, and how much they differ: see `operators.spine.levels.figures`.

Measured with ``python -m tests.benchmarks.level_tables`` on true maps of synthetic spines, whose
shapes follow the anthropometry that ``app/research/synthetic/anatomy_tables.py`` names (Panjabi et
al. 1991, Gilad and Nissan 1986, Busscher et al. 2010 and others), and widened for masks of real
images. They tell levels apart; they are no reference values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import L6_INSTANCE, SACRUM_INSTANCE, T13_INSTANCE
from operators.anatomy.vertebrae import LEVEL_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

BODY: Final = ("height", "depth", "width", "tilt")
PROCESSES: Final = (
    "spinous_drop",
    "spinous_height",
    "superior_volume",
    "superior_depth",
    "inferior_volume",
    "inferior_depth",
    "costal_reach",
    "superior_behind",
)
FEATURES: Final = (*BODY, *PROCESSES)
"""Columns of the tables: natural logarithms of mm and mm3; degrees (tilt, drop); mm (behind)."""

_MEANS: Final = """
C2 3.60 2.57 2.64 -3.00 18.31 2.74 6.54 2.05 7.99 2.30 2.97 9.33
C3 2.63 2.62 2.79 -2.03 9.04 2.34 7.08 2.21 7.66 2.16 3.01 9.08
C4 2.59 2.64 2.80 1.35 8.90 2.36 7.30 2.24 7.60 2.14 3.03 8.30
C5 2.58 2.68 2.86 5.61 8.72 2.41 7.29 2.30 7.81 2.26 3.07 8.50
C6 2.63 2.71 2.94 9.21 10.19 2.56 7.21 2.36 7.59 2.20 3.09 8.22
C7 2.69 2.74 3.10 15.35 11.36 2.76 6.79 2.24 7.76 2.18 3.12 8.56
T1 2.73 2.75 3.08 19.67 12.64 2.88 6.54 1.96 7.30 2.07 3.65 10.12
T2 2.80 2.78 3.07 21.61 15.85 3.06 6.57 1.95 7.24 2.07 3.61 10.27
T3 2.80 2.87 3.05 20.59 19.45 3.22 6.76 1.98 7.26 2.06 3.58 10.69
T4 2.83 2.99 3.03 17.83 21.07 3.27 6.77 1.95 7.20 2.05 3.54 10.78
T5 2.90 3.05 3.08 14.98 22.54 3.32 6.88 1.96 7.29 2.06 3.51 10.90
T6 2.93 3.11 3.13 10.94 23.66 3.34 6.81 1.90 7.24 1.98 3.48 11.23
T7 2.94 3.17 3.14 6.86 24.04 3.37 6.88 1.92 7.43 2.00 3.44 11.41
T8 2.97 3.21 3.19 3.12 20.15 3.28 6.94 1.86 7.40 1.94 3.40 11.17
T9 3.02 3.26 3.20 -0.23 16.77 3.10 7.09 1.87 7.37 1.91 3.37 11.57
T10 3.05 3.28 3.28 -4.33 11.40 2.86 6.92 1.81 7.34 1.88 3.33 11.93
T11 3.12 3.30 3.34 -7.74 8.73 2.81 7.02 1.85 7.34 1.93 3.30 12.29
T12 3.18 3.32 3.45 -9.24 7.99 2.86 7.12 1.93 7.44 1.94 3.26 12.81
L1 3.24 3.35 3.45 -9.26 8.09 3.20 7.90 2.36 8.18 2.34 3.78 15.79
L2 3.28 3.38 3.47 -6.00 7.90 3.23 7.81 2.35 8.37 2.39 3.78 15.10
L3 3.28 3.40 3.52 1.21 7.64 3.22 7.71 2.26 8.25 2.34 3.78 14.33
L4 3.28 3.41 3.57 12.01 8.61 3.15 7.37 2.38 8.14 2.39 3.78 14.55
L5 3.23 3.41 3.58 18.56 2.45 2.94 7.69 2.49 8.26 2.51 3.78 13.84
S1 3.30 3.20 3.55 38.00 2.45 2.94 7.69 2.49 8.26 2.51 3.78 13.84
"""
"""By level. Transverse processes below T3 are wider than the fields that were measured: theirs are
the generator's own lengths. S1, which has no instance there, has its body's sizes from the
generator's table and L5's processes."""

_SPREADS: Final = """
C 0.060 0.061 0.075 3.106 3.347 0.147 0.530 0.225 0.394 0.142 0.070 1.865
T 0.098 0.055 0.065 3.764 3.163 0.151 0.426 0.171 0.346 0.148 0.120 1.351
L 0.095 0.070 0.067 4.042 4.005 0.179 0.414 0.173 0.317 0.125 0.120 1.790
S 0.150 0.150 0.100 10.000 4.005 0.179 0.414 0.173 0.317 0.125 0.120 1.790
P 0.100 0.117 0.108 6.226 1.206 0.121 0.318 0.124 0.340 0.121 0.148 0.925
"""
"""Standard deviations about the person's own offset by region, and of that offset (P)."""

_LEAST_SPREADS: Final = "0.08 0.08 0.08 6 8 0.3 0.45 0.2 0.45 0.2 0.15 2.0"
"""Of masks of real images, within a person. SPIDER's training subjects (van der Graaf et al. 2024)
have bodies of these sizes, but less of a lordosis, as people in a scanner have, and spinous
processes without their tips; the joints, which such narrow stacks don't show, are taken to be twice
as different."""

_LEAST_PERSON_SPREADS: Final = "0.09 0.15 0.15 8 6 0.4 0.5 0.2 0.5 0.2 0.15 2.0"
"""The same of the offset between persons, or between synthetic and real ones."""

_LAST_THORACIC: Final = 1.5
"""Factor of the spread of the lower joints of T12 and T13, which are of the lumbar type in most
people and in some of the thoracic one (Singer et al. 1988, Surg Radiol Anat 10:291): their mean
is taken to lie between."""

_UPPER_SHARE, _UPPER_SPREAD = 0.2, 1.25
"""The same of its upper joints, which have grown in real masks (T11 to T12: 3 mm further back, as
T12 to L1 in synthetic ones): share of the way to L1, and factor of the spread."""

_SIZE: Final = max(LEVEL_NAMES) + 1
_IDS: Final = {**{name: level for level, name in LEVEL_NAMES.items()}, "S1": SACRUM_INSTANCE}
_T12, _L1, _L5 = _IDS["T12"], _IDS["L1"], _IDS["L5"]


def _rows(table: str) -> dict[str, dict[str, float]]:
    rows = (row.split() for row in table.strip().splitlines())
    return {
        first: {
            name: np.nan if cell == "-" else float(cell)
            for name, cell in zip(FEATURES, cells, strict=True)
        }
        for first, *cells in rows
    }


def _means() -> dict[str, Numbers]:
    means = {name: np.full(_SIZE, np.nan) for name in FEATURES}
    for level, row in _rows(_MEANS).items():
        for name, value in row.items():
            means[name][_IDS[level]] = value
    for name, values in means.items():
        if name.startswith("inferior"):
            values[_T12] = (values[_T12] + values[_L1]) / 2
        if name.startswith("superior"):
            values[_T12] += _UPPER_SHARE * (values[_L1] - values[_T12])
        values[T13_INSTANCE], values[L6_INSTANCE] = values[_T12], values[_L5]
    return means


def _spreads() -> dict[str, Numbers]:
    regions = _rows(_SPREADS)
    least = _rows(f"least {_LEAST_SPREADS}")["least"]
    spreads = {}
    for name in FEATURES:
        values = np.full(_SIZE, np.nan)
        for level, text in LEVEL_NAMES.items():
            values[level] = max(regions[text[0].upper()][name], least[name])
        if name.startswith("inferior"):
            values[[_T12, T13_INSTANCE]] *= _LAST_THORACIC
        if name.startswith("superior"):
            values[[_T12, T13_INSTANCE]] *= _UPPER_SPREAD
        spreads[name] = values
    return spreads


def _person_spreads() -> dict[str, float]:
    measured = _rows(_SPREADS)["P"]
    least = _rows(f"least {_LEAST_PERSON_SPREADS}")["least"]
    return {name: max(measured[name], least[name]) for name in FEATURES}


MEANS: Final = _means()
"""By figure: an array over level ids, 26 being S1; NaN where a level has no typical value."""

SPREADS: Final = _spreads()
"""Likewise, within a person."""

PERSON_SPREADS: Final = _person_spreads()
"""By figure: between persons."""
