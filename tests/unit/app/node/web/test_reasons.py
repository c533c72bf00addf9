"""Reasons in words, whoever wrote them."""

from app.node.web.reasons import (
    deciding_words,
    decision_words,
    doubts,
    problem_words,
    shown_reasons,
)


def test_only_what_decides_is_named_in_short():
    decision = {
        "accepted": False,
        "reasons": [
            {"name": "sagittal", "detail": "", "speaks_for": True, "decides": True},
            {"name": "short_inversion_time", "detail": "TI 160 ms", "speaks_for": False},
            {"name": "fat_suppressed", "detail": "", "speaks_for": False, "decides": False},
        ],
    }
    assert deciding_words(decision) == "Inversion recovery with a short inversion time (STIR)"
    assert [reason.decides for reason in shown_reasons(decision)] == [True, True, False]


def test_bare_names_decide_in_the_sense_of_the_decision():
    assert deciding_words({"accepted": False, "reasons": ["not_an_image"]}) == (
        "Not an image object (kept, never segmented)"
    )


def test_an_empty_or_odd_decision_says_nothing():
    assert deciding_words({}) == ""
    assert shown_reasons({"reasons": [None, 3]}) == []
    assert doubts({"reasons": ["missing_slice"]}) == ["A slice is missing between others"]


def test_selected_accepted_and_neither_are_three_different_things():
    assert decision_words({"selected": True, "accepted": True}) == "Selected for segmentation"
    assert decision_words({"selected": True, "accepted": False}) == "Selected, but no volume"
    assert decision_words({"accepted": False}) == "Not selected"


def test_a_problem_of_the_files_is_a_sentence_with_its_figures():
    assert problem_words("missing_pixels: 3 of 12 files") == "Missing pixels: 3 of 12 files"
    assert problem_words("unreadable_attributes") == "Unreadable attributes"
