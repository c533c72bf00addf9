"""What the headers of a series say about how many objects it has; time plays no part here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.node.intake.coverage import Coverage, cover

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.node.journal.facts import ArrivalFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A number somebody announced.

    Attributes
    ----------
    source : str
        ``images_in_acquisition``, ``number_of_slices``, ``series_instances``, ``enhanced``.
    expected, present : int
        Announced, and here, in the same unit (objects or places).
    """

    source: str
    expected: int
    present: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the headers of a series say, whatever the time.

    Attributes
    ----------
    objects : int
        Different objects that are here.
    coverage : Coverage
        Their places.
    counts : tuple of Count
        Numbers announced in the headers; a number below what is here announces something else
        and is left out.
    """

    objects: int
    coverage: Coverage
    counts: tuple[Count, ...] = ()


def survey(facts: Sequence[ArrivalFacts]) -> Survey:
    """Collect what the headers say.

    Parameters
    ----------
    facts : sequence of ArrivalFacts
        One per SOP Instance UID.

    Returns
    -------
    Survey
        To be judged again and again while time passes.
    """
    coverage = cover(facts)
    counts = (
        _enhanced(facts),
        _images_in_acquisition(facts),
        _number_of_slices(facts, coverage),
        _series_instances(facts),
    )
    told = tuple(c for c in counts if c is not None and c.expected >= c.present)
    return Survey(objects=len(facts), coverage=coverage, counts=told)


def _enhanced(facts: Sequence[ArrivalFacts]) -> Count | None:
    """Multi-frame objects hold their whole stack each."""
    whole = all(
        fact.is_enhanced and not fact.is_concatenated and (fact.number_of_frames or 0) > 1
        for fact in facts
    )
    number = len(facts)
    return Count(source="enhanced", expected=number, present=number) if facts and whole else None


def _images_in_acquisition(facts: Sequence[ArrivalFacts]) -> Count | None:
    """(0020,1002), summed over the acquisitions seen."""
    announced: dict[object, set[int | None]] = {}
    for fact in facts:
        announced.setdefault(fact.acquisition_number, set()).add(fact.images_in_acquisition)
    numbers = [_only(values) for values in announced.values()]
    known = [number for number in numbers if number]
    if not known or len(known) < len(numbers):
        return None
    return Count(source="images_in_acquisition", expected=sum(known), present=len(facts))


def _number_of_slices(facts: Sequence[ArrivalFacts], coverage: Coverage) -> Count | None:
    """Philips (2001,1018): places, not objects."""
    number = _only({fact.number_of_slices for fact in facts})
    if not number or not coverage.places:
        return None
    return Count(source="number_of_slices", expected=number, present=coverage.places)


def _series_instances(facts: Sequence[ArrivalFacts]) -> Count | None:
    """(0020,1209), where an archive wrote it into the objects."""
    number = _only({fact.series_instances for fact in facts})
    return Count(source="series_instances", expected=number, present=len(facts)) if number else None


def _only(values: set[int | None]) -> int | None:
    """Give the one value that all agree on."""
    return next(iter(values)) if len(values) == 1 else None
