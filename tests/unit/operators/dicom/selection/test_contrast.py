"""Weighting from timing and sequence: expected names follow from the physics of each protocol."""

from __future__ import annotations

import pytest

from operators.dicom.headers.mr_physics import MrPhysics
from operators.dicom.selection.contrast import ContrastLimits, judge_contrast

SE = frozenset({"SE"})
SE_IR = frozenset({"SE", "IR"})
GR = frozenset({"GR"})


def _names(physics: MrPhysics, *, decides: bool = True) -> list[str]:
    judged = judge_contrast(physics, ContrastLimits())
    return [reason.name for reason in judged if reason.decides == decides]


def _tse(echo_ms: float | None, repetition_ms: float | None, **more: object) -> MrPhysics:
    values = {"sequences": SE, "echo_time_ms": echo_ms, "repetition_time_ms": repetition_ms}
    return MrPhysics(**{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("echo_ms", "repetition_ms", "name"),
    [
        (102, 3600, "t2_weighted"),
        (60, 1500, "t2_weighted"),
        (165, 14000, "t2_weighted"),
        (100, None, "t2_weighted"),
        (11, 4320, "proton_density_weighted"),
        (45, 2000, "proton_density_weighted"),
        (10, 560, "t1_weighted"),
        (25, 900, "t1_weighted"),
        (10, None, "echo_time_short"),
        (90, 400, "repetition_time_short"),
        (700, 5000, "myelographic_echo_time"),
    ],
)
def test_spin_echo_is_named_by_echo_and_repetition_time(
    echo_ms: float,
    repetition_ms: float | None,
    name: str,
):
    assert _names(_tse(echo_ms, repetition_ms)) == [name]


@pytest.mark.parametrize(
    ("inversion_ms", "echo_ms", "name"),
    [
        (160, 64, "short_inversion_time"),
        (90, 70, "short_inversion_time"),
        (2200, 120, "fluid_attenuated"),
        (1400, 194, "fluid_attenuated"),
        (900, 12, "t1_inversion_recovery"),
        (None, 64, "inversion_recovery"),
    ],
)
def test_inversion_is_named_by_inversion_time(
    inversion_ms: float | None,
    echo_ms: float,
    name: str,
):
    physics = _tse(echo_ms, 4000, sequences=SE_IR, inversion_time_ms=inversion_ms)

    assert _names(physics) == [name]


def test_an_inversion_time_of_150_ms_makes_a_stir_of_what_is_coded_as_plain_spin_echo():
    assert _names(_tse(80, 4000, inversion_time_ms=150)) == ["short_inversion_time"]


def test_an_inversion_time_of_100_ms_with_fat_saturation_is_spectral_and_still_t2():
    physics = _tse(80, 4000, inversion_time_ms=100, is_fat_suppressed=True)

    assert _names(physics) == ["t2_weighted"]
    assert _names(physics, decides=False) == ["fat_suppressed"]


@pytest.mark.parametrize("echo_ms", [95, 260, 408])
def test_3d_variable_flip_angle_t2_is_accepted_up_to_te_408_and_down_to_tr_1000(echo_ms: float):
    assert _names(_tse(echo_ms, 1000, is_3d=True)) == ["t2_weighted"]


def test_3d_with_te_600_is_a_myelogram():
    assert _names(_tse(600, 3000, is_3d=True)) == ["myelographic_echo_time"]


def test_a_3d_single_shot_with_te_300_is_a_myelogram():
    physics = _tse(300, 5000, is_3d=True, is_single_shot=True)

    assert _names(physics) == ["myelographic_echo_time"]


def test_a_slab_of_40_mm_is_a_projection():
    assert _names(_tse(90, 3000, slice_thickness_mm=40.0)) == ["thick_slices"]


@pytest.mark.parametrize(
    ("physics", "name"),
    [
        (MrPhysics(sequences=GR, echo_time_ms=18, repetition_time_ms=600), "gradient_echo"),
        (_tse(90, 4000, sequences=frozenset({"SE", "EP"})), "echo_planar"),
        (_tse(90, 4000, b_value_s_mm2=800), "diffusion_weighted"),
    ],
)
def test_other_readouts_are_rejected_whatever_their_echo_time(physics: MrPhysics, name: str):
    assert _names(physics) == [name]


def test_a_b_value_of_zero_is_no_diffusion_weighting():
    assert _names(_tse(90, 4000, b_value_s_mm2=0)) == ["t2_weighted"]


def test_a_single_shot_needs_no_long_repetition_time():
    assert _names(_tse(90, 700, is_single_shot=True)) == ["t2_weighted"]


@pytest.mark.parametrize(
    ("repetition_ms", "more", "name"),
    [
        (3500, {"echo_train_length": 16}, "t2_weighted"),
        (None, {"echo_train_length": 16}, "t2_weighted"),
        (3500, {}, "t2_weighted"),
        (560, {}, "t1_weighted"),
        (None, {"coded_contrast": "T2"}, "t2_weighted"),
        (3500, {"coded_contrast": "PROTON_DENSITY"}, "coded_contrast"),
    ],
)
def test_without_echo_time_train_repetition_time_and_coded_contrast_decide(
    repetition_ms: float | None,
    more: dict[str, object],
    name: str,
):
    assert _names(_tse(None, repetition_ms, **more)) == [name]


@pytest.mark.parametrize("train", [1, 6, 9])
def test_without_echo_time_a_train_below_10_is_rejected_whatever_the_text_says(train: int):
    assert _names(_tse(None, 3500, echo_train_length=train)) == ["echo_train_short"]


def test_without_any_time_train_or_code_the_contrast_is_unknown():
    physics = _tse(None, None)

    assert _names(physics) == []
    assert "contrast_unknown" in _names(physics, decides=False)


def test_a_coded_contrast_of_t1_is_overruled_by_an_echo_time_of_100_ms():
    assert _names(_tse(100, 4000, coded_contrast="T1")) == ["t2_weighted"]


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("EchoTime", "unreadable_echo_time"),
        ("RepetitionTime", "unreadable_repetition_time"),
        ("InversionTime", "unreadable_inversion_time"),
        ("DiffusionBValue", "unreadable_b_value"),
        ("SliceThickness", "unreadable_slice_thickness"),
    ],
)
def test_a_quantity_that_decides_and_cannot_be_read_rejects(keyword: str, name: str):
    times = {"EchoTime": (None, 3500), "RepetitionTime": (100, None)}.get(keyword, (100, 3500))

    physics = _tse(*times, echo_train_length=15, unreadable=frozenset({keyword}))

    assert _names(physics) == [name]
    assert not [hint for hint in _names(physics, decides=False) if hint.endswith("_missing")]


def test_an_unreadable_echo_train_rejects_only_where_no_echo_time_decides():
    unread = frozenset({"EchoTrainLength"})

    assert _names(_tse(100, 3500, unreadable=unread)) == ["t2_weighted"]
    assert _names(_tse(None, 3500, unreadable=unread)) == ["unreadable_echo_train_length"]
