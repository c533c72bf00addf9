"""Which series are sagittal T2-weighted spine series, with a reason for every yes and no.

Physics decides (image kind, orientation, timing, sequence); text is a hint. Geometry is judged at
assembly: a sagittal T2-weighted series with a missing slice is selected here and refused there, by
name; `operators.dicom.selection.outlook` says both at once. Why each rule is as it is:
``app/decisions/0003-series-selection-by-physics.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from operators.dicom.selection.acquisition_plane import is_of_several_planes
from operators.dicom.selection.candidates import (
    JudgedStack,
    SelectionSettings,
    choose_stack,
    judge_stacks,
    split_reasons,
)
from operators.dicom.selection.image_kind import judge_kind
from operators.dicom.selection.reasons import Reason, against, hint, is_rejected
from operators.dicom.selection.spatial_stacks import (
    Arrangement,
    arrange,
    continues,
    identify,
)
from operators.dicom.selection.split_acquisition import (
    SPLIT_ACQUISITION,
    find_split_acquisitions,
)
from operators.dicom.selection.stacks import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dicom.identity.stack_identity import StackIdentity
    from operators.dicom.reading.series import Frame, SeriesRecord

__all__ = ["ChosenStack", "Reason", "SelectionSettings", "SeriesDecision", "decide"]


@dataclass(frozen=True, slots=True)
class ChosenStack:
    """One stack that is to be segmented.

    Attributes
    ----------
    record : SeriesRecord
        Its frames, a part of the series or all of it.
    identity : StackIdentity
        Which stack of the series it is.
    """

    record: SeriesRecord
    identity: StackIdentity


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
    stacks : tuple of ChosenStack
        What to segment, from head to foot: the whole series, the one image of each place where
        it holds several, or several stations; empty where it was rejected.
    parts : tuple of str
        Series UIDs of the acquisition that this series is only a part of; else empty.
    """

    series: SeriesRecord
    accepted: bool
    reasons: tuple[Reason, ...]
    stacks: tuple[ChosenStack, ...] = ()
    parts: tuple[str, ...] = ()


class _Outcome(NamedTuple):
    decision: SeriesDecision
    judged: tuple[JudgedStack, ...]


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
    in-phase one. Series that are parts of one acquisition are rejected together. Every other
    decision on a series depends on that series alone.
    """
    chosen = settings or SelectionSettings()
    outcomes = [_decide_one(record, chosen) for record in series]
    in_phase = {
        _acquisition(outcome.decision.series, judged)
        for outcome in outcomes
        for judged in outcome.judged
        if judged.stack.dixon.is_in_phase
    }
    decisions = [_without_needless_water(outcome, in_phase) for outcome in outcomes]
    return _without_parts(decisions)


def _decide_one(record: SeriesRecord, settings: SelectionSettings) -> _Outcome:
    """Decide on one series; judged stacks only where it is accepted."""
    images, kind_reasons = _acquired_images(record.frames, settings)
    if not images:
        reasons = kind_reasons or (against("no_images", "the series has no frames"),)
        shown = judge_stacks(record.frames, settings) if record.frames else ()
        others = tuple(reason for judged in shown for reason in judged.reasons)
        return _Outcome(_rejection(record, (*reasons, *others)), ())
    arranged = arrange(images)
    is_mixed = is_of_several_planes([frame.header for frame in images])
    candidates = [
        judge_stacks(stack.frames, settings, is_mixed=is_mixed) for stack in arranged.stacks
    ]
    best = [choose_stack(of_place) for of_place in candidates]
    taken = [judged for judged in best if judged is not None and judged.is_accepted]
    torn = _torn(taken, record.frames)
    if not taken or torn:
        every = [*(reason for judged in best if judged for reason in judged.reasons)]
        every += [reason for of_place in candidates for one in of_place for reason in one.reasons]
        return _Outcome(_rejection(record, (*kind_reasons, *torn, *every)), ())
    reasons = (
        *(reason for judged in taken for reason in judged.reasons),
        *kind_reasons,
        *_told(arranged, candidates, best),
    )
    stacks = _chosen(record, arranged, best)
    decision = SeriesDecision(record, accepted=True, reasons=_unique(reasons), stacks=stacks)
    return _Outcome(decision, tuple(taken))


def _told(
    arranged: Arrangement,
    candidates: Sequence[Sequence[JudgedStack]],
    best: Sequence[JudgedStack | None],
) -> tuple[Reason, ...]:
    """Say what was taken of each place and what was not."""
    total = sum(len(stack.frames) for stack in arranged.stacks) + len(arranged.left_out)
    reasons: list[Reason] = []
    if len(best) > 1:
        accepted = sum(judged is not None and judged.is_accepted for judged in best)
        detail = f"{accepted} of {len(best)} stacks taken"
        reasons.append(hint("several_stacks", detail, speaks_for=True))
    for stack, of_place, judged in zip(arranged.stacks, candidates, best, strict=True):
        if judged is not None and judged.is_accepted:
            reasons += split_reasons(judged.stack, stack.frames, of_place)
            continue
        shown = of_place if judged is None else (judged,)
        why = dict.fromkeys(
            r.name for one in shown for r in one.reasons if r.decides and not r.speaks_for
        )
        detail = f"{len(stack.frames)} of {total}: {', '.join(why)}"
        reasons.append(hint("frames_left_out", detail, speaks_for=False))
    if arranged.left_out:
        detail = f"{len(arranged.left_out)} of {total}: another orientation"
        reasons.append(hint("frames_left_out", detail, speaks_for=False))
    return tuple(reasons)


def _torn(taken: Sequence[JudgedStack], frames: Sequence[Frame]) -> tuple[Reason, ...]:
    """Reject where a slice of a stack is left out: it has an image of another kind or echo only.

    Inside the stack that is a missing slice, for assembly to refuse; at its ends nothing else
    would tell. Locators are left out before and lie elsewhere.
    """
    kept = {id(frame) for judged in taken for frame in judged.stack.frames}
    others = [frame for frame in frames if id(frame) not in kept]
    torn = sum(bool(others) and continues(judged.stack.frames, others) for judged in taken)
    if not torn:
        return ()
    detail = "the next slice of a stack has only an image that is left out"
    return (against("missing_images", detail),)


def _chosen(
    record: SeriesRecord, arranged: Arrangement, best: Sequence[JudgedStack | None]
) -> tuple[ChosenStack, ...]:
    accepted = [
        (stack.declared, judged.stack.frames)
        for stack, judged in zip(arranged.stacks, best, strict=True)
        if judged is not None and judged.is_accepted
    ]
    return tuple(
        ChosenStack(
            record if frames == record.frames else replace(record, frames=frames),
            identify(frames, number=number, of=len(accepted), declared=declared),
        )
        for number, (declared, frames) in enumerate(accepted, start=1)
    )


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


def _without_needless_water(outcome: _Outcome, in_phase: set[tuple[object, ...]]) -> SeriesDecision:
    """Reject a water image where the in-phase image of the same acquisition is taken."""
    decision, judged = outcome
    needless = [
        one
        for one in judged
        if one.stack.dixon.is_water and _acquisition(decision.series, one) in in_phase
    ]
    if not needless or len(needless) < len(judged):
        return decision
    reason = against("in_phase_image_preferred", "Dixon water image of the same acquisition")
    return _rejection(decision.series, (*decision.reasons, reason))


def _without_parts(decisions: Sequence[SeriesDecision]) -> tuple[SeriesDecision, ...]:
    """Reject the parts of one acquisition that is spread over many series."""
    kept = list(decisions)
    single = [n for n, decision in enumerate(decisions) if len(decision.stacks) == 1]
    for group in find_split_acquisitions([decisions[n].stacks[0].record for n in single]):
        parts = tuple(decisions[single[n]].series.series_uid for n in group)
        frames = sum(len(decisions[single[n]].series.frames) for n in group)
        reason = against(SPLIT_ACQUISITION, f"{len(parts)} series of together {frames} slices")
        for n in group:
            decision = decisions[single[n]]
            rejected = _rejection(decision.series, (*decision.reasons, reason))
            kept[single[n]] = replace(rejected, parts=parts)
    return tuple(kept)


def _rejection(record: SeriesRecord, reasons: tuple[Reason, ...]) -> SeriesDecision:
    return SeriesDecision(record, accepted=False, reasons=_unique(reasons))


def _unique(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))
