"""What becomes of each series, as far as headers tell: selection and assembly in one list.

Selection asks what an image shows, assembly whether its slices form a volume. Whoever asks "will
this be segmented?" wants both. Nothing is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operators.dicom.reading.assembly import header_findings
from operators.dicom.selection.reasons import Reason, against, hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dicom.reading.regularity import Finding
    from operators.dicom.selection.series_selection import SeriesDecision

__all__ = ["Outlook", "as_json", "foresee"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of one series.

    Attributes
    ----------
    decision : SeriesDecision
        The selection's.
    findings : tuple of tuple of Finding
        For each chosen stack, why assembly would refuse it; empty where it would not.
    reasons : tuple of Reason
        The selection's, and the findings: they decide where no stack is left.
    """

    decision: SeriesDecision
    findings: tuple[tuple[Finding, ...], ...]
    reasons: tuple[Reason, ...]

    @property
    def is_accepted(self) -> bool:
        """Whether a run would go on to inference with at least one stack."""
        return self.decision.accepted and not all(self.findings)


def foresee(decision: SeriesDecision) -> Outlook:
    """Judge what was selected by its headers.

    Parameters
    ----------
    decision : SeriesDecision
        As `operators.dicom.selection.series_selection.decide` gives it.

    Returns
    -------
    Outlook
        Only damage inside the pixel data, and what the image shows, can still refuse a stack.
    """
    findings = tuple(header_findings(chosen.record) for chosen in decision.stacks)
    is_lost = decision.accepted and all(findings)
    told = []
    for chosen, of_stack in zip(decision.stacks, findings, strict=True):
        for finding in of_stack:
            detail = ": ".join(filter(None, (chosen.identity.label, finding.detail)))
            told.append(
                against(finding.name, detail)
                if is_lost
                else hint(finding.name, detail, speaks_for=False)
            )
    reasons = tuple(dict.fromkeys((*decision.reasons, *told)))
    return Outlook(decision, findings, reasons)


def as_json(decisions: Sequence[SeriesDecision]) -> list[dict[str, Any]]:
    """Give decisions and outlook as plain data, for ``explain --json``, record and page.

    Parameters
    ----------
    decisions : sequence of SeriesDecision
        As `operators.dicom.selection.series_selection.decide` returns them.

    Returns
    -------
    list of dict
        Keys ``series_uid, study_uid, description, accepted, selected, frames, frames_taken,
        problems, stacks, reasons``. ``selected`` is the selection's word, ``accepted`` says
        that a run would go on to inference. Each reason has ``name, detail, speaks_for,
        decides``; each stack ``label, frames, accepted, reasons``. ``description`` is what an
        operator typed: for the screen of the person who owns the files, not for logs.
    """
    return [_plain(foresee(decision)) for decision in decisions]


def _plain(outlook: Outlook) -> dict[str, Any]:
    decision = outlook.decision
    series = decision.series
    return {
        "series_uid": series.series_uid,
        "study_uid": series.study_uid,
        "description": series.description,
        "accepted": outlook.is_accepted,
        "selected": decision.accepted,
        "frames": len(series.frames),
        "frames_taken": sum(len(chosen.record.frames) for chosen in decision.stacks),
        "problems": list(series.problems),
        "stacks": [
            {
                "label": chosen.identity.label,
                "frames": len(chosen.record.frames),
                "accepted": not findings,
                "reasons": [finding.name for finding in findings],
            }
            for chosen, findings in zip(decision.stacks, outlook.findings, strict=True)
        ],
        "reasons": [
            {
                "name": reason.name,
                "detail": reason.detail,
                "speaks_for": reason.speaks_for,
                "decides": reason.decides,
            }
            for reason in outlook.reasons
        ],
    }
