"""A surface along the depth of a structure: how high it lies at each place, lines through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

LINE: Final = (0.08, 0.92)
"""Part of the depth that gives the surface its direction."""

FEWEST_SAMPLES: Final = 3
"""Along a surface; a line through fewer says nothing."""

ROUGHEST_MM: Final = 2.0
"""Root mean square distance of an end surface from a parabola; a fish vertebra is one too."""

HIGHEST_MM: Final = 3.0
"""What stands out further from that parabola is a dens, or a neighbour grown together."""

THICKEST_PLATE_MM: Final = 3.0
"""What is labelled end plate further out is none of this surface."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Height of a surface over the depth: ``outward[n]`` mm from the origin at ``back[n]``."""

    back: Numbers
    outward: Numbers

    def line(self, start: float, end: float) -> tuple[float, float]:
        """Slope and intercept of the part between two positions; NaN where it is too short."""
        part = self.between(start, end)
        if part.back.size < FEWEST_SAMPLES:
            return np.nan, np.nan
        slope, intercept = np.polyfit(part.back, part.outward, 1)
        return float(slope), float(intercept)

    def part(self, shares: tuple[float, float]) -> tuple[float, float]:
        """Positions at two shares of the whole extent."""
        if not self.back.size:
            return 0.0, 0.0
        first, last = float(self.back[0]), float(self.back[-1])
        return first + shares[0] * (last - first), first + shares[1] * (last - first)

    def between(self, start: float, end: float) -> Profile:
        """Only what lies between two positions."""
        part = (self.back >= start) & (self.back <= end)
        return Profile(self.back[part], self.outward[part])

    @property
    def is_smooth(self) -> bool:
        """Whether its inner part is about a parabola."""
        inner = self.between(*self.part(LINE))
        if inner.back.size < FEWEST_SAMPLES:
            return False
        parabola = np.polyval(np.polyfit(inner.back, inner.outward, 2), inner.back)
        beyond = inner.outward - parabola
        rough = float(np.sqrt(np.mean(beyond**2)))
        return rough <= ROUGHEST_MM and float(beyond.max()) <= HIGHEST_MM

    def towards(self, other: Profile, share: float) -> Profile:
        """Raise it by a share of how far another surface lies outside it."""
        if not other.back.size:
            return self
        over = np.interp(self.back, other.back, other.outward) - self.outward
        raised = self.outward + share * np.clip(over, 0.0, THICKEST_PLATE_MM)
        return Profile(self.back, raised)

    def mean(self, start: float, end: float) -> float:
        """Mean height between two positions."""
        part = self.between(start, end)
        return float(part.outward.mean()) if part.back.size else np.nan
