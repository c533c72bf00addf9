"""What disease does to a spine: fractures, slips, transitional levels, implants, where and how bad.

Frequencies are far above those of the population: rare shapes must be seen often enough in training
to be learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.research.synthetic.anatomy_tables import Level

    Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fractures:
    """Compression of each body, arrays over the levels.

    Attributes
    ----------
    wedge : ndarray
        Loss of height in front, 0-0.5 (Genant: from 0.2 on); the back keeps its height.
    hollow : ndarray
        Factor of the end surfaces' depth: 1 = healthy, up to 4 = fish vertebra.
    burst : ndarray
        How far the back wall stands into the canal, mm.
    """

    wedge: Numbers
    hollow: Numbers
    burst: Numbers

    @property
    def present(self) -> NDArray[np.bool_]:
        """Levels with any fracture."""
        return (self.wedge > 0) | (self.hollow > 1.5) | (self.burst > 0)


def draw_fractures(rng: np.random.Generator, levels: tuple[Level, ...], age: float) -> Fractures:
    """Draw which thoracic and lumbar bodies are broken; in a few people several are.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    levels : tuple of Level
        Of the spine.
    age : float
        0 = young, 1 = old.

    Returns
    -------
    Fractures
        One entry per level.
    """
    count = len(levels)
    mobile = np.array([level.region in "TL" for level in levels])
    odds = 0.02 + 0.05 * age + (0.25 if rng.random() < 0.04 + 0.08 * age else 0.0)
    broken = mobile & (rng.random(count) < odds)
    kind = rng.random(count)
    wedge = np.where(broken & (kind < 0.6), rng.uniform(0.1, 0.5, count), 0.0)
    hollow = np.where(broken & (kind > 0.45), rng.uniform(1.6, 4.0, count), 1.0)
    burst = np.where(broken & (kind > 0.3) & (kind < 0.5), rng.uniform(1.0, 5.0, count), 0.0)
    return Fractures(wedge, hollow, burst)


def draw_slips(rng: np.random.Generator, levels: tuple[Level, ...], age: float) -> Numbers:
    """Forward slip of a body over the next one, mm; a few lumbar and cervical levels slip."""
    odds = {"L": 0.05 + 0.10 * age, "C": 0.03 * age, "T": 0.01, "S": 0.0}
    size = {"L": 9.0, "C": 3.0, "T": 3.0, "S": 0.0}
    slips = [
        rng.uniform(0.25, 1.0) * size[level.region] * rng.choice([1.0, 1.0, -0.5])
        if rng.random() < odds[level.region]
        else 0.0
        for level in levels
    ]
    return np.array(slips)


def draw_lateral(rng: np.random.Generator, s: Numbers, end: float) -> Numbers:
    """Lateral position along the spine, mm: most nearly straight, one in eight scoliotic."""
    strong = rng.random() < 0.12
    amplitude = rng.uniform(8, 26) if strong else 12 * rng.random() ** 3
    wave = np.sin(s / rng.uniform(45, 150) + rng.uniform(0, 2 * np.pi))
    lateral: Numbers = amplitude * wave + rng.uniform(-0.06, 0.06) * (s - end / 2)
    return lateral


def with_transitional_discs(
    rng: np.random.Generator, levels: tuple[Level, ...], disc: Numbers
) -> Numbers:
    """Rudimentary disc above S1 (sacralised) or a real one below S1 (lumbarised), in a few."""
    first = [level.name for level in levels].index("S1")
    changed, kind = disc.copy(), rng.random()
    if kind < 0.06:
        changed[first - 1] = rng.uniform(2.0, 4.0)
    elif kind < 0.14:
        changed[first] = rng.uniform(3.5, 7.0)
    return changed
