"""The images inside one series, each judged by plane, contrast and size.

A series may hold several stacks (echoes, Dixon images, repeats); the best acceptable one is taken.
How the stacks are told apart is `operators.dicom.stacks`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from operators.dicom.acquisition_plane import judge_plane
from operators.dicom.contrast import CONTRAST_UNKNOWN, ContrastLimits, judge_contrast
from operators.dicom.field_of_view import judge_field
from operators.dicom.mr_physics import MrPhysics, read_physics
from operators.dicom.reasons import Reason, against, hint, in_favour, is_rejected
from operators.dicom.stacks import Stack, distinct_echo_times_ms, split_series
from operators.dicom.text_hints import judge_body_part, says_t2_weighted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dicom.series import Frame

_TYPICAL_ECHO_TIME_MS = 100.0
"""Of several T2 echoes the one closest to this is taken: what single-echo protocols use."""

_RELAXOMETRY_ECHOES = 4
"""This many echo times in one series measure T2; no protocol reads contrast from so many."""

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
    contrast : ContrastLimits
        Borders between the weightings.
    """

    max_obliquity_deg: float = 30.0
    accept_composed: bool = False
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


def judge_stacks(frames: Sequence[Frame], settings: SelectionSettings) -> tuple[JudgedStack, ...]:
    """Judge each stack of a series by plane, contrast and size."""
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
            *_scout(stack, physics, plane),
            *judge_field(headers),
            *judge_body_part(headers[0]),
        ]
        if stack.echo_time_ms is not None and len(echoes) >= _RELAXOMETRY_ECHOES:
            reasons.append(against("relaxometry_echo_train", f"{len(echoes)} echo times"))
        judged.append(JudgedStack(stack, physics, tuple(reasons)))
    return tuple(judged)


def _settle_by_text(reason: Reason, frame: Frame) -> Reason:
    """Where physics is silent, and only there, the description may speak."""
    if reason.name != CONTRAST_UNKNOWN:
        return reason
    if says_t2_weighted(frame.header):
        return in_favour("text_names_t2", f"physics is silent: {reason.detail}")
    return against(CONTRAST_UNKNOWN, reason.detail)


def _scout(stack: Stack, physics: MrPhysics, plane: Sequence[Reason]) -> tuple[Reason, ...]:
    """Single shots, few or in several planes, plan a scan; other short stacks go to assembly."""
    is_mixed = any(reason.name == "mixed_orientations" for reason in plane)
    if not physics.is_single_shot or (len(stack.frames) >= _SCOUT_SLICES and not is_mixed):
        return ()
    return (against("scout", f"{len(stack.frames)} single-shot slices"),)


def preference(judged: JudgedStack) -> tuple[object, ...]:
    """Order among accepted stacks of one series, best first."""
    stack = judged.stack
    echo = judged.physics.echo_time_ms or _TYPICAL_ECHO_TIME_MS
    return (
        not stack.dixon.is_in_phase,
        stack.dixon.is_water,
        abs(echo - _TYPICAL_ECHO_TIME_MS),
        stack.b_value_s_mm2 or 0.0,
        stack.temporal_position or 0,
        -len(stack.frames),
    )


def split_reasons(
    stack: Stack,
    images: Sequence[Frame],
    candidates: Sequence[JudgedStack],
) -> tuple[Reason, ...]:
    """Say which part of a split series was taken."""
    if len(candidates) == 1:
        return ()
    echoes = ", ".join(f"{time:.0f}" for time in distinct_echo_times_ms(images))
    told = {
        "t2_echo_taken": (
            stack.echo_time_ms is not None,
            f"TE {stack.echo_time_ms or 0:.0f} ms of {echoes} ms",
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
    return tuple(
        hint(name, f"{detail}, {taken}", speaks_for=True)
        for name, (applies, detail) in told.items()
        if applies
    )
