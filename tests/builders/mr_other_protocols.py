"""What else a spine study holds: other contrasts, other planes, images made from images.

Ranges as in `mr_protocols`.
"""

from __future__ import annotations

from tests.builders.mr_protocols import SPACE, WANTED, Protocol

_T1 = {"echo_ms": (7, 22), "repetition_ms": (380, 900), "echo_train": (2, 5)}
_PD = {"echo_ms": (8, 45), "repetition_ms": (1800, 4500), "echo_train": (4, 10)}
_STIR = {
    "sequence": "ir_tse",
    "echo_ms": (28, 90),
    "repetition_ms": (2800, 6500),
    "inversion_ms": (140, 250),
}
_GRE = {
    "sequence": "gre",
    "echo_ms": (8, 30),
    "repetition_ms": (300, 950),
    "echo_train": None,
}
_DERIVED = ("DERIVED", "SECONDARY")
_SC = "1.2.840.10008.5.1.4.1.1.7"
_SEG = "1.2.840.10008.5.1.4.1.1.66.4"

PROTOCOLS: dict[str, Protocol] = {
    **WANTED,
    # ---- not wanted: another contrast
    "t1_tse": Protocol(wanted=False, text="t1_tse_sag", **_T1, weight=5),
    "t1_extreme_times": Protocol(
        wanted=False,
        text="T1 sag",
        echo_ms=(5, 30),
        repetition_ms=(250, 1150),
        echo_train=(1, 7),
        weight=2,
    ),
    "t1_contrast_agent": Protocol(
        wanted=False,
        text="t1_tse_sag_fs_KM",
        **_T1,
        extra={"ScanOptions": "FS", "ContrastBolusAgent": "Gd"},
        weight=2,
    ),
    "t1_without_echo_time": Protocol(
        wanted=False,
        text="t1 sag",
        **{**_T1, "echo_ms": None},
    ),
    "t1_flair": Protocol(
        wanted=False,
        text="T1 FLAIR sag",
        sequence="ir_tse",
        echo_ms=(8, 30),
        repetition_ms=(1700, 2700),
        inversion_ms=(650, 1100),
        weight=2,
    ),
    "pd_tse": Protocol(wanted=False, text="pd_tse_sag", **_PD, weight=3),
    "pd_without_echo_time": Protocol(
        wanted=False,
        text="pd_tse_sag",
        **{**_PD, "echo_ms": None},
        physics_decides=False,
    ),
    "stir": Protocol(wanted=False, text="t2_tirm_sag", **_STIR, weight=4),
    "stir_without_code": Protocol(
        wanted=False,
        text="STIR sag",
        **_STIR,
        extra={"ScanningSequence": "SE"},
        weight=2,
    ),
    "stir_without_inversion_time": Protocol(
        wanted=False,
        text="Sag STIR",
        **{**_STIR, "inversion_ms": None},
    ),
    "stir_only_times": Protocol(
        wanted=False,
        text="STIR sag",
        **_STIR,
        left_out=("ScanningSequence", "SequenceVariant", "SequenceName"),
    ),
    "stir_low_field": Protocol(
        wanted=False,
        text="STIR sag",
        **{**_STIR, "inversion_ms": (85, 130)},
        extra={"MagneticFieldStrength": 0.3},
    ),
    "stir_without_echo_time": Protocol(
        wanted=False,
        text="STIR",
        **{**_STIR, "echo_ms": None},
    ),
    "flair": Protocol(
        wanted=False,
        text="t2_flair_sag",
        sequence="ir_tse",
        echo_ms=(80, 150),
        repetition_ms=(6000, 11000),
        inversion_ms=(1700, 2800),
    ),
    "space_flair": Protocol(
        wanted=False,
        text="t2_spc_flair_sag",
        **{**SPACE, "sequence": "ir_space", "echo_ms": (280, 400)},
        inversion_ms=(1600, 2300),
    ),
    "space_stir": Protocol(
        wanted=False,
        text="spc stir cor sag",
        **{**SPACE, "sequence": "ir_space"},
        inversion_ms=(150, 230),
    ),
    "t1_space": Protocol(
        wanted=False,
        text="t1_spc_sag",
        **{**SPACE, "echo_ms": (7, 35), "repetition_ms": (450, 900)},
    ),
    "gre_t2_star": Protocol(wanted=False, text="t2*_fl2d_sag", **_GRE, weight=3),
    "gre_without_code": Protocol(
        wanted=False,
        text="T2* sag",
        **_GRE,
        left_out=("ScanningSequence",),
    ),
    "medic": Protocol(wanted=False, text="t2_me2d_sag", **{**_GRE, "sequence": "medic"}, weight=2),
    "mprage": Protocol(
        wanted=False,
        text="t1_mprage_sag",
        sequence="mprage",
        echo_ms=(2, 5),
        repetition_ms=(1500, 2500),
        inversion_ms=(800, 1100),
        echo_train=None,
        thickness_mm=(0.8, 1.2),
    ),
    "ciss": Protocol(
        wanted=False,
        text="t2_ci3d_sag",
        sequence="bssfp",
        echo_ms=(2, 6),
        repetition_ms=(4, 13),
        echo_train=None,
        thickness_mm=(0.6, 1.2),
    ),
    "diffusion": Protocol(
        wanted=False,
        text="ep2d_diff_sag",
        sequence="epi",
        echo_ms=(55, 110),
        repetition_ms=(2000, 9000),
        echo_train=None,
        extra={"DiffusionBValue": 800.0},
        weight=2,
    ),
    "diffusion_turbo": Protocol(
        wanted=False,
        text="haste_dwi sag",
        echo_ms=(70, 110),
        extra={"DiffusionBValue": 600.0},
    ),
    "myelogram_slab": Protocol(
        wanted=False,
        text="t2 myelo",
        sequence="haste",
        echo_ms=(500, 1200),
        repetition_ms=(3000, 9000),
        echo_train=(200, 320),
        thickness_mm=(20, 70),
        weight=2,
    ),
    "myelogram_slab_short_echo": Protocol(
        wanted=False,
        text="haste myelo",
        sequence="haste",
        echo_ms=(90, 240),
        repetition_ms=(2000, 6000),
        echo_train=(128, 256),
        thickness_mm=(20, 50),
    ),
    "myelogram_3d": Protocol(
        wanted=False,
        text="t2_spc_myelo",
        **{**SPACE, "echo_ms": (450, 800), "repetition_ms": (2500, 6000)},
        weight=2,
    ),
    # ---- not wanted: another plane
    "t2_axial": Protocol(wanted=False, text="t2_tse_tra", plane="axial", weight=4),
    "t2_coronal": Protocol(wanted=False, text="t2_tse_cor", plane="coronal", weight=2),
    "t2_steep": Protocol(wanted=False, text="t2_tse_obl", tilt_deg=(34, 44), weight=2),
    # ---- not wanted: no acquired image of one plane
    "localizer": Protocol(
        wanted=False,
        text="localizer",
        plane="three",
        **{**_GRE, "echo_ms": (2, 6), "repetition_ms": (4, 15)},
        weight=2,
    ),
    "localizer_haste": Protocol(
        wanted=False,
        text="haste_loc",
        plane="three",
        sequence="haste",
        echo_ms=(60, 100),
        repetition_ms=(800, 1500),
        echo_train=(110, 200),
        thickness_mm=(5, 8),
    ),
    "localizer_named": Protocol(wanted=False, text="loc sag t2", kind=("LOCALIZER",)),
    "adc_map": Protocol(wanted=False, text="ADC", kind=("ADC",), origin=("DERIVED", "PRIMARY")),
    "t2_map": Protocol(
        wanted=False, text="T2 Map", kind=("T2 MAP",), origin=("DERIVED", "PRIMARY")
    ),
    "reformat": Protocol(wanted=False, text="t2 MPR sag", **SPACE, kind=("MPR",), origin=_DERIVED),
    "reformat_primary": Protocol(
        wanted=False,
        text="t2 sag MPR",
        **SPACE,
        kind=("MPR", "NORM"),
        origin=("DERIVED", "PRIMARY"),
    ),
    "projection": Protocol(
        wanted=False,
        text="MIP sag",
        kind=("PROJECTION IMAGE", "MIP"),
        origin=_DERIVED,
    ),
    "subtraction": Protocol(
        wanted=False,
        text="SUB sag",
        kind=("SUBTRACTION",),
        origin=("DERIVED", "PRIMARY"),
    ),
    "composed": Protocol(
        wanted=False,
        text="t2 spine composed",
        kind=("COMPOSED",),
        origin=("DERIVED", "PRIMARY"),
    ),
    "composed_inline": Protocol(wanted=False, text="t2_COMP_SP", kind=("NORM", "COMP_SP")),
    "derived_unexplained": Protocol(
        wanted=False,
        text="T2 sag processed",
        origin=("DERIVED", "PRIMARY"),
    ),
    "lossy_secondary": Protocol(
        wanted=False,
        text="T2 sag",
        origin=_DERIVED,
        extra={"LossyImageCompression": "01"},
    ),
    "screenshot": Protocol(
        wanted=False,
        text="key image t2 sag",
        origin=_DERIVED,
        extra={"SOPClassUID": _SC, "SamplesPerPixel": 3},
    ),
    "own_segmentation": Protocol(
        wanted=False,
        text="SPINEPS semantic",
        origin=("DERIVED", "PRIMARY"),
        extra={"SOPClassUID": _SEG, "Modality": "SEG", "ManufacturerModelName": "SPINEPS Node"},
    ),
    "computed_tomography": Protocol(
        wanted=False,
        text="CT spine sag",
        echo_ms=None,
        repetition_ms=None,
        echo_train=None,
        extra={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "Modality": "CT"},
        left_out=("ScanningSequence", "SequenceName", "SequenceVariant"),
    ),
    "dixon_fat": Protocol(
        wanted=False,
        text="t2_dixon_sag_F",
        kind=("DIXON", "FAT"),
        origin=("DERIVED", "PRIMARY"),
    ),
    "dixon_opposed": Protocol(wanted=False, text="t2_dixon_sag_opp", kind=("OPP_PHASE",)),
    "phase_image": Protocol(wanted=False, text="t2 phase", kind=("P",)),
}
