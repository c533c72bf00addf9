"""Decisions on single series and small studies, one rule per test."""

from __future__ import annotations

import random

import pytest

from operators.dicom.reading.series import SeriesRecord
from operators.dicom.selection.candidates import SelectionSettings
from operators.dicom.selection.outlook import as_json, foresee
from operators.dicom.selection.series_selection import SeriesDecision, decide
from tests.builders.plain_headers import changed, place, series_of, t2_headers


def _decide(**changes: object) -> SeriesDecision:
    return decide([series_of(t2_headers(**changes))])[0]


def _names(decision: SeriesDecision, *, speaks_for: bool) -> set[str]:
    return {
        reason.name
        for reason in decision.reasons
        if reason.decides and reason.speaks_for == speaks_for
    }


def test_a_sagittal_t2_tse_with_te_100_and_tr_3500_is_accepted_for_two_reasons():
    decision = _decide()

    assert decision.accepted
    assert _names(decision, speaks_for=True) == {"sagittal", "t2_weighted"}
    assert _names(decision, speaks_for=False) == set()
    assert decision.stacks[0].record is decision.series


def test_all_reasons_against_an_axial_stir_localizer_are_listed():
    decision = _decide(
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        ScanningSequence=["SE", "IR"],
        InversionTime=160.0,
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
    )

    assert not decision.accepted
    assert decision.stacks == ()
    assert _names(decision, speaks_for=False) == {"localizer", "axial", "short_inversion_time"}


def test_a_description_that_says_t1_does_not_reject_a_t2():
    assert _decide(SeriesDescription="t1_tse_sag", ProtocolName="STIR knee").accepted


def test_a_description_that_says_t2_does_not_accept_a_t1():
    decision = _decide(SeriesDescription="t2_tse_sag", EchoTime=10.0, RepetitionTime=600.0)

    assert _names(decision, speaks_for=False) == {"t1_weighted"}


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("t2_tse_sag", True),
        ("SAG T2", True),
        ("T2* sag", False),
        ("t2_tirm_sag", False),
        ("t1 und t2", False),
        ("LWS sagittal", False),
        ("", False),
    ],
)
def test_the_description_decides_only_where_no_time_and_no_train_is_written(
    text: str,
    accepted: bool,  # noqa: FBT001 - a parametrised expectation
):
    decision = _decide(
        EchoTime=None,
        RepetitionTime=None,
        EchoTrainLength=None,
        SeriesDescription=text,
    )

    assert decision.accepted is accepted
    deciding = _names(decision, speaks_for=accepted)
    assert deciding >= ({"text_names_t2"} if accepted else {"contrast_unknown"})


@pytest.mark.parametrize("body_part", ["KNEE", "Kopf", "колено"])
def test_a_foreign_body_part_is_a_hint_that_decides_nothing(body_part: str):
    decision = _decide(StudyDescription=body_part)

    assert decision.accepted
    told = {reason.name: reason for reason in decision.reasons}
    assert not told["text_names_other_body_part"].decides


def test_a_dual_echo_series_is_split_and_its_92_ms_echo_taken():
    headers = [
        changed(item, EchoTime=time, EchoNumbers=number)
        for item in t2_headers(slices=11)
        for number, time in ((1, 11.0), (2, 92.0))
    ]
    decision = decide([series_of(headers)])[0]

    assert decision.accepted
    assert decision.stacks
    assert [frame.header.EchoTime for frame in decision.stacks[0].record.frames] == [92.0] * 11
    told = {reason.name: reason.detail for reason in decision.reasons}
    assert told["t2_echo_taken"] == "TE 92 ms of 11, 92 ms, 11 of 22 frames"


def test_of_two_echoes_without_times_the_later_one_is_taken_and_the_other_one_listed():
    headers = [
        changed(item, EchoTime=None, EchoNumbers=number)
        for number in (1, 2)
        for item in t2_headers(11)
    ]
    for order in (headers, headers[::-1]):
        decision = decide([series_of(order)])[0]

        (chosen,) = decision.stacks
        assert {frame.header.EchoNumbers for frame in chosen.record.frames} == {2}
        told = {reason.name: reason.detail for reason in decision.reasons}
        assert told["later_echo_taken"] == "echo 2, no echo time, 11 of 22 frames"
        assert told["frames_left_out"] == "11 of 22: echo 1"


@pytest.mark.parametrize("numbers", [(1, 2, 3), (2, 3, 4)])
def test_three_echoes_without_times_are_ambiguous(numbers: tuple[int, ...]):
    headers = [
        changed(item, EchoTime=None, EchoNumbers=number)
        for number in numbers
        for item in t2_headers(11)
    ]
    decision = decide([series_of(headers)])[0]

    assert _names(decision, speaks_for=False) == {"ambiguous_stacks"}


def test_the_unknown_echo_of_two_with_one_time_unknown_is_not_preferred_to_the_known_one():
    headers = [
        changed(item, EchoTime=time, EchoNumbers=number)
        for number, time in ((1, None), (2, 100.0))
        for item in t2_headers(11)
    ]
    (chosen,) = decide([series_of(headers)])[0].stacks

    assert {frame.header.EchoNumbers for frame in chosen.record.frames} == {2}


def test_one_slice_without_its_echo_time_stays_with_the_echo_of_its_number():
    headers = [
        changed(item, EchoTime=time, EchoNumbers=number)
        for number, time in ((1, 11.0), (2, 92.0))
        for item in t2_headers(11)
    ]
    headers[-1] = changed(headers[-1], EchoTime=None)
    (chosen,) = decide([series_of(headers)])[0].stacks

    assert len(chosen.record.frames) == 11


def test_of_two_t2_echoes_equally_far_from_100_ms_the_longer_one_is_taken_in_any_order():
    headers = [changed(item, EchoTime=time) for time in (80.0, 120.0) for item in t2_headers(11)]
    for order in (headers, headers[::-1]):
        (chosen,) = decide([series_of(order)])[0].stacks

        assert {frame.header.EchoTime for frame in chosen.record.frames} == {120.0}


@pytest.mark.parametrize(("others", "accepted"), [((11.0,) * 5, False), ((95.0, 105.0), True)])
def test_slices_of_another_contrast_among_t2_slices_are_not_hidden_by_the_median(
    others: tuple[float, ...],
    accepted: bool,  # noqa: FBT001 - a parametrised expectation
):
    headers = t2_headers(11)
    headers[: len(others)] = [
        changed(item, EchoTime=time) for item, time in zip(headers, others, strict=False)
    ]
    decision = decide([series_of(headers)])[0]

    expected = set() if accepted else {"mixed_contrast"}
    assert _names(decision, speaks_for=False) == expected


def test_a_measurement_without_a_rank_is_not_preferred_to_the_first_one():
    headers = [
        changed(item, TemporalPositionIdentifier=rank)
        for rank in (None, 2, 1)
        for item in t2_headers(11)
    ]
    decision = decide([series_of(headers)])[0]

    ranks = {frame.header.TemporalPositionIdentifier for frame in decision.stacks[0].record.frames}
    assert ranks == {1}
    left_out = [r.detail for r in decision.reasons if r.name == "frames_left_out"]
    assert left_out == ["11 of 33: temporal position 2", "11 of 33: not told apart"]


@pytest.mark.parametrize("kind", ["M", "DIXON_A"])
def test_repeats_told_apart_by_run_or_unknown_image_type_alone_stay_together(kind: str):
    headers = [
        changed(item, AcquisitionNumber=run, ImageType=["ORIGINAL", "PRIMARY", f"{kind}{run}"])
        for run in (1, 2)
        for item in t2_headers(11)
    ]
    decision = decide([series_of(headers)])[0]

    assert [len(chosen.record.frames) for chosen in decision.stacks] == [22]
    assert "duplicate_positions" in {reason.name for reason in foresee(decision).reasons}


def test_a_slice_at_the_end_that_has_only_an_image_of_another_echo_is_missing():
    headers = [
        changed(item, EchoTime=time)
        for n, item in enumerate(t2_headers(11))
        for time in ((11.0, 92.0) if n else (11.0,))
    ]
    decision = decide([series_of(headers)])[0]

    assert _names(decision, speaks_for=False) >= {"missing_images"}


def test_two_stations_of_one_series_are_two_stacks_with_names_of_their_own():
    upper = [
        changed(item, ImagePositionPatient=[*item.ImagePositionPatient[:2], 450.0])
        for item in t2_headers(11)
    ]
    decision = decide([series_of([*t2_headers(12), *upper])])[0]

    labels = [(s.identity.label, len(s.record.frames)) for s in decision.stacks]
    assert labels == [("stack 1 of 2", 11), ("stack 2 of 2", 12)]
    told = {reason.name: reason.detail for reason in decision.reasons}
    assert told["several_stacks"] == "2 of 2 stacks taken"


def test_an_axial_block_beside_a_sagittal_stack_is_left_out_and_told():
    axial = [changed(item, **place("axial", 0.0, 5.0 * n)) for n, item in enumerate(t2_headers(9))]
    decision = decide([series_of([*axial, *t2_headers(11)])])[0]

    assert [len(chosen.record.frames) for chosen in decision.stacks] == [11]
    told = {reason.name: reason.detail for reason in decision.reasons}
    assert told["frames_left_out"] == "9 of 20: axial"


def test_two_axial_locators_inside_the_series_are_left_out_and_told():
    off = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    locators = [
        changed(item, ImagePositionPatient=[-120.0, -150.0, 90.0 - 30.0 * n], **off)
        for n, item in enumerate(t2_headers(2))
    ]
    decision = decide([series_of([*locators, *t2_headers(11)])])[0]

    assert [len(chosen.record.frames) for chosen in decision.stacks] == [11]
    told = {reason.name: reason.detail for reason in decision.reasons}
    assert told["frames_left_out"] == "2 of 13: another orientation"


def test_the_order_of_the_files_changes_no_decision():
    upper = [
        changed(item, ImagePositionPatient=[*item.ImagePositionPatient[:2], 450.0])
        for item in t2_headers(11)
    ]
    headers = [
        changed(item, EchoTime=time, SOPInstanceUID=f"1.2.{n}")
        for time in (11.0, 80.0, 120.0)
        for n, item in enumerate([*t2_headers(12), *upper])
    ]
    told = []
    for seed in range(4):
        random.Random(seed).shuffle(headers)  # noqa: S311 -- an order, no secret
        decision = decide([series_of(headers)])[0]
        told.append((decision.reasons, [stack.identity for stack in decision.stacks]))

    assert told[1:] == told[:-1]


def test_eleven_series_of_one_slice_are_one_acquisition_and_rejected_by_that_name():
    parts = [series_of([item], f"1.2.3.{n}") for n, item in enumerate(t2_headers(11))]
    whole = series_of(t2_headers(12, RepetitionTime=4000.0), "1.2.3.99")
    decisions = decide([*parts, whole])

    for decision in decisions[:11]:
        assert _names(decision, speaks_for=False) == {"acquisition_split_over_series"}
        assert len(decision.parts) == 11
    assert decisions[11].accepted


@pytest.mark.parametrize(
    ("slices", "changes"),
    [(4, {}), (11, {"EchoTime": 0.0})],
    ids=["too few together", "of other echo times"],
)
def test_few_slices_that_form_no_stack_together_are_left_for_assembly(
    slices: int, changes: dict[str, float]
):
    headers = t2_headers(slices)
    if changes:
        headers = [changed(item, EchoTime=80.0 + 9 * n) for n, item in enumerate(headers)]
    decisions = decide([series_of([item], f"1.2.3.{n}") for n, item in enumerate(headers)])

    assert all(decision.accepted for decision in decisions)


KNEE = {
    "BodyPartExamined": "KNEE",
    "StudyDescription": "MRT Knie links",
    "ProtocolName": "knee_routine",
    "SeriesDescription": "t2_tse_sag knee",
    "RequestedProcedureDescription": "MR knee without contrast",
}


def test_a_knee_whose_five_texts_say_knee_is_rejected_unless_the_settings_say_otherwise():
    series = series_of(t2_headers(20, **KNEE))

    assert _names(decide([series])[0], speaks_for=False) == {"other_body_part"}
    settings = SelectionSettings(reject_other_body_parts=False)
    assert decide([series], settings)[0].accepted


@pytest.mark.parametrize("left", [1, 2])
def test_a_spine_with_one_or_two_wrong_texts_is_accepted(left: int):
    wrong = dict(list(KNEE.items())[:left])

    assert _decide(**wrong).accepted


@pytest.mark.parametrize("spine", list(KNEE))
def test_one_text_that_names_the_spine_outweighs_four_that_do_not(spine: str):
    assert _decide(**(KNEE | {spine: "LWS"})).accepted


def test_texts_that_name_different_body_parts_agree_on_nothing():
    assert _decide(**(KNEE | {"StudyDescription": "MRT Kopf"})).accepted


def test_copies_of_one_text_count_once():
    texts = dict.fromkeys(KNEE, "Knee sag")

    assert _decide(**(texts | {"BodyPartExamined": None})).accepted


def test_eight_echoes_of_each_slice_measure_t2_and_are_rejected():
    headers = [
        changed(item, EchoTime=12.0 * number)
        for item in t2_headers(slices=6)
        for number in range(1, 9)
    ]
    decision = decide([series_of(headers)])[0]

    assert "relaxometry_echo_train" in _names(decision, speaks_for=False)


def test_the_first_of_three_repeated_measurements_is_taken():
    headers = [
        changed(item, TemporalPositionIdentifier=position)
        for position in (3, 1, 2)
        for item in t2_headers(slices=7)
    ]
    decision = decide([series_of(headers)])[0]

    assert decision.stacks
    positions = {
        frame.header.TemporalPositionIdentifier for frame in decision.stacks[0].record.frames
    }
    assert positions == {1}


def test_repeated_positions_that_nothing_tells_apart_go_to_assembly_whole():
    decision = decide([series_of([*t2_headers(11), *t2_headers(11)])])[0]

    assert decision.accepted
    assert decision.stacks[0].record is decision.series


def test_a_dixon_series_with_four_images_of_each_slice_gives_its_in_phase_image():
    headers = [
        changed(item, ImageType=["DERIVED", "PRIMARY", "M", "DIXON", kind])
        for item in t2_headers(slices=6)
        for kind in ("WATER", "IN_PHASE", "FAT", "OPP_PHASE")
    ]
    decision = decide([series_of(headers)])[0]

    assert decision.stacks
    assert {frame.header.ImageType[4] for frame in decision.stacks[0].record.frames} == {"IN_PHASE"}
    assert len(decision.stacks[0].record.frames) == 6


def test_a_dixon_water_series_is_needless_beside_its_in_phase_series():
    decisions = decide(
        [
            series_of(t2_headers(ImageType=["DERIVED", "PRIMARY", "M", "WATER"]), "1.2.3"),
            series_of(t2_headers(ImageType=["DERIVED", "PRIMARY", "M", "IN_PHASE"]), "1.2.4"),
        ],
    )

    assert [decision.accepted for decision in decisions] == [False, True]
    assert _names(decisions[0], speaks_for=False) == {"in_phase_image_preferred"}


def test_a_dixon_water_series_of_another_station_is_taken():
    away = [
        changed(item, ImagePositionPatient=[*item.ImagePositionPatient[:2], 450.0])
        for item in t2_headers(ImageType=["DERIVED", "PRIMARY", "M", "WATER"])
    ]
    decisions = decide(
        [
            series_of(away, "1.2.3"),
            series_of(t2_headers(ImageType=["DERIVED", "PRIMARY", "M", "IN_PHASE"]), "1.2.4"),
        ],
    )

    assert [decision.accepted for decision in decisions] == [True, True]


def test_three_stations_of_one_study_are_each_accepted():
    stations = [series_of(t2_headers(), f"1.2.3.{number}") for number in range(3)]

    assert [decision.accepted for decision in decide(stations)] == [True, True, True]


def test_one_phase_image_among_eleven_slices_is_left_out():
    headers = t2_headers(12)
    headers[5] = changed(headers[5], ImageType=["ORIGINAL", "PRIMARY", "P", "ND"])
    decision = decide([series_of(headers)])[0]

    assert decision.accepted
    assert decision.stacks
    assert len(decision.stacks[0].record.frames) == 11
    told = {reason.name: reason.detail for reason in decision.reasons}
    assert told["frames_left_out"] == "1 of 12"


def test_one_axial_slice_among_eleven_is_left_for_assembly_to_refuse():
    headers = t2_headers(11)
    headers[4] = changed(headers[4], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    decision = decide([series_of(headers)])[0]

    assert decision.accepted
    assert decision.stacks[0].record is decision.series
    assert "mixed_orientations" in {reason.name for reason in decision.reasons}


@pytest.mark.parametrize("slices", [1, 4])
def test_too_few_slices_are_left_for_assembly_to_refuse(slices: int):
    decision = decide([series_of(t2_headers(slices))])[0]

    assert decision.accepted
    assert "few_slices" in {reason.name for reason in decision.reasons}


def test_three_single_shot_slices_are_a_scout():
    decision = decide([series_of(t2_headers(3, SequenceName="*h2d1_160"))])[0]

    assert _names(decision, speaks_for=False) == {"scout"}


def test_nine_sagittal_and_three_axial_single_shots_are_a_scout():
    headers = t2_headers(12, SequenceName="*h2d1_160")
    headers[9:] = [
        changed(item, ImageOrientationPatient=[1, 0, 0, 0, 1, 0]) for item in headers[9:]
    ]
    decision = decide([series_of(headers)])[0]

    assert _names(decision, speaks_for=False) == {"scout"}


def test_composed_images_are_taken_only_where_the_settings_say_so():
    composed = series_of(t2_headers(ImageType=["ORIGINAL", "PRIMARY", "M", "NORM", "COMP_SP"]))

    assert not decide([composed])[0].accepted
    assert decide([composed], SelectionSettings(accept_composed=True))[0].accepted


def test_a_series_without_frames_is_rejected():
    decision = decide([SeriesRecord("1.2.3", "1.2", ())])[0]

    assert _names(decision, speaks_for=False) == {"no_images"}


def test_an_empty_study_gives_no_decision():
    assert decide([]) == ()


def test_the_json_names_frames_taken_and_every_reason():
    headers = [
        changed(item, EchoTime=time) for item in t2_headers(slices=5) for time in (12.0, 96.0)
    ]
    (entry,) = as_json(decide([series_of(headers, "1.2.9")]))

    assert entry["series_uid"] == "1.2.9"
    assert entry["study_uid"] == "1.2"
    assert entry["description"] == ""
    assert entry["selected"] is True
    assert (entry["frames"], entry["frames_taken"]) == (10, 5)
    assert {
        "name": "t2_weighted",
        "detail": "TE 96 ms, TR 3500 ms",
        "speaks_for": True,
        "decides": True,
    } in entry["reasons"]


def test_details_never_quote_what_an_operator_typed():
    canary = "Mustermann"
    keywords = ("SeriesDescription", "ProtocolName", "StudyDescription", "PatientName")
    decision = _decide(
        BodyPartExamined=canary.upper(),
        ImageType=["ORIGINAL", "PRIMARY", canary.upper()],
        **dict.fromkeys(keywords, f"{canary} spine brain"),
    )

    assert not any(canary.lower() in reason.detail.lower() for reason in decision.reasons)
