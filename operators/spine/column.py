"""The bodies of a pair of maps, from top to bottom, and what they face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import Structure
from operators.spine.label_statistics import centres_of, from_the_top
from operators.spine.surroundings import first_met

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.surroundings import Look
    from operators.spine.thresholds import Spacing


@dataclass(frozen=True, slots=True)
class Column:
    """Bodies of a pair of maps.

    Attributes
    ----------
    parts, vertebrae : (R, I, P) ndarray
        On one grid.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.
    centres_mm : dict
        Vertebra number to the centre of its body, top to bottom.
    """

    parts: NDArray[np.unsignedinteger]
    vertebrae: NDArray[np.unsignedinteger]
    spacing_zyx_mm: Spacing
    centres_mm: dict[int, NDArray[np.float64]]

    @classmethod
    def of(
        cls,
        parts: NDArray[np.unsignedinteger],
        vertebrae: NDArray[np.unsignedinteger],
        spacing_zyx_mm: Spacing,
    ) -> Column:
        """Find the bodies."""
        centres = centres_of(np.where(parts == Structure.CORPUS, vertebrae, 0))
        scale = np.asarray(spacing_zyx_mm)
        ordered = {n: np.asarray(centres[n]) * scale for n in from_the_top(centres)}
        return cls(parts, vertebrae, spacing_zyx_mm, ordered)

    def body(self, number: int) -> NDArray[np.bool_]:
        """Voxels of one body."""
        return np.asarray((self.parts == Structure.CORPUS) & (self.vertebrae == number))

    def direction(self, start: int, end: int) -> NDArray[np.float64]:
        """Point from one body to another: a unit vector; downwards where the centres coincide."""
        length = self.distance(start, end)
        if length == 0:
            return np.array([0.0, 1.0, 0.0])
        return np.asarray((self.centres_mm[end] - self.centres_mm[start]) / length)

    def distance(self, one: int, other: int) -> float:
        """Distance of two bodies' centres, mm."""
        return float(np.linalg.norm(self.centres_mm[other] - self.centres_mm[one]))

    def faced(self, body: NDArray[np.bool_], look: Look) -> NDArray[np.unsignedinteger]:
        """`first_met` from one body."""
        return first_met(self.parts, body, look, self.spacing_zyx_mm)
