"""One random person: sizes, age, degeneration, the curve of the spine.

Axes of the phantom: P grows to posterior, I to inferior, R to the right; mm. A tilt is the angle of
the spine in the sagittal plane, positive where going down moves posterior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.research.synthetic.anatomy_tables import Level, column, levels_with_variant
from app.research.synthetic.pathology import (
    Fractures,
    draw_fractures,
    draw_lateral,
    draw_slips,
    with_transitional_discs,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_TILT_SCALE = {"C": (0.1, 1.5), "T": (0.55, 1.45), "L": (0.4, 1.4), "S": (0.7, 1.25)}
_ABOVE_MM, _BELOW_MM = 160.0, 80.0

_COLLAPSE = {
    "C": (0.25, 1.8, 3.2),
    "T": (0.12, 1.6, 2.8),
    "L": (0.35, 1.3, 3.0),
    "S": (0.0, 1.0, 1.0),
}
"""Share of the worn discs (> 0.55) that collapse, and to what height in mm, bone to bone.

The rib cage spares the thoracic discs; a worn cervical disc rarely loses more than half of its
5 mm.
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """Sizes of every level of one person (arrays over the levels, mm) and the person's curve.

    Attributes
    ----------
    levels : tuple of Level
        Names and instance numbers, cranial to caudal.
    scale, age : float
        Body size (1 = typical) and age (0 = young, 1 = old).
    height, depth, width, disc, canal_ap, canal_width, cord_ap, cord_width : ndarray
        Body, disc below, canal and cord.
    spinous_length, spinous_declination, spinous_half_height : ndarray
        Spinous process (mm, degrees, mm).
    degeneration : ndarray
        Of the disc below each level, 0-1.
    fractures : Fractures
        Compressed bodies.
    lordotic : ndarray
        Share of the body's height that is missing at the back, most at L5.
    curve : Curve
        Centre line through the bodies.
    """

    levels: tuple[Level, ...]
    scale: float
    age: float
    height: Numbers
    depth: Numbers
    width: Numbers
    disc: Numbers
    canal_ap: Numbers
    canal_width: Numbers
    cord_ap: Numbers
    cord_width: Numbers
    spinous_length: Numbers
    spinous_declination: Numbers
    spinous_half_height: Numbers
    degeneration: Numbers
    fractures: Fractures
    lordotic: Numbers
    curve: Curve

    def index(self, name: str) -> int:
        """Place of the level in the arrays; a missing L5 answers with the last mobile level."""
        names = [level.name for level in self.levels]
        return names.index(name) if name in names else names.index("S1") - 1


@dataclass(frozen=True, slots=True)
class Curve:
    """Centre line of the spine, sampled every millimetre.

    Attributes
    ----------
    s, p, i, tilt, r : ndarray
        Arc length, position (mm), tilt (radians) and lateral position per sample.
    level_s : ndarray
        Arc length of each body's centre.
    """

    s: Numbers
    p: Numbers
    i: Numbers
    tilt: Numbers
    r: Numbers
    level_s: Numbers

    def at(self, s: float) -> tuple[float, float, float, float, float]:
        """Position (p, i, r), tilt and lateral slope at arc length ``s``."""
        p, i, r, tilt = (
            float(np.interp(s, self.s, x)) for x in (self.p, self.i, self.r, self.tilt)
        )
        before, after = (float(np.interp(s + d, self.s, self.r)) for d in (-5.0, 5.0))
        return p, i, r, tilt, (after - before) / 10.0


def _discs(
    rng: np.random.Generator, levels: tuple[Level, ...], scale: float, age: float
) -> tuple[Numbers, Numbers]:
    count = len(levels)
    degeneration = np.clip(age * rng.uniform(0.2, 1.1) + rng.normal(0, 0.22, count), 0, 1)
    disc = column(levels, "disc") * scale * rng.uniform(0.8, 1.2)
    disc = disc * np.clip(1 + rng.normal(0, 0.12, count), 0.7, 1.3)
    disc = disc * (1 - 0.6 * np.clip(degeneration - 0.5, 0, 1))
    share, low, high = np.array([_COLLAPSE[level.region] for level in levels]).T
    collapsed = (degeneration > 0.55) & (rng.random(count) < share) & (disc > 0)
    disc = np.where(collapsed, rng.uniform(low, high), disc)
    return disc, degeneration


def _tilts(rng: np.random.Generator, levels: tuple[Level, ...]) -> Numbers:
    scales = {region: rng.uniform(*span) for region, span in _TILT_SCALE.items()}
    tilt = column(levels, "tilt") * [scales[level.region] for level in levels]
    padded = np.pad(tilt, 1, mode="edge")
    tilt = 0.15 * padded[:-2] + 0.7 * tilt + 0.15 * padded[2:]
    tilt = tilt + rng.normal(0, 1.8, len(levels))
    # The lumbosacral corner differs most between people: steep and flat L5, steep and flat S1.
    names = [level.name for level in levels]
    corner = names.index("S1")
    tilt[corner - 1] += rng.uniform(-6, 14)
    tilt[corner - 2] += rng.uniform(-3, 6)
    tilt[corner:] += rng.uniform(-8, 12)
    return np.radians(np.clip(tilt, -35, 60) + rng.normal(0, 6))


def _lordotic(rng: np.random.Generator, levels: tuple[Level, ...]) -> Numbers:
    share = {"L3": 0.03, "L4": 0.06, "L5": 0.15, "L6": 0.15, "S1": 0.05}
    typical = np.array([share.get(level.name, 0.0) for level in levels])
    return typical * rng.uniform(0.2, 1.6) * rng.uniform(0.6, 1.4, len(levels))


def _curve(
    rng: np.random.Generator, height: Numbers, disc: Numbers, tilt: Numbers, slip: Numbers
) -> Curve:
    starts = np.concatenate([[0.0], np.cumsum(height + disc)[:-1]])
    end = float(starts[-1] + height[-1])
    s = np.arange(-_ABOVE_MM, end + _BELOW_MM, 1.0)
    knots = np.stack([starts + 0.15 * height, starts + 0.85 * height], axis=1).ravel()
    angle = np.interp(s, knots, np.repeat(tilt, 2))
    ramp = np.zeros_like(s)
    for top, gap, amount in zip(starts + height, disc, slip, strict=True):
        span = max(gap, 3.0)
        ramp += amount * np.clip((s - top + (span - gap) / 2) / span, 0, 1)
    step = np.gradient(ramp)
    p = np.cumsum(np.sin(angle) + step * np.cos(angle))
    i = np.cumsum(np.cos(angle) - step * np.sin(angle))
    return Curve(s, p, i, angle, draw_lateral(rng, s, end), starts + height / 2)


def draw_subject(rng: np.random.Generator) -> Subject:
    """Draw one person.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.

    Returns
    -------
    Subject
        Sizes and curve.
    """
    lumbar = int(rng.choice([4, 5, 5, 5, 5, 5, 5, 5, 6]))
    levels = levels_with_variant(lumbar, 13 if rng.random() < 0.03 else 12)
    count = len(levels)
    scale = float(np.clip(rng.normal(1, 0.085), 0.78, 1.22))
    age = float(rng.random())

    def jitter(spread: float) -> Numbers:
        return np.clip(1 + rng.normal(0, spread, count), 0.7, 1.3)

    fractures = draw_fractures(rng, levels, age)
    height = column(levels, "height") * scale * np.clip(rng.normal(1, 0.06), 0.85, 1.15)
    height = height * jitter(0.03) * (1 - 0.6 * fractures.wedge)
    height = height * (1 - 0.08 * (fractures.hollow - 1))
    disc, degeneration = _discs(rng, levels, scale, age)
    disc = with_transitional_discs(rng, levels, disc)
    return Subject(
        levels=levels,
        scale=scale,
        age=age,
        height=height,
        depth=column(levels, "depth") * scale * jitter(0.03) * rng.uniform(0.9, 1.12),
        width=column(levels, "width") * scale * jitter(0.03) * rng.uniform(0.92, 1.1),
        disc=disc,
        canal_ap=column(levels, "canal_ap") * scale**0.5 * jitter(0.04) * rng.uniform(0.85, 1.12),
        canal_width=column(levels, "canal_width") * scale**0.5 * jitter(0.04),
        cord_ap=column(levels, "cord_ap") * jitter(0.03) * rng.uniform(0.85, 1.12),
        cord_width=column(levels, "cord_width") * jitter(0.03) * rng.uniform(0.88, 1.1),
        spinous_length=column(levels, "spinous_length")
        * scale
        * jitter(0.1)
        * rng.uniform(0.8, 1.2),
        spinous_declination=column(levels, "spinous_declination") + rng.normal(0, 5, count),
        spinous_half_height=column(levels, "spinous_half_height") * scale * jitter(0.1),
        degeneration=degeneration,
        fractures=fractures,
        lordotic=_lordotic(rng, levels),
        curve=_curve(rng, height, disc, _tilts(rng, levels), draw_slips(rng, levels, age)),
    )
