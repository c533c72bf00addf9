"""The images of one place inside a series, each judged by plane, contrast and size.

A place may hold several stacks (echoes, Dixon images, repeats); the best acceptable one is taken,
by a rule that leaves no tie to the order of the files. How the stacks are told apart is
`operators.dicom.selection.stacks`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from operators.dicom.headers.mr_physics import MrPhysics, read_physics
from operators.dicom.selection.acquisition_plane import judge_plane
from operators.dicom.selection.contrast import (
    CONTRAST_UNKNOWN,
    ContrastLimits,
    judge_contrast,
)
from operators.dicom.selection.field_of_view import judge_field
from operators.dicom.selection.reasons import (
    Reason,
    against,
    hint,
    in_favour,
    is_rejected,
)
from operators.dicom.selection.stacks import (
    Stack,
    distinct_echo_times_ms,
    split_series,
)
from operators.dicom.selection.text_hints import judge_body_part, says_t2_weighted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dicom.reading.series import Frame

_TYPICAL_ECHO_TIME_MS = 100.0
"""Of several T2 echoes the one closest to this is taken: what single-echo protocols use."""

_RELAXOMETRY_ECHOES = 4
"""This many echo times in one series measure T2; no protocol reads contrast from so many."""

_TOLD_BY_NUMBER = 2
"""Echoes without times of which the later one is the T2-weighted one: proton density and T2."""

_SCOUT_SLICES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionSettings:
    """What counts as a sagittal T2-weighted spine series.

    Attributes
    ----------
    max_obliquity_deg : float
        Largest angle between slice normal and left-right axis (scoliosis, turned patients).
    accept_composed : bool
        Take images stitched from several stations; off, since the stations are segmented and
        stitching resamples them.
    reject_other_body_parts : bool
        Reject where several independent texts agree on another body part and none names the
        spine (`operators.dicom.selection.text_hints.judge_body_part`).
    contrast : ContrastLimits
        Borders between the weightings.
    """

    max_obliquity_deg: float = 30.0
    accept_composed: bool = False
    reject_other_body_parts: bool = True
    contrast: ContrastLimits = field(default_factory=ContrastLimits)


@dataclass(frozen=True, slots=True)
class JudgedStack:
    """One stack with its verdict.

    Attributes
    ----------
    stack : Stack
        The frames.
    physics : MrPhysics
        How they were acquired.
    reasons : tuple of Reason
        Everything found, for and against.
    """

    stack: Stack
    physics: MrPhysics
    reasons: tuple[Reason, ...]

    @property
    def is_accepted(self) -> bool:
        """Whether nothing rejects it."""
        return not is_rejected(self.reasons)


def judge_stacks(
    frames: Sequence[Frame], settings: SelectionSettings, *, is_mixed: bool = False
) -> tuple[JudgedStack, ...]:
    """Judge each stack of one place by plane, contrast and size.

    Parameters
    ----------
    frames : sequence of Frame
        At least one.
    settings : SelectionSettings
        Limits.
    is_mixed : bool
        The series holds slices of other planes beside these frames.

    Returns
    -------
    tuple of JudgedStack
        In an order that doesn't depend on that of the frames.
    """
    echoes = distinct_echo_times_ms(frames)
    judged = []
    for stack in split_series(frames):
        headers = [frame.header for frame in stack.frames]
        physics = read_physics(headers)
        plane = judge_plane(headers, max_obliquity_deg=settings.max_obliquity_deg)
        contrast = judge_contrast(physics, settings.contrast)
        reasons = [
            *plane,
            *(_settle_by_text(reason, stack.frames[0]) for reason in contrast),
            *_scout(stack, physics, plane, is_mixed=is_mixed),
            *judge_field(headers),
            *judge_body_part(headers[0], decides=settings.reject_other_body_parts),
        ]
        if not is_rejected(contrast):
            reasons += _mixed_contrast(stack, settings.contrast)
        if stack.echo_time_ms is not None and len(echoes) >= _RELAXOMETRY_ECHOES:
            reasons.append(against("relaxometry_echo_train", f"{len(echoes)} echo times"))
        judged.append(JudgedStack(stack, physics, tuple(reasons)))
    return tuple(judged)


def _mixed_contrast(stack: Stack, limits: ContrastLimits) -> tuple[Reason, ...]:
    """Reject a stack of which one slice has an echo time that is not T2: the median hides it."""
    times = distinct_echo_times_ms(stack.frames)
    if len(times) < 2:  # noqa: PLR2004 - two echo times
        return ()
    odd = [
        frame
        for frame in stack.frames
        if is_rejected(judge_contrast(read_physics([frame.header]), limits))
    ]
    if not odd:
        return ()
    detail = f"{len(odd)} of {len(stack.frames)} slices, TE {times[0]:.0f} to {times[-1]:.0f} ms"
    return (against("mixed_contrast", detail),)


def _settle_by_text(reason: Reason, frame: Frame) -> Reason:
    """Where physics is silent, and only there, the description may speak."""
    if reason.name != CONTRAST_UNKNOWN:
        return reason
    if says_t2_weighted(frame.header):
        return in_favour("text_names_t2", f"physics is silent: {reason.detail}")
    return against(CONTRAST_UNKNOWN, reason.detail)


def _scout(
    stack: Stack, physics: MrPhysics, plane: Sequence[Reason], *, is_mixed: bool
) -> tuple[Reason, ...]:
    """Single shots, few or in several planes, plan a scan; other short stacks go to assembly."""
    is_mixed = is_mixed or any(reason.name == "mixed_orientations" for reason in plane)
    if not physics.is_single_shot or (len(stack.frames) >= _SCOUT_SLICES and not is_mixed):
        return ()
    return (against("scout", f"{len(stack.frames)} single-shot slices"),)


def choose_stack(candidates: Sequence[JudgedStack]) -> JudgedStack | None:
    """Take the one stack of a place to be segmented.

    Parameters
    ----------
    candidates : sequence of JudgedStack
        As `judge_stacks` gives them.

    Returns
    -------
    JudgedStack or None
        None where none is acceptable. Of several equally good ones the first, rejected by
        ``ambiguous_stacks``: nothing says which is the T2-weighted one.
    """
    accepted = [judged for judged in candidates if judged.is_accepted]
    if not accepted:
        return None
    best = min(accepted, key=_preference)
    rivals = [judged for judged in accepted if _preference(judged)[:-1] == _preference(best)[:-1]]
    numbers = {judged.stack.echo_number for judged in rivals}
    # Of two echoes without times the later one is T2-weighted; of more it may be any.
    is_pair = len(candidates) == len(rivals) == len(numbers - {None}) == _TOLD_BY_NUMBER
    if len(rivals) == 1 or is_pair:
        return best
    detail = f"{len(rivals)} of {len(candidates)} echoes without an echo time"
    return replace(best, reasons=(*best.reasons, against("ambiguous_stacks", detail)))


def _preference(judged: JudgedStack) -> tuple[float, ...]:
    """Order among accepted stacks of one place, best first; no two stacks are equal.

    In-phase before water before other images; a known echo time before an unknown one, the one
    nearest to the usual, of two equally near ones the longer; no diffusion weighting; the first
    measurement; the later echo by its number.
    """
    stack, echo = judged.stack, judged.physics.echo_time_ms
    return (
        not stack.dixon.is_in_phase,
        stack.dixon.is_water,
        echo is None,
        0.0 if echo is None else abs(echo - _TYPICAL_ECHO_TIME_MS),
        -(echo or 0.0),
        math.inf if stack.b_value_s_mm2 is None else stack.b_value_s_mm2,
        math.inf if stack.temporal_position is None else stack.temporal_position,
        -(stack.echo_number or 0),
    )


def split_reasons(
    stack: Stack,
    images: Sequence[Frame],
    candidates: Sequence[JudgedStack],
) -> tuple[Reason, ...]:
    """Say which part of the images of one place was taken, and everything that was not."""
    if len(candidates) == 1:
        return ()
    echoes = ", ".join(f"{time:.0f}" for time in distinct_echo_times_ms(images))
    told = {
        "t2_echo_taken": (
            stack.echo_time_ms is not None,
            f"TE {stack.echo_time_ms or 0:.0f} ms of {echoes} ms",
        ),
        "later_echo_taken": (
            stack.echo_number is not None,
            f"echo {stack.echo_number}, no echo time",
        ),
        "temporal_position_taken": (
            stack.temporal_position is not None,
            f"position {stack.temporal_position}",
        ),
        "b_value_taken": (
            stack.b_value_s_mm2 is not None,
            f"b {stack.b_value_s_mm2 or 0:.0f} s/mm2",
        ),
        "in_phase_image_taken": (stack.dixon.is_in_phase, "Dixon"),
        "water_image_taken": (stack.dixon.is_water, "Dixon, no in-phase image"),
    }
    taken = f"{len(stack.frames)} of {len(images)} frames"
    chosen = tuple(
        hint(name, f"{detail}, {taken}", speaks_for=True)
        for name, (applies, detail) in told.items()
        if applies
    )
    others = [judged for judged in candidates if judged.stack.frames != stack.frames]
    return (*chosen, *(_left_out(judged, len(images)) for judged in others))


def _left_out(judged: JudgedStack, total: int) -> Reason:
    """One line per stack that is not segmented: how many frames, which, and why not."""
    why = next((r.name for r in judged.reasons if r.decides and not r.speaks_for), "")
    which = ", ".join(filter(None, (judged.stack.told_apart_by, why))) or "not told apart"
    detail = f"{len(judged.stack.frames)} of {total}: {which}"
    return hint("frames_left_out", detail, speaks_for=False)
