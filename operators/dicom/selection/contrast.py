"""Whether an acquisition is T2-weighted, by its physics.

Timing first (echo, repetition, inversion time), then the kind of echo. Free text is not read here:
`selection.series_selection` asks `text_hints` only where this module says ``contrast_unknown``.

Limits are those of clinical spine protocols at 0.3 to 3 T. T2-weighted turbo spin echo lies at
TE 70-130 ms, TR 2000-6000 ms; proton density at TE 10-50 ms; T1 at TE 8-30 ms, TR 400-900 ms; STIR
at TI 85-250 ms; FLAIR at TI 1400-2800 ms; 3-D variable-flip-angle T2 (SPACE, CUBE, VISTA) at TE
90-410 ms, TR 1000-3000 ms; myelography at TE 500-1200 ms or in slabs of 20 mm and more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from operators.dicom.headers.mr_physics import (
    ECHO_PLANAR,
    GRADIENT_ECHO,
    INVERSION_RECOVERY,
    MrPhysics,
)
from operators.dicom.selection.reasons import Reason, against, hint, in_favour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTRAST_UNKNOWN = "contrast_unknown"

_UNREADABLE: dict[str, str] = {
    "EchoTime": "unreadable_echo_time",
    "RepetitionTime": "unreadable_repetition_time",
    "InversionTime": "unreadable_inversion_time",
    "EchoTrainLength": "unreadable_echo_train_length",
    "DiffusionBValue": "unreadable_b_value",
    "SliceThickness": "unreadable_slice_thickness",
}
"""Quantity -> reason. A value that is there and can't be read may be the one that rejects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastLimits:
    """Borders between the weightings; the middle of the gap between neighbouring protocols.

    Attributes
    ----------
    min_echo_time_ms : float
        Shorter is proton density (or T1). Lower borders admit intermediate-weighted images.
    max_echo_time_ms, max_echo_time_3d_ms : float
        Longer is myelography: only fluid is bright, vertebrae vanish. In 3-D the long trains of
        low refocusing angles make TE 400 ms look like 100 ms.
    min_repetition_time_ms, min_repetition_time_3d_ms : float
        Shorter mixes in T1; driven equilibrium pulses allow less in 3-D.
    min_inversion_time_ms : float
        Shorter ones are no inversion contrast.
    max_stir_inversion_time_ms : float
        Up to here an inversion nulls fat, beyond it fluid or nothing (T1 FLAIR).
    max_spectral_inversion_time_ms : float
        Up to here a fat-selective inversion (SPAIR, ASPIR) may be meant.
    max_slice_thickness_mm : float
        Thicker is a projection slab or a scout; sagittal spines are sliced at 2-6 mm.
    min_t2_echo_train : int
        Without an echo time: T2 uses longer trains than proton density and T1.
    """

    min_echo_time_ms: float = 60.0
    max_echo_time_ms: float = 250.0
    max_echo_time_3d_ms: float = 420.0
    min_repetition_time_ms: float = 1000.0
    min_repetition_time_3d_ms: float = 700.0
    min_inversion_time_ms: float = 50.0
    max_stir_inversion_time_ms: float = 400.0
    max_spectral_inversion_time_ms: float = 130.0
    max_slice_thickness_mm: float = 7.0
    min_t2_echo_train: int = 10


def judge_contrast(physics: MrPhysics, limits: ContrastLimits) -> tuple[Reason, ...]:
    """Judge the weighting of an acquisition.

    Parameters
    ----------
    physics : MrPhysics
        As `read_physics` read it.
    limits : ContrastLimits
        Borders between the weightings.

    Returns
    -------
    tuple of Reason
        Everything that speaks against T2 weighting. If nothing does: ``t2_weighted``, or the
        hint ``contrast_unknown`` where the header is silent. Hints are added in both cases.
    """
    said = tuple(
        reason for rule in _RULES for reason in (rule(physics, limits),) if reason is not None
    )
    said += tuple(_unread(physics))
    hints = tuple(_hints(physics))
    if said:
        return said + hints
    return (_positive(physics), *hints)


def _diffusion(physics: MrPhysics, _: ContrastLimits) -> Reason | None:
    b_value = physics.b_value_s_mm2
    if b_value is None or b_value <= 0:
        return None
    return against("diffusion_weighted", f"b {b_value:.0f} s/mm2")


def _echo_planar(physics: MrPhysics, _: ContrastLimits) -> Reason | None:
    if ECHO_PLANAR not in physics.sequences:
        return None
    return against("echo_planar", _times(physics))


def _gradient_echo(physics: MrPhysics, _: ContrastLimits) -> Reason | None:
    if GRADIENT_ECHO not in physics.sequences:
        return None
    return against("gradient_echo", _times(physics))


def _inversion(physics: MrPhysics, limits: ContrastLimits) -> Reason | None:
    """Tell STIR, FLAIR and T1 FLAIR apart, with or without the IR code."""
    time = physics.inversion_time_ms
    coded = INVERSION_RECOVERY in physics.sequences
    if time is None or time < limits.min_inversion_time_ms:
        return against("inversion_recovery", "inversion time not said") if coded else None
    if not coded and physics.is_fat_suppressed and time <= limits.max_spectral_inversion_time_ms:
        return None
    echo = physics.echo_time_ms
    if time <= limits.max_stir_inversion_time_ms:
        name = "short_inversion_time"
    elif echo is not None and echo < limits.min_echo_time_ms:
        name = "t1_inversion_recovery"
    else:
        name = "fluid_attenuated"
    return against(name, f"TI {time:.0f} ms")


def _short_echo(physics: MrPhysics, limits: ContrastLimits) -> Reason | None:
    echo, repetition = physics.echo_time_ms, physics.repetition_time_ms
    if echo is None or echo >= limits.min_echo_time_ms or not _is_plain_spin_echo(physics, limits):
        return None
    if repetition is None:
        return against("echo_time_short", _times(physics))
    long_repetition = repetition >= _min_repetition(physics, limits)
    return against("proton_density_weighted" if long_repetition else "t1_weighted", _times(physics))


def _long_echo(physics: MrPhysics, limits: ContrastLimits) -> Reason | None:
    variable_angles = physics.is_3d and not physics.is_single_shot
    longest = limits.max_echo_time_3d_ms if variable_angles else limits.max_echo_time_ms
    if physics.echo_time_ms is None or physics.echo_time_ms <= longest:
        return None
    return against("myelographic_echo_time", _times(physics))


def _thick_slices(physics: MrPhysics, limits: ContrastLimits) -> Reason | None:
    thickness = physics.slice_thickness_mm
    if thickness is None or thickness <= limits.max_slice_thickness_mm:
        return None
    return against("thick_slices", f"{thickness:.1f} mm")


def _short_repetition(physics: MrPhysics, limits: ContrastLimits) -> Reason | None:
    """Only where echo time hasn't spoken; a single shot has no repetition to speak of."""
    repetition, echo = physics.repetition_time_ms, physics.echo_time_ms
    if repetition is None or physics.is_single_shot or not _is_plain_spin_echo(physics, limits):
        return None
    if repetition >= _min_repetition(physics, limits):
        return None
    if echo is None:
        return against("t1_weighted", _times(physics))
    if echo < limits.min_echo_time_ms:
        return None
    return against("repetition_time_short", _times(physics))


def _other_coded_contrast(physics: MrPhysics, _: ContrastLimits) -> Reason | None:
    """Vendors' Acquisition Contrast is often a default, so the times overrule it."""
    if physics.echo_time_ms is not None or physics.coded_contrast in (None, "T2"):
        return None
    return against("coded_contrast", f"Acquisition Contrast {physics.coded_contrast}")


def _short_train(physics: MrPhysics, limits: ContrastLimits) -> Reason | None:
    """Without an echo time a short train means proton density or T1; text must not overturn it."""
    train = physics.echo_train_length
    if (
        train is None
        or train >= limits.min_t2_echo_train
        or not _is_plain_spin_echo(physics, limits)
    ):
        return None
    if physics.echo_time_ms is not None or physics.coded_contrast == "T2":
        return None
    return against("echo_train_short", f"no echo time, {train} echoes a train")


_RULES: tuple[Callable[[MrPhysics, ContrastLimits], Reason | None], ...] = (
    _diffusion,
    _echo_planar,
    _gradient_echo,
    _inversion,
    _short_echo,
    _long_echo,
    _thick_slices,
    _short_repetition,
    _short_train,
    _other_coded_contrast,
)


def _unread(physics: MrPhysics) -> Iterator[Reason]:
    """Reject by name what decides and can't be read; a train decides only without echo time."""
    for keyword, name in _UNREADABLE.items():
        needless = keyword == "EchoTrainLength" and physics.echo_time_ms is not None
        if keyword in physics.unreadable and not needless:
            yield against(name, f"{keyword} holds no such number")


def _positive(physics: MrPhysics) -> Reason:
    """Say whether there is enough for T2 weighting, where nothing speaks against it."""
    if physics.echo_time_ms is not None:
        return in_favour("t2_weighted", _times(physics))
    if physics.coded_contrast == "T2":
        return in_favour("t2_weighted", "Acquisition Contrast T2, no echo time")
    train = physics.echo_train_length
    if train is not None or physics.is_single_shot:  # `_short_train` has spoken before
        return in_favour("t2_weighted", f"no echo time, {_times(physics)}, {train} echoes a train")
    if physics.repetition_time_ms is not None:
        # Not T1 (long TR), not inverted, not a gradient echo: T2 or the rare proton density.
        return in_favour("t2_weighted", f"no echo time, {_times(physics)}, no inversion")
    return hint(CONTRAST_UNKNOWN, _times(physics), speaks_for=False)


def _hints(physics: MrPhysics) -> list[Reason]:
    told = {
        "fat_suppressed": physics.is_fat_suppressed,
        "single_shot": physics.is_single_shot,
        "echo_time_missing": _is_missing(physics, "EchoTime", physics.echo_time_ms),
        "repetition_time_missing": _is_missing(
            physics, "RepetitionTime", physics.repetition_time_ms
        ),
    }
    return [hint(name, speaks_for=False) for name, applies in told.items() if applies]


def _is_missing(physics: MrPhysics, keyword: str, value: float | None) -> bool:
    return value is None and keyword not in physics.unreadable


def _is_plain_spin_echo(physics: MrPhysics, limits: ContrastLimits) -> bool:
    """Whether TE and TR alone make the contrast, so that T1 or proton density are its names."""
    prepared = {GRADIENT_ECHO, ECHO_PLANAR, INVERSION_RECOVERY} & physics.sequences
    return not prepared and _inversion(physics, limits) is None


def _min_repetition(physics: MrPhysics, limits: ContrastLimits) -> float:
    return limits.min_repetition_time_3d_ms if physics.is_3d else limits.min_repetition_time_ms


def _times(physics: MrPhysics) -> str:
    """TE and TR for the reader."""
    echo, repetition = physics.echo_time_ms, physics.repetition_time_ms
    said = [
        "TE unknown" if echo is None else f"TE {echo:.0f} ms",
        "TR unknown" if repetition is None else f"TR {repetition:.0f} ms",
    ]
    return ", ".join(said)
