"""What an MR protocol is, and the sagittal T2-weighted ones of spine departments.

Ranges come from protocol books and vendor manuals, not from the selection rules that they test:
T2 TSE at 1.5/3 T TE 75-130 ms; fat-suppressed T2 TE 62-100 ms; SPACE/CUBE/VISTA TE 95-280 ms at
TR 1000-3000 ms; PD TE 8-45 ms; T1 TSE TE 7-22 ms at TR 380-900 ms; STIR TI 140-250 ms (85-130 ms at
0.3 T); T2 FLAIR TI 1700-2800 ms; T1 FLAIR TI 650-1100 ms; MR myelography TE 450-1200 ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One kind of series: what the physicist programs, and whether it is what we look for.

    `sequence` is one of tse, ir_tse, space, ir_space, gre, medic, mprage, bssfp, epi, haste.
    A range of None leaves the attribute out. `kind` are the Image Type words beyond the vendor's.
    `text` is the description an English-speaking operator would type.
    """

    wanted: bool
    text: str
    sequence: str = "tse"
    echo_ms: Range | None = (75, 130)
    repetition_ms: Range | None = (2200, 6500)
    inversion_ms: Range | None = None
    echo_train: Range | None = (11, 30)
    thickness_mm: Range = (3.0, 5.0)
    tilt_deg: Range = (0, 12)
    plane: str = "sagittal"
    kind: tuple[str, ...] = ()
    origin: tuple[str, str] = ("ORIGINAL", "PRIMARY")
    extra: dict[str, object] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    physics_decides: bool = True
    weight: int = 1


SPACE = {
    "sequence": "space",
    "echo_ms": (95, 280),
    "repetition_ms": (1000, 3000),
    "echo_train": (35, 120),
    "thickness_mm": (0.8, 1.3),
}
WANTED: dict[str, Protocol] = {
    "t2_tse": Protocol(wanted=True, text="t2_tse_sag", weight=8),
    "t2_extreme_times": Protocol(
        wanted=True,
        text="T2 sag long",
        echo_ms=(64, 165),
        repetition_ms=(1600, 14000),
        weight=4,
    ),
    "t2_fat_saturated": Protocol(
        wanted=True,
        text="t2_tse_fs_sag",
        echo_ms=(62, 100),
        extra={"ScanOptions": "FS"},
        weight=2,
    ),
    "t2_space": Protocol(wanted=True, text="t2_spc_sag_iso", **SPACE, weight=3),
    "t2_low_field": Protocol(
        wanted=True,
        text="SAG T2 FSE",
        echo_ms=(95, 135),
        extra={"MagneticFieldStrength": 0.3},
    ),
    "t2_oblique": Protocol(wanted=True, text="t2 sag scoliosis", tilt_deg=(12, 28), weight=2),
    "t2_without_echo_time": Protocol(
        wanted=True,
        text="t2_sag",
        echo_ms=None,
        echo_train=(12, 30),
        weight=2,
    ),
    "t2_without_echo_time_and_train": Protocol(
        wanted=True,
        text="t2 sag",
        echo_ms=None,
        echo_train=None,
        physics_decides=False,
    ),
    "t2_without_repetition_time": Protocol(wanted=True, text="T2 SAG", repetition_ms=None),
    "t2_without_sequence_code": Protocol(
        wanted=True,
        text="SAG T2",
        left_out=("ScanningSequence", "SequenceVariant"),
    ),
    "t2_only_times": Protocol(
        wanted=True,
        text="SAG T2",
        left_out=(
            "ScanningSequence",
            "SequenceVariant",
            "SequenceName",
            "EchoTrainLength",
            "MRAcquisitionType",
        ),
    ),
    "t2_driven_equilibrium": Protocol(
        wanted=True,
        text="T2 FRFSE DRIVE sag",
        echo_ms=(80, 125),
        repetition_ms=(1100, 2000),
    ),
    "t2_enhanced_without_echo_time": Protocol(
        wanted=True,
        text="T2W_TSE",
        echo_ms=None,
        repetition_ms=None,
        echo_train=None,
        extra={"AcquisitionContrast": "T2"},
    ),
    "t2_zero_inversion_time": Protocol(wanted=True, text="Sag T2", inversion_ms=(0, 0), weight=2),
    "t2_lossy": Protocol(
        wanted=True,
        text="T2 sag",
        origin=("DERIVED", "PRIMARY"),
        extra={"LossyImageCompression": "01", "LossyImageCompressionRatio": "10"},
        weight=2,
    ),
    "t2_derived_filtered": Protocol(
        wanted=True,
        text="t2_tse_sag_filt",
        origin=("DERIVED", "PRIMARY"),
        kind=("NORM", "DIS2D", "FM"),
    ),
    "t2_research_mode": Protocol(
        wanted=True,
        text="T2W_TSE",
        extra={"ScanningSequence": "RM"},
    ),
    "dixon_in_phase": Protocol(wanted=True, text="t2_tse_dixon_sag_in", kind=("IN_PHASE",)),
    "dixon_in_phase_derived": Protocol(
        wanted=True,
        text="mDIXON T2 IP",
        kind=("IP",),
        origin=("DERIVED", "PRIMARY"),
    ),
    "dixon_water_alone": Protocol(
        wanted=True,
        text="t2_dixon_sag_W",
        kind=("DIXON", "WATER"),
        origin=("DERIVED", "PRIMARY"),
    ),
}
