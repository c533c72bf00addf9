"""A spine on a circle whose heights, angles, areas and volumes follow from a few numbers.

In the sagittal plane every body and every disc is a sector of one ring around a centre far behind
(lordosis) or in front (kyphosis) of it; across the ring its section is a superellipse. A height at
distance r from the centre is the chord 2 r sin(angle / 2), the angle between two end surfaces the
sum of the sectors between them, a volume the section's area times the length of the middle line
(Pappus).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import gamma
from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import DISC_OFFSET, SACRUM_INSTANCE, Structure
from operators.imaging.volume import LabelMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AnalyticSpine:
    """Sizes in mm.

    ``radius``: of the middle line through the bodies; negative = kyphosis. ``bodies``, ``discs``:
    length of each along that line, head to foot; the last disc lies on the sacrum. ``slips``: how
    far each body stands in front of its place. ``power``: of the superellipse; 2 = ellipse.
    """

    radius: float = 160.0
    bodies: tuple[float, ...] = (26.0, 27.0, 27.0, 27.5, 28.0)
    discs: tuple[float, ...] = (8.0, 9.0, 10.0, 11.0, 10.0)
    slips: tuple[float, ...] = (0.0,) * 5
    depth: float = 34.0
    width: float = 46.0
    power: float = 4.0
    canal_ap: float = 16.0
    canal_width: float = 24.0
    cord_ap: float = 7.0
    cord_width: float = 9.0
    behind: float = 30.0
    first: int = 20
    tilt_degrees: float = 15.0
    lean_degrees: float = 0.0
    centre: tuple[float, float, float] = field(default=(3.0, -20.0, 40.0))

    @property
    def angles(self) -> Numbers:
        """Where every body and disc begins and ends, head to foot, radians from the top."""
        lengths = np.ravel(np.column_stack([self.bodies, self.discs]))
        return np.concatenate([[0.0], np.cumsum(lengths)]) / abs(self.radius)

    def height(self, place: int, at: float, *, disc: bool = False) -> float:
        """Chord of body or disc ``place`` at a share ``at`` of its depth, 0 = front, 1 = back."""
        sector = np.diff(self.angles)[2 * place + disc]
        slip = 0.0 if disc else self.slips[place]
        return float(2 * abs(self._radius_at((at - 0.5) * self.depth - slip)) * np.sin(sector / 2))

    def _radius_at(self, behind: float) -> float:
        return self.radius - behind

    def between_degrees(self, upper: int, lower: int) -> float:
        """Angle between two of `angles`; lordosis is positive."""
        return float(np.degrees(self.angles[lower] - self.angles[upper]) * np.sign(self.radius))

    def section_mm2(self, first: float, second: float) -> float:
        """Area of a superellipse with these two diameters."""
        p = self.power
        return float(first * second * gamma(1 + 1 / p) ** 2 / gamma(1 + 2 / p))

    def volume_ml(self, place: int, *, disc: bool = False) -> float:
        """Volume of a body or a disc."""
        sector = np.diff(self.angles)[2 * place + disc]
        slip = 0.0 if disc else self.slips[place]
        length = sector * abs(self._radius_at(-slip))
        return self.section_mm2(self.depth, self.width) * float(length) / 1000.0

    def ellipse_mm2(self, first: float, second: float) -> float:
        """Area of an ellipse, as canal and cord are."""
        return float(np.pi / 4 * first * second)

    def on(self, shape_zyx: Sequence[int], affine_lps: Numbers) -> tuple[LabelMap, LabelMap]:
        """Semantic and instance map on a grid."""
        index = np.stack(np.indices(tuple(shape_zyx), dtype=np.float64), axis=-1)
        left, along, behind = self._ring(index @ affine_lps[:3, :3].T + affine_lps[:3, 3])
        parts = np.zeros(along.shape, np.uint8)
        numbers = np.zeros(along.shape, np.uint16)
        after = behind - self.behind
        for label, ap, wide in (
            (Structure.CANAL, self.canal_ap, self.canal_width),
            (Structure.CORD, self.cord_ap, self.cord_width),
        ):
            parts[(2 * after / ap) ** 2 + (2 * left / wide) ** 2 < 1] = label
        place = np.searchsorted(self.angles, along, side="right") - 1
        last = len(self.angles) - 1
        for n in range(last + 1):
            slip = self.slips[n // 2] if n % 2 == 0 and n < last else 0.0
            section = np.abs(2 * (behind + slip) / self.depth) ** self.power
            inside = (place == n) & (section + np.abs(2 * left / self.width) ** self.power < 1)
            if n == last:
                inside &= along < self.angles[-1] + 30.0 / abs(self.radius)
            number = self.first + n // 2
            part, owner = (
                (Structure.SACRUM, SACRUM_INSTANCE)
                if n == last
                else (Structure.DISC, DISC_OFFSET + number)
                if n % 2
                else (Structure.CORPUS, number)
            )
            parts[inside], numbers[inside] = part, owner
        affine = np.array(affine_lps)
        return LabelMap(parts, affine), LabelMap(numbers, affine)

    def _ring(self, points_lps: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Left of the middle plane, angle from the top, behind the middle line; mm and radians."""
        lean = np.radians(self.lean_degrees)
        x, y, z = np.moveaxis(points_lps - np.array(self.centre), -1, 0)
        x, z = np.cos(lean) * x - np.sin(lean) * z, np.sin(lean) * x + np.cos(lean) * z
        # The middle of the spine's length lies at the centre; there the axis is tilted.
        tilt = np.radians(self.tilt_degrees)
        y, z = np.cos(tilt) * y - np.sin(tilt) * z, np.sin(tilt) * y + np.cos(tilt) * z
        sign = np.sign(self.radius)
        across = sign * (self.radius - y)
        angle = -np.arctan2(z, across) + self.angles[-1] / 2
        return x, angle, sign * (abs(self.radius) - np.hypot(across, z))

    def tilt_of_degrees(self, edge: int) -> float:
        """Sagittal tilt of the surface at one of `angles`: positive where it rises to the back."""
        from_the_middle = self.angles[edge] - self.angles[-1] / 2
        return float(np.degrees(from_the_middle) * np.sign(self.radius)) - self.tilt_degrees

    def leaning(self, degrees: float) -> AnalyticSpine:
        """The same spine, leaning to the side."""
        return replace(self, lean_degrees=degrees)


def sagittal_grid(
    spacing_rip_mm: tuple[float, float, float],
    extent_rip_mm: tuple[float, float, float] = (60.0, 220.0, 120.0),
    *,
    turned_degrees: float = 0.0,
) -> tuple[tuple[int, int, int], Numbers]:
    """Shape and affine of a [R, I, P] grid about the analytic spine's centre.

    ``turned_degrees``: turn of the whole grid in the sagittal plane, and half of it to each of both
    other sides.
    """
    shape = tuple(
        round(extent / step) for extent, step in zip(extent_rip_mm, spacing_rip_mm, strict=True)
    )
    r, i, p = spacing_rip_mm
    axes = np.array([[-r, 0, 0], [0, 0, p], [0, -i, 0]])
    full, half = np.radians(turned_degrees), np.radians(turned_degrees) / 2
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(full), -np.sin(full)], [0, np.sin(full), np.cos(full)]]
    )
    about_y = np.array(
        [[np.cos(half), 0, np.sin(half)], [0, 1, 0], [-np.sin(half), 0, np.cos(half)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = about_y @ about_x @ axes
    middle = np.array(AnalyticSpine().centre) + np.array([1.3, 2.1, -0.7])
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return (shape[0], shape[1], shape[2]), affine
