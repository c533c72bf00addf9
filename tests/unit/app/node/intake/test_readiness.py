from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.node.intake.readiness import Evidence, Readiness, Silence, Verdict, judge
from app.node.intake.survey import survey
from app.node.journal.facts import ArrivalFacts
from app.settings import CompletenessSettings
from tests.builders.arrival_facts import series_facts, slice_facts

LIMITS = CompletenessSettings(quiet_s=30, deadline_s=900)
NONE = Evidence()


def judged(facts: list[ArrivalFacts], silence_s: float, evidence: Evidence = NONE) -> Readiness:
    silence = Silence(activity_s=silence_s, objects_s=silence_s)
    return judge(survey(facts), evidence, silence, LIMITS)


@pytest.mark.parametrize("here", range(1, 15))
@pytest.mark.parametrize("silence_s", [0.0, 29.0, 31.0, 899.0, 901.0, 1e6])
def test_a_prefix_that_the_headers_contradict_is_never_complete(here: int, silence_s: float):
    facts = series_facts(15, images_in_acquisition=15)[:here]
    answer = judged(facts, silence_s)
    assert not answer.is_complete
    assert answer.reasons == ("fewer_than_announced",)
    assert (answer.present, answer.expected) == (here, 15)


@pytest.mark.parametrize("here", range(1, 15))
def test_a_prefix_that_the_peer_contradicts_waits_and_is_held_after_the_deadline(here: int):
    facts, evidence = series_facts(15)[:here], Evidence(peer_count=15)
    assert judged(facts, 899.0, evidence).verdict is Verdict.WAITING
    answer = judged(facts, 900.0, evidence)
    assert (answer.verdict, answer.reasons) == (Verdict.INCOMPLETE, ("fewer_than_at_peer",))


@pytest.mark.parametrize("lost", range(1, 14))
@pytest.mark.parametrize("silence_s", [0.0, 31.0, 901.0])
def test_a_gap_outweighs_every_count(lost: int, silence_s: float):
    facts = [fact for n, fact in enumerate(series_facts(15, series_instances=14)) if n != lost]
    answer = judged(facts, silence_s, Evidence(peer_count=14))
    assert not answer.is_complete
    assert "missing_slice" in answer.reasons
    assert len(answer.missing_mm) == 1


@pytest.mark.parametrize("here", range(1, 11))
def test_a_second_echo_that_has_only_begun_outweighs_a_met_number_of_slices(here: int):
    second = [slice_facts(n, echo_time=20.0, number_of_slices=11) for n in range(here)]
    answer = judged([*series_facts(11, number_of_slices=11), *second], 31.0)
    assert (answer.verdict, answer.reasons) == (Verdict.WAITING, ("missing_images",))


@pytest.mark.parametrize(
    ("changes", "evidence", "proof"),
    [
        ({"images_in_acquisition": 15}, NONE, "images_in_acquisition"),
        ({"number_of_slices": 15}, NONE, "number_of_slices"),
        ({"series_instances": 15}, NONE, "series_instances"),
        ({}, Evidence(peer_count=15), "peer_count"),
    ],
)
def test_fifteen_gap_free_slices_with_a_met_count_are_proven_at_once(
    changes: dict[str, object], evidence: Evidence, proof: str
):
    answer = judged(series_facts(15, **changes), 0.0, evidence)
    assert (answer.verdict, answer.reasons) == (Verdict.COMPLETE_PROVEN, (proof,))


def test_one_enhanced_object_is_proven_at_once():
    whole = slice_facts(0, is_enhanced=True, number_of_frames=15, image_position=None)
    assert judged([whole], 0.0).reasons == ("enhanced",)


def test_without_any_count_the_quiet_time_decides_and_says_so():
    assert judged(series_facts(15), 29.9).verdict is Verdict.WAITING
    answer = judged(series_facts(15), 30.0)
    assert (answer.verdict, answer.reasons) == (Verdict.COMPLETE_ASSUMED, ("quiet",))


def test_a_sender_that_repeats_old_objects_puts_off_the_start_only_to_the_deadline():
    silence = Silence(activity_s=1.0, objects_s=900.0)
    assert judge(survey(series_facts(15)), NONE, silence, LIMITS).is_complete


def test_equal_counts_of_a_peer_that_still_receives_prove_nothing():
    growing = Evidence(peer_count=9, is_peer_growing=True)
    assert judged(series_facts(9), 1.0, growing).verdict is Verdict.WAITING
    assert judged(series_facts(9), 31.0, growing).reasons == ("quiet",)


@pytest.mark.parametrize("here", [1, 2, 3, 4])
def test_equal_counts_for_the_first_four_slices_prove_nothing(here: int):
    assert judged(series_facts(here), 1.0, Evidence(peer_count=here)).verdict is Verdict.WAITING


def test_a_smaller_number_at_the_peer_neither_proves_nor_contradicts():
    assert judged(series_facts(15), 1.0, Evidence(peer_count=9)).verdict is Verdict.WAITING
    assert judged(series_facts(15), 31.0, Evidence(peer_count=9)).reasons == ("quiet",)


def test_after_the_deadline_the_peer_outweighs_a_header_that_counts_other_series_in():
    facts, evidence = series_facts(15, images_in_acquisition=30), Evidence(peer_count=15)
    assert judged(facts, 899.0, evidence).verdict is Verdict.WAITING
    answer = judged(facts, 900.0, evidence)
    assert answer.verdict is Verdict.COMPLETE_ASSUMED
    assert answer.reasons == ("peer_has_no_more", "fewer_than_announced")


def test_a_broken_association_holds_a_series_that_nothing_proves():
    broken = Evidence(is_broken_off=True)
    assert judged(series_facts(9), 31.0, broken).verdict is Verdict.WAITING
    assert judged(series_facts(9), 901.0, broken).reasons == ("association_broken_off",)
    proven = Evidence(is_broken_off=True, peer_count=9)
    assert judged(series_facts(9), 1.0, proven).verdict is Verdict.COMPLETE_PROVEN


def test_a_person_overrules_everything_and_the_answer_still_names_what_is_missing():
    facts = [fact for n, fact in enumerate(series_facts(15)) if n != 7]
    answer = judged(facts, 0.0, Evidence(is_forced=True, peer_count=15))
    assert answer.verdict is Verdict.COMPLETE_ASSUMED
    assert answer.reasons == ("forced", "missing_slice", "fewer_than_at_peer")


@given(
    here=st.integers(1, 15),
    silence_s=st.floats(0, 1e5),
    peer=st.integers(0, 30),
    broken=st.booleans(),
)
def test_nothing_is_ever_both_doubted_and_proven(
    here: int, silence_s: float, peer: int, *, broken: bool
):
    facts = series_facts(15, series_instances=15)[:here]
    answer = judged(facts, silence_s, Evidence(peer_count=peer, is_broken_off=broken))
    if here < 15 and peer != here:
        assert not answer.is_complete
    if peer > here:
        assert not answer.is_complete


def test_the_answer_is_plain_data():
    answer = judged(series_facts(6), 0.0)
    assert answer.as_json() == asdict(answer)
    assert answer.as_json()["verdict"] == "waiting"
