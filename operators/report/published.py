"""Published values of healthy adults, to read measured ones beside: no limits, never a diagnosis.

They are said only where the measure is given, with population, position and source, because none
fits every patient. Taken from the abstracts of the papers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from operators.anatomy.levels import PROBABLE_LEVEL
from operators.anatomy.vertebrae import LEVEL_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from operators.anatomy.levels import LevelName
    from operators.report.flags import MeasuredValue

_LUMBAR: Final = frozenset(n for n, name in LEVEL_NAMES.items() if name.startswith("L"))


@dataclass(frozen=True, slots=True)
class Published:
    """What a paper reports.

    Attributes
    ----------
    measures : tuple of str
        Keys in `operators.spine.measurements.definitions.MEASURES` that it is read beside.
    values : str
        Values with unit, definition and position.
    population : str
        Who was measured.
    source : str
        The paper.
    levels : frozenset of int or None
        Levels that have to be named for it to be said; None: none.
    """

    measures: tuple[str, ...]
    values: str
    population: str
    source: str
    levels: frozenset[int] | None = None

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.values}; {self.population} [{self.source}]"


PUBLISHED: Final = (
    Published(
        ("disc_anterior_height", "disc_middle_height", "disc_posterior_height"),
        "Disc height, mid-sagittal MRI, lying: L1/2 6.3 to 11.0, L2/3 7.0 to 12.1, L3/4 7.4 to "
        "13.3, L4/5 7.8 to 14.6, L5/S1 7.1 to 13.1 mm (where along the depth is not said)",
        "169 young Asian adults without symptoms",
        "J Orthop Surg Res 2018, 13:34",
        _LUMBAR,
    ),
    Published(
        ("lumbar_lordosis",),
        "Lumbar lordosis, T12 to S1, radiographs: lying 36.8° (SD 13.2°), standing 49.8° (11.2°)",
        "627 healthy Japanese adults of 20 to 79 years",
        "Yukawa et al. 2019, Asian Spine J 13:663",
    ),
    Published(
        ("thoracic_kyphosis",),
        "Thoracic kyphosis rises with age, and is above 40° in most groups of healthy adults",
        "34 studies, 7,633 adults",
        "Zappalá et al. 2021, J Orthop Surg Res 16:447",
    ),
    Published(
        ("cervical_lordosis",),
        "Cervical lordosis, C2 to C7: 12.7° in the mean; one in three has none",
        "21 studies, 15,364 people without symptoms",
        "Guo et al. 2018, J Orthop Surg Res 13:147",
    ),
)


def published_for(
    measurements: Iterable[MeasuredValue], levels: Mapping[int, LevelName]
) -> tuple[str, ...]:
    """Say what is published beside the measures that are given.

    Parameters
    ----------
    measurements : iterable of MeasuredValue
        Of one series.
    levels : mapping of int to LevelName
        By vertebra id; may be empty.

    Returns
    -------
    tuple of str
        One text per paper, in the order of the table.
    """
    given = {row.measure for row in measurements if row.value is not None}
    named = {name.level for name in levels.values() if name.confidence >= PROBABLE_LEVEL}
    return tuple(
        row.text
        for row in PUBLISHED
        if not given.isdisjoint(row.measures)
        and (row.levels is None or not named.isdisjoint(row.levels))
    )
