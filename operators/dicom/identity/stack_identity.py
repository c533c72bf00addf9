"""Which stack of its series a result belongs to, told by place and never by order.

Late slices, another number of stacks or renamed files must not exchange two stations: a stack is
known again by where it lies. No patient data: directions and millimetres. Loads no numeric library.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

STATION_SHIFT_MM: Final = 10.0
"""Planes that lie further apart in-plane are other stations. A gantry tilted by 30 degrees shifts
neighbouring slices by 3 mm, planes set by hand by a few; stations lie hundreds of mm apart."""

_SAME_ORIENTATION = 0.05
"""Cosines of the same stack in two revisions; blocks that are told apart differ by more in
orientation or by `STATION_SHIFT_MM` in place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackIdentity:
    """One stack of a series.

    Attributes
    ----------
    number, of : int
        Rank from head to foot, from 1, and number of stacks of the series.
    declared : str
        Stack ID and frame of reference where these tell the stacks apart.
    axes : tuple of 6 float
        Direction cosines of row and column, two decimals; empty where unknown.
    centre_mm : tuple of 3 float
        Part of the planes' centre that lies in-plane, LPS.
    """

    number: int = 1
    of: int = 1
    declared: str = ""
    axes: tuple[float, ...] = ()
    centre_mm: tuple[float, ...] = ()

    @property
    def is_only(self) -> bool:
        """Whether the series has no other stack."""
        return self.of == 1

    @property
    def suffix(self) -> str:
        """What file names add to the name of the series; empty for an only stack.

        Examples
        --------
        >>> StackIdentity(number=2, of=3).suffix
        '_stack2'
        """
        return "" if self.is_only else f"_stack{self.number}"

    @property
    def label(self) -> str:
        """What descriptions add; empty for an only stack.

        Examples
        --------
        >>> StackIdentity(number=2, of=3).label
        'stack 2 of 3'
        """
        return "" if self.is_only else f"stack {self.number} of {self.of}"

    def is_same_place(self, other: StackIdentity) -> bool:
        """Whether both describe the stack at one place, whatever their ranks."""
        if not (self.axes and other.axes) or len({self.declared, other.declared} - {""}) > 1:
            return False
        turned = max(abs(a - b) for a, b in zip(self.axes, other.axes, strict=True))
        shift = math.dist(self.centre_mm, other.centre_mm)
        return turned <= _SAME_ORIENTATION and shift <= STATION_SHIFT_MM

    def as_json(self) -> dict[str, Any]:
        """Plain dict for the record."""
        return asdict(self)


ONLY_STACK: Final = StackIdentity()
"""The only stack of its series, at an unknown place."""


def from_json(values: Mapping[str, Any]) -> StackIdentity:
    """Read the plain dict of a record; of one without a stack: an only stack, place unknown."""
    return StackIdentity(
        number=int(values.get("number", 1)),
        of=int(values.get("of", 1)),
        declared=str(values.get("declared", "")),
        axes=tuple(float(value) for value in values.get("axes", ())),
        centre_mm=tuple(float(value) for value in values.get("centre_mm", ())),
    )
