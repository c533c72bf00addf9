"""Where the slices of a series lie and where some must be missing, as coordinates of a drawing.

The template draws them as SVG; texts stand beside the drawing, so that it is never the only way to
learn of a gap. Whether a place is missing is decided by `app.node.intake.coverage`, not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 960.0
"""Of the drawing's inner part, in its own units; the page scales it."""

_FILL: Final = 0.62
"""Part of the distance between two slices that a bar takes."""

_WIDEST_BAR: Final = 40.0
_NARROWEST_BAR: Final = 1.0
_MOST: Final = 2000
"""A journal row with more places is no spine series; the rest is not drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One place.

    Attributes
    ----------
    x, width : float
        Left edge and width, in units of the drawing.
    position_mm : float
        Along the normal of the slices, the lowest slice at 0.
    number : int
        Counted from the lowest place, missing ones included.
    is_missing : bool
        Nothing arrived for this place.
    """

    x: float
    width: float
    position_mm: float
    number: int
    is_missing: bool

    @property
    def middle(self) -> float:
        """Centre of the bar."""
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceMap:
    """The drawing and its description.

    Attributes
    ----------
    bars : tuple of Bar
        In order of position.
    spacing_mm : float or None
        Smallest distance of two places.
    gaps : tuple of str
        Every gap in words.
    """

    bars: tuple[Bar, ...]
    spacing_mm: float | None
    gaps: tuple[str, ...]

    @property
    def present(self) -> int:
        """Places with a slice."""
        return sum(not bar.is_missing for bar in self.bars)

    @property
    def missing(self) -> int:
        """Places without."""
        return len(self.bars) - self.present


def slice_map(places_mm: Sequence[float], missing_mm: Sequence[float]) -> SliceMap | None:
    """Lay the places of a series out.

    Parameters
    ----------
    places_mm : sequence of float
        Where slices are, mm along their normal.
    missing_mm : sequence of float
        Where slices must be missing, on the same axis.

    Returns
    -------
    SliceMap or None
        None where nothing has a place (a multi-frame object, for example).

    Examples
    --------
    >>> slice_map([0.0, 4.0, 12.0], [8.0]).gaps
    ('1 slice missing at 8.0 mm, between slices 2 and 4',)
    """
    known = [(float(place), False) for place in places_mm[:_MOST]]
    places = sorted([*known, *((float(place), True) for place in missing_mm[:_MOST])])
    if not known:
        return None
    distances = [after - before for (before, _), (after, _) in pairwise(places) if after > before]
    spacing = min(distances, default=None)
    lowest, span = places[0][0], places[-1][0] - places[0][0]
    step = WIDTH / (span / spacing + 1) if spacing else WIDTH
    width = max(_NARROWEST_BAR, min(_WIDEST_BAR, step * _FILL))
    scale = (WIDTH - step) / span if span else 0.0
    bars = tuple(
        Bar(
            x=round(step / 2 + (place - lowest) * scale - width / 2, 2),
            width=round(width, 2),
            position_mm=place,
            number=number,
            is_missing=is_missing,
        )
        for number, (place, is_missing) in enumerate(places, 1)
    )
    return SliceMap(bars=bars, spacing_mm=spacing, gaps=tuple(_gaps(bars)))


def slice_map_of(completeness: dict[str, Any]) -> SliceMap | None:
    """Slice map of a series by its `Readiness` as written in the journal."""
    return slice_map(
        _numbers(completeness.get("places_mm")), _numbers(completeness.get("missing_mm"))
    )


def _gaps(bars: Sequence[Bar]) -> list[str]:
    """Neighbouring missing places are one gap."""
    gaps: list[list[Bar]] = []
    for bar in bars:
        if bar.is_missing and gaps and gaps[-1][-1].number == bar.number - 1:
            gaps[-1].append(bar)
        elif bar.is_missing:
            gaps.append([bar])
    return [_in_words(gap) for gap in gaps]


def _in_words(gap: Sequence[Bar]) -> str:
    first, last = gap[0], gap[-1]
    where = f"{first.position_mm:.1f} mm"
    if len(gap) > 1:
        where += f" to {last.position_mm:.1f} mm"
    count = "1 slice" if len(gap) == 1 else f"{len(gap)} slices"
    return f"{count} missing at {where}, between slices {first.number - 1} and {last.number + 1}"


def _numbers(value: object) -> list[float]:
    if not isinstance(value, list):
        return []
    return [float(number) for number in value if isinstance(number, (int, float))]
