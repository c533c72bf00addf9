"""Hold a result against all rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.spine.quality.findings import Finding, Quality
from operators.spine.quality.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operators.spine.quality.evidence import Evidence
    from operators.spine.quality.mask_measures import Values
    from operators.spine.quality.rules import Rule

_DECIMALS: Final = 3


def assess(evidence: Evidence) -> Quality:
    """Judge a result.

    Parameters
    ----------
    evidence : Evidence
        Masks, and as far as they are known image and doubt. A rule that needs what is not there
        finds nothing.

    Returns
    -------
    Quality
        Outcome and findings, at most one per rule.
    """
    return Quality.of(found for rule in RULES for found in _broken(rule, rule.measure(evidence)))


def _broken(rule: Rule, values: Values) -> Iterator[Finding]:
    low = {place: value for place, value in values.items() if value < rule.least}
    high = {place: value for place, value in values.items() if value > rule.most}
    beyond = [(rule.least - value, place) for place, value in low.items()]
    beyond += [(value - rule.most, place) for place, value in high.items()]
    if not beyond:
        return
    places = [place for _, place in sorted(beyond, key=lambda one: -one[0])]
    worst = places[0]
    yield Finding(
        rule=rule.name,
        outcome=rule.outcome,
        text=rule.text,
        places=tuple(places),
        value=round(values[worst], _DECIMALS),
        limit=rule.least if worst in low else rule.most,
        unit=rule.unit,
    )
