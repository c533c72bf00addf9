"""Reasons of the journal's JSON columns in words, whatever shape their writer gave them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.node.web.wording import reason_words
from operators.spine.quality.findings import Finding


@dataclass(frozen=True, slots=True)
class ShownReason:
    """One reason as the page shows it.

    Attributes
    ----------
    text : str
        A sentence.
    detail : str
        The figures behind it.
    speaks_for : bool
        Whether it speaks for segmenting.
    decides : bool
        False for a hint.
    """

    text: str
    detail: str
    speaks_for: bool
    decides: bool


def shown_reasons(decision: dict[str, Any]) -> list[ShownReason]:
    """Reasons of a decision.

    Parameters
    ----------
    decision : dict
        Of the selection (`selection.series_selection.as_json`), or with bare names of reasons.

    Returns
    -------
    list of ShownReason
        In the order given; a bare name decides, in the sense of the decision.
    """
    accepted = bool(decision.get("accepted"))
    return [
        _shown(reason, accepted=accepted)
        for reason in decision.get("reasons") or ()
        if isinstance(reason, (dict, str))
    ]


def deciding_words(decision: dict[str, Any]) -> str:
    """Name what made the decision, in sentences."""
    accepted = bool(decision.get("accepted"))
    told = [
        reason.text
        for reason in shown_reasons(decision)
        if reason.decides and reason.speaks_for == accepted
    ]
    return ". ".join(dict.fromkeys(told))


def decision_words(decision: dict[str, Any]) -> str:
    """Say in a few words what was decided, by the selection and by what the headers tell."""
    if decision.get("accepted"):
        return "Selected for segmentation"
    # A series that was selected has a job, which is refused for the reasons listed.
    return "Selected, but no volume" if decision.get("selected") else "Not selected"


def problem_words(problem: str) -> str:
    """Sentence for a problem of the files (`operators.dicom.reading.series.SeriesRecord`)."""
    name, _, detail = problem.partition(": ")
    return f"{reason_words(name)}: {detail}" if detail else reason_words(name)


def finding_words(finding: dict[str, Any]) -> str:
    """Sentence for a finding of the quality gate, as a record holds it."""
    return Finding(**finding).sentence


def doubts(completeness: dict[str, Any]) -> list[str]:
    """Sentences for the reasons of a verdict on completeness."""
    return [reason_words(str(name)) for name in completeness.get("reasons") or ()]


def _shown(reason: dict[str, Any] | str, *, accepted: bool) -> ShownReason:
    if isinstance(reason, str):
        return ShownReason(reason_words(reason), "", accepted, decides=True)
    return ShownReason(
        text=reason_words(str(reason.get("name", ""))),
        detail=str(reason.get("detail", "")),
        speaks_for=bool(reason.get("speaks_for")),
        decides=bool(reason.get("decides", True)),
    )
