"""What the quality gate says of a result: one outcome, and the findings that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


class Outcome(StrEnum):
    """What becomes of a result, from the mildest to the gravest."""

    RELEASE = "release"
    """It may leave as it is."""
    FLAG = "flag"
    """It may leave, and says wherever it is shown what a reader should look at."""
    WITHHOLD = "withhold"
    """It is kept and shown, but a person decides whether it leaves."""


_GRAVITY: Final = {outcome: n for n, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that a result breaks.

    Attributes
    ----------
    rule : str
        Its name in `operators.spine.quality.rules.RULES`.
    outcome : Outcome
        What the rule asks for.
    text : str
        What it means, for people.
    places : tuple of str
        Where: ``vertebra_3``, the name of a structure, or ``spine``; the worst first.
    value : float
        Worst value that was measured.
    limit : float
        That it should have kept.
    unit : str
        Of both (UCUM).
    """

    rule: str
    outcome: Outcome
    text: str
    places: tuple[str, ...]
    value: float
    limit: float
    unit: str

    @property
    def sentence(self) -> str:
        """All of it in one sentence.

        Examples
        --------
        >>> Finding(
        ...     rule="a",
        ...     outcome=Outcome.FLAG,
        ...     text="A body is flat",
        ...     places=("vertebra_3",),
        ...     value=0.2,
        ...     limit=0.3,
        ...     unit="1",
        ... ).sentence
        'A body is flat: vertebra 3 (0.2, limit 0.3).'
        """
        unit = "" if self.unit == "1" else f" {self.unit}"
        where = ", ".join(place.replace("_", " ") for place in self.places)
        return f"{self.text}: {where} ({self.value:g}{unit}, limit {self.limit:g}{unit})."


@dataclass(frozen=True, slots=True)
class Quality:
    """What the gate says of one result.

    Attributes
    ----------
    outcome : Outcome
        The gravest that a finding asks for; `RELEASE` without findings.
    findings : tuple of Finding
        Rules that are broken, the gravest first.
    """

    outcome: Outcome
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Quality:
        """Weigh findings, given in the order of the rules."""
        graded = tuple(sorted(findings, key=lambda finding: -_GRAVITY[finding.outcome]))
        return cls(graded[0].outcome if graded else Outcome.RELEASE, graded)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One sentence per finding, the gravest first."""
        return tuple(finding.sentence for finding in self.findings)

    def rules(self, outcome: Outcome) -> tuple[str, ...]:
        """Names of the broken rules that ask for an outcome."""
        return tuple(f.rule for f in self.findings if f.outcome == outcome)
