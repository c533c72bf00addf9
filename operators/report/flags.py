"""What of a result a reader should look at first, each with the rule that says so.

A flag is a proposal: the threshold stands beside it, and where it comes from stands in the table.
Measures without a published threshold are shown without a flag, never against one of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from operators.anatomy.labels import DISC_OFFSET, T13_INSTANCE
from operators.anatomy.levels import PROBABLE_LEVEL
from operators.spine.measurements.definitions import DEGREES, GRADE, MEASURES, RATIO
from operators.spine.measurements.grades import LEAST_SLIP_MM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from operators.anatomy.levels import LevelName

_SHOWN_DECIMALS: Final = 1
_GENANT_LEVELS: Final = frozenset((*range(11, 20), T13_INSTANCE, *range(20, 24)))
"""T4 to L4, for which Genant defined his grades."""
_LUMBAR: Final = frozenset(range(20, 26))
"""L1 to L6, and the discs below them."""


class MeasuredValue(Protocol):
    """One measure of one structure: `operators.spine.measurements.measure.Measurement`."""

    @property
    def instance(self) -> int:
        """Vertebra X, disc 100 + X, or 0."""

    @property
    def measure(self) -> str:
        """Key in `operators.spine.measurements.definitions.MEASURES`."""

    @property
    def value(self) -> float | None:
        """In the unit of the measure."""

    @property
    def reason(self) -> str | None:
        """Why there is no value."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where on a measure is flagged.

    Attributes
    ----------
    measure : str
        Key in `operators.spine.measurements.definitions.MEASURES`.
    below, from_on : float or None
        Values smaller than the one, or as large as the other and larger, are flagged.
    words : str
        What it is called, with the threshold.
    source : str
        Whose threshold it is.
    levels : frozenset of int or None
        Levels (ids of `operators.anatomy.vertebrae.LEVEL_NAMES`) that it holds for, a disc by the
        vertebra above it; None: all. A vertebra whose level is not named is flagged, too.
    is_magnitude : bool
        Whether the sign of a value does not matter.
    """

    measure: str
    below: float | None
    from_on: float | None
    words: str
    source: str
    levels: frozenset[int] | None = None
    is_magnitude: bool = False

    def is_crossed(self, value: float) -> bool:
        """Whether a value is flagged: as it is shown, so that none is boxed that looks right."""
        value = round(abs(value) if self.is_magnitude else value, _SHOWN_DECIMALS)
        if self.below is not None and value < self.below:
            return True
        return self.from_on is not None and value >= self.from_on

    def holds_for(self, name: LevelName | None) -> bool:
        """Whether it says something about this level; of an uncertain one it does."""
        if self.levels is None or name is None or name.confidence < PROBABLE_LEVEL:
            return True
        return name.level in self.levels


THRESHOLDS: Final = (
    Threshold(
        "genant_grade_proposed",
        None,
        1.0,
        "height reduced by 20 % or more",
        "Genant et al. 1993, JBMR 8:1137",
        _GENANT_LEVELS,
    ),
    Threshold(
        "slip",
        None,
        LEAST_SLIP_MM,
        "slip of 3 mm or more",
        "smallest slip that is graded here",
        is_magnitude=True,
    ),
    Threshold(
        "canal_ap_diameter",
        10.0,
        None,
        "canal narrower than 10 mm from front to back",
        "Verbiest 1975, Orthop Clin North Am 6:177 (absolute stenosis, lumbar)",
        _LUMBAR,
    ),
    Threshold(
        "coronal_cobb",
        None,
        10.0,
        "curve to the side of 10 degrees or more",
        "definition of scoliosis (Scoliosis Research Society), standing",
    ),
)


@dataclass(frozen=True, slots=True)
class Flag:
    """One value beyond a threshold.

    Attributes
    ----------
    instance : int
        Vertebra, disc or 0, as in `operators.spine.measurements.measure.Measurement`.
    measure : str
        Which measure.
    value : float
        In its unit.
    words : str
        What is flagged.
    source : str
        Whose threshold it is.
    """

    instance: int
    measure: str
    value: float
    words: str
    source: str

    @property
    def value_text(self) -> str:
        """Value with its unit, grades by their name.

        Examples
        --------
        >>> Flag(23, "slip", -3.42, "", "").value_text
        '3.4 mm backward'
        >>> Flag(20, "genant_grade_proposed", 2.0, "", "").value_text
        '(proposed grade 2)'
        """
        about = MEASURES[self.measure]
        if about.unit == GRADE:
            return f"(proposed grade {self.value:.0f})"
        unit = {DEGREES: "degrees", RATIO: ""}.get(about.unit, about.unit)
        if self.measure != "slip":
            return f"{self.value:.1f} {unit}".strip()
        return f"{abs(self.value):.1f} {unit} {'forward' if self.value > 0 else 'backward'}"


def flags_of(
    measurements: Iterable[MeasuredValue], levels: Mapping[int, LevelName]
) -> tuple[Flag, ...]:
    """Find the values beyond a threshold.

    Parameters
    ----------
    measurements : iterable of MeasuredValue
        Of one series.
    levels : mapping of int to LevelName
        By vertebra id; may be empty.

    Returns
    -------
    tuple of Flag
        In the order of the measurements: from head to foot, then the spine as a whole.
    """
    by_measure = {threshold.measure: threshold for threshold in THRESHOLDS}
    return tuple(
        Flag(row.instance, row.measure, row.value, threshold.words, threshold.source)
        for row in measurements
        if row.value is not None
        and (threshold := by_measure.get(row.measure)) is not None
        and threshold.is_crossed(row.value)
        and threshold.holds_for(levels.get(row.instance % DISC_OFFSET))
    )
