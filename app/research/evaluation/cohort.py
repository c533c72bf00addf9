"""Score every case of a folder, and put cases together: summaries and paired comparisons.

A case without a prediction counts as a case in which nothing was found. A case whose files cannot
be compared is left out and named with its reason; it never stops the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.research.evaluation.metrics import BY_NAME
from app.research.evaluation.pairing import pair_folders
from app.research.evaluation.reading import read_prediction, read_reference
from app.research.evaluation.regions import Region
from app.research.evaluation.scoring import score_case
from app.research.evaluation.statistics import compare, holm, summarise
from operators.errors import SpineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from app.research.evaluation.label_schemes import LabelScheme
    from app.research.evaluation.measures import CaseScore, Item
    from app.research.evaluation.pairing import CasePairs
    from app.research.evaluation.statistics import Comparison, Summary

COUNTS = ("tp", "fp", "fn")
"""Metrics that are summed over cases."""

_NAME_LEVELS = frozenset({"level", "naming"})
"""Scopes that mean nothing where the reference's labels are running numbers."""


@dataclass(frozen=True, slots=True)
class Schemes:
    """Whose numbers the masks have; None = SPINEPS's.

    Attributes
    ----------
    reference, prediction : LabelScheme or None
        Of either side.
    """

    reference: LabelScheme | None = None
    prediction: LabelScheme | None = None

    @property
    def levels_can_be_known(self) -> bool:
        """False where the reference's scheme has running numbers."""
        return self.reference is None or self.reference.numbers == "levels"

    def as_json(self) -> dict[str, str]:
        """Name of both, for the report."""
        sides = {"reference": self.reference, "prediction": self.prediction}
        return {side: "SPINEPS" if s is None else s.name for side, s in sides.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodScores:
    """What one method reached on one reference.

    Attributes
    ----------
    name : str
        For tables and plots.
    cases : dict of str to CaseScore
        By case name.
    missing : tuple of str
        Cases without a prediction, scored as empty.
    without_reference : tuple of str
        Predictions that no reference exists for; not scored.
    refused : dict of str to str
        Case to the reason why its files cannot be compared.
    levels_known : bool
        False = the reference's labels are running numbers: no levels, no regions.
    series : dict of str to str
        Series Instance UID of cases, where it is known.
    schemes : Schemes
        Whose numbers the masks of either side had.
    """

    name: str
    cases: dict[str, CaseScore]
    missing: tuple[str, ...] = ()
    without_reference: tuple[str, ...] = ()
    refused: dict[str, str]
    levels_known: bool = True
    series: dict[str, str] = field(default_factory=dict)
    schemes: Schemes = field(default_factory=Schemes)

    @property
    def values(self) -> dict[tuple[Item, str], dict[str, float]]:
        """Case to value for every item and metric that any reference contains."""
        annotated = frozenset[str]().union(*(case.annotated for case in self.cases.values()))
        values: dict[tuple[Item, str], dict[str, float]] = {}
        for name, case in self.cases.items():
            for measure in case.measures:
                if self._names_a_level(measure.item) and not self.levels_known:
                    continue
                if _is_annotated(measure.item, annotated):
                    key = measure.item, measure.metric
                    values.setdefault(key, {})[name] = measure.value
        return values

    @staticmethod
    def _names_a_level(item: Item) -> bool:
        return item.scope in _NAME_LEVELS or item.region is not Region.WHOLE


@dataclass(frozen=True, slots=True)
class PairedTest:
    """One comparison of the family.

    Attributes
    ----------
    item : Item
        What was measured.
    metric : str
        How.
    result : Comparison
        First against second method.
    adjusted_p : float
        After Holm, over the tests of one metric in one table: all structures, all substructures
        inside vertebrae, or all kinds of instances, the whole spine and its regions apart.
    """

    item: Item
    metric: str
    result: Comparison
    adjusted_p: float


def score_folders(
    reference: Path,
    prediction: Path,
    name: str,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    levels_known: bool = True,
) -> MethodScores:
    """Score all predictions of a folder.

    Parameters
    ----------
    reference, prediction : Path
        Folders of masks; cases are paired by file name.
    name : str
        What the method is called in tables.
    progress : callable
        Told (cases done, all cases).
    levels_known : bool
        False where the reference's labels are running numbers and no levels.

    Returns
    -------
    MethodScores
        Of every case of the reference.

    Raises
    ------
    UnreadableInputError
        If a folder holds no masks or no name occurs in both (``no_pairs``).
    """
    pairs = pair_folders(reference, prediction, name)
    return score_pairs(pairs, progress, levels_known=levels_known)


def score_pairs(
    pairs: CasePairs,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    levels_known: bool = True,
    schemes: Schemes | None = None,
) -> MethodScores:
    """Score what `pair_folders` has paired.

    Parameters
    ----------
    pairs : CasePairs
        Files of both sides.
    progress : callable
        Told (cases done, all cases).
    levels_known : bool
        False where the reference's labels are running numbers; those of a SEG always are.
    schemes : Schemes, optional
        Whose numbers the masks of either side have; default: SPINEPS's.

    Returns
    -------
    MethodScores
        Of every case of the reference.
    """
    cases: dict[str, CaseScore] = {}
    refused: dict[str, str] = {}
    told = schemes or Schemes()
    for done, (case, files) in enumerate(pairs.references.items(), 1):
        try:
            truth = read_reference(files, told.reference)
            guess = read_prediction(pairs.predictions.get(case), truth, told.prediction)
            cases[case] = score_case(truth, guess)
        except SpineError as error:
            refused[case] = f"{', '.join(error.reasons)}: {error}"
        progress(done, len(pairs.references))
    return MethodScores(
        name=pairs.name,
        cases=cases,
        missing=tuple(case for case in pairs.references if case not in pairs.predictions),
        without_reference=pairs.without_reference,
        refused=refused,
        levels_known=levels_known and pairs.levels_can_be_known and told.levels_can_be_known,
        series=pairs.series,
        schemes=told,
    )


def summaries(scores: MethodScores) -> dict[tuple[Item, str], Summary]:
    """Mean, spread and confidence interval over cases of every metric."""
    return {key: summarise(list(of_cases.values())) for key, of_cases in scores.values.items()}


def comparisons(first: MethodScores, second: MethodScores) -> tuple[PairedTest, ...]:
    """Test every structure and every kind of instance between two methods.

    Parameters
    ----------
    first, second : MethodScores
        On the same reference.

    Returns
    -------
    tuple of PairedTest
        Sorted by item; single levels are not tested.
    """
    ours, theirs = first.values, second.values
    keys = sorted(
        (item, metric)
        for item, metric in ours.keys() & theirs.keys()
        if item.scope != "level" and BY_NAME[metric].is_tested
    )
    results = [compare(ours[key], theirs[key]) for key in keys]
    families: dict[tuple[str, bool, str], list[int]] = {}
    for n, (item, metric) in enumerate(keys):
        families.setdefault((item.scope, item.region is Region.WHOLE, metric), []).append(n)
    adjusted: dict[int, float] = {}
    for family in families.values():
        adjusted.update(zip(family, holm([results[n].p for n in family]), strict=True))
    return tuple(
        PairedTest(item, metric, results[n], adjusted[n]) for n, (item, metric) in enumerate(keys)
    )


def totals(scores: MethodScores) -> Mapping[tuple[Item, str], int]:
    """Add up matched, extra and missed instances over all cases."""
    return {
        key: int(sum(of_cases.values()))
        for key, of_cases in scores.values.items()
        if key[1] in COUNTS
    }


def _is_annotated(item: Item, annotated: frozenset[str]) -> bool:
    """Tell what some reference contains: what nobody drew cannot be predicted wrongly."""
    if item.scope in _NAME_LEVELS:
        return True
    scope = "structure" if item.scope == "part" else item.scope
    return f"{scope}:{item.name}" in annotated
