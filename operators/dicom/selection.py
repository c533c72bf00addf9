"""Which series are sagittal T2-weighted spine series, with a reason for every yes and no.

Physics decides (image kind, orientation, timing, sequence); text is a hint. Geometry is judged at
assembly: a sagittal T2-weighted series with a missing slice is selected here and refused there, by
name. Why each rule is as it is: ``app/decisions/0003-series-selection-by-physics.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from operators.dicom.candidates import (
    JudgedStack,
    SelectionSettings,
    judge_stacks,
    preference,
    split_reasons,
)
from operators.dicom.image_kind import judge_kind
from operators.dicom.reasons import Reason, against, hint, is_rejected
from operators.dicom.stacks import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dicom.series import Frame, SeriesRecord

__all__ = ["Reason", "SelectionSettings", "SeriesDecision", "as_json", "decide"]


@dataclass(frozen=True, slots=True)
class SeriesDecision:
    """The decision on one series.

    Attributes
    ----------
    series : SeriesRecord
        As scanned.
    accepted : bool
        Whether it is to be segmented.
    reasons : tuple of Reason
        Everything found, for and against.
    stack : SeriesRecord or None
        The frames to segment, a part of `series` where it holds several images of each place;
        None where it was rejected.
    """

    series: SeriesRecord
    accepted: bool
    reasons: tuple[Reason, ...]
    stack: SeriesRecord | None


def decide(
    series: Sequence[SeriesRecord],
    settings: SelectionSettings | None = None,
) -> tuple[SeriesDecision, ...]:
    """Decide which series are sagittal T2-weighted spine series.

    Parameters
    ----------
    series : sequence of SeriesRecord
        Of one or several studies, images or not.
    settings : SelectionSettings, optional
        Default: the limits of clinical spine protocols.

    Returns
    -------
    tuple of SeriesDecision
        One per series, in the order given. Several may be accepted (cervical, thoracic, lumbar).

    Notes
    -----
    Of a Dixon acquisition the in-phase image is taken; its water image only where there is no
    in-phase one. Every other decision on a series depends on that series alone.
    """
    chosen = settings or SelectionSettings()
    outcomes = [_decide_one(record, chosen) for record in series]
    in_phase = {
        _acquisition(record, judged)
        for record, (_, judged) in zip(series, outcomes, strict=True)
        if judged is not None and judged.stack.dixon.is_in_phase
    }
    return tuple(
        _without_needless_water(decision, judged, in_phase) for decision, judged in outcomes
    )


def as_json(decisions: Sequence[SeriesDecision]) -> list[dict[str, Any]]:
    """Give the decisions as plain lists and dictionaries, for ``explain --json``.

    Parameters
    ----------
    decisions : sequence of SeriesDecision
        As `decide` returns them.

    Returns
    -------
    list of dict
        Keys ``series_uid, study_uid, description, accepted, frames, frames_taken, reasons``;
        each reason has ``name, detail, speaks_for, decides``. ``description`` is what an
        operator typed: for the screen of the person who owns the files, not for logs.
    """
    return [
        {
            "series_uid": decision.series.series_uid,
            "study_uid": decision.series.study_uid,
            "description": decision.series.description,
            "accepted": decision.accepted,
            "frames": len(decision.series.frames),
            "frames_taken": len(decision.stack.frames) if decision.stack else 0,
            "reasons": [
                {
                    "name": reason.name,
                    "detail": reason.detail,
                    "speaks_for": reason.speaks_for,
                    "decides": reason.decides,
                }
                for reason in decision.reasons
            ],
        }
        for decision in decisions
    ]


def _decide_one(
    record: SeriesRecord,
    settings: SelectionSettings,
) -> tuple[SeriesDecision, JudgedStack | None]:
    """Decide on one series; the judged stack only where it is accepted."""
    images, kind_reasons = _acquired_images(record.frames, settings)
    if not images:
        reasons = kind_reasons or (against("no_images", "the series has no frames"),)
        shown = judge_stacks(record.frames, settings) if record.frames else ()
        others = tuple(reason for judged in shown for reason in judged.reasons)
        return _rejection(record, (*reasons, *others)), None
    candidates = judge_stacks(images, settings)
    accepted = [judged for judged in candidates if judged.is_accepted]
    if not accepted:
        reasons = tuple(reason for judged in candidates for reason in judged.reasons)
        return _rejection(record, (*kind_reasons, *reasons)), None
    best = min(accepted, key=preference)
    reasons = (*best.reasons, *kind_reasons, *split_reasons(best.stack, images, candidates))
    stack = (
        record if best.stack.frames == record.frames else replace(record, frames=best.stack.frames)
    )
    return SeriesDecision(record, accepted=True, reasons=_unique(reasons), stack=stack), best


def _acquired_images(
    frames: Sequence[Frame],
    settings: SelectionSettings,
) -> tuple[tuple[Frame, ...], tuple[Reason, ...]]:
    """Leave out frames that are no acquired image (a report, a phase map, a fat image).

    Returns
    -------
    tuple of Frame
        What is left; empty where nothing is.
    tuple of Reason
        Why frames were left out: as hints where others are left, else as reasons that decide.
    """
    judged = [
        (frame, judge_kind(frame.header, accept_composed=settings.accept_composed))
        for frame in frames
    ]
    images = tuple(frame for frame, reasons in judged if not is_rejected(reasons))
    told = tuple(dict.fromkeys(reason for _, reasons in judged for reason in reasons))
    if not images:
        return (), told
    left_out = len(frames) - len(images)
    hints = tuple(replace(reason, decides=False) for reason in told)
    if left_out:
        detail = f"{left_out} of {len(frames)}"
        hints = (*hints, hint("frames_left_out", detail, speaks_for=False))
    return images, hints


def _acquisition(record: SeriesRecord, judged: JudgedStack) -> tuple[object, ...]:
    """Tell one Dixon acquisition from another: same study, same times, same places."""
    places = frozenset(place_of(frame.header) for frame in judged.stack.frames)
    return record.study_uid, judged.physics.repetition_time_ms, places


def _without_needless_water(
    decision: SeriesDecision,
    judged: JudgedStack | None,
    in_phase: set[tuple[object, ...]],
) -> SeriesDecision:
    """Reject a water image where the in-phase image of the same acquisition is taken."""
    if judged is None or not judged.stack.dixon.is_water:
        return decision
    if _acquisition(decision.series, judged) not in in_phase:
        return decision
    reason = against("in_phase_image_preferred", "Dixon water image of the same acquisition")
    return _rejection(decision.series, (*decision.reasons, reason))


def _rejection(record: SeriesRecord, reasons: tuple[Reason, ...]) -> SeriesDecision:
    return SeriesDecision(record, accepted=False, reasons=_unique(reasons), stack=None)


def _unique(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))
