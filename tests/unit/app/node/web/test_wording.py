"""Words for everything the journal may say."""

import re
from pathlib import Path

import pytest

from app.node.journal.deliveries import WITHHELD
from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.web.reason_table import REASONS
from app.node.web.wording import (
    DELIVERIES,
    JOBS,
    SERIES,
    VERDICTS,
    error_words,
    outcome_words,
    reason_words,
    source_words,
    structure_words,
    verdict_words,
)

REPOSITORY = Path(__file__).parents[5]


@pytest.mark.parametrize(
    ("words", "states"), [(SERIES, SeriesState), (JOBS, JobState), (DELIVERIES, DeliveryState)]
)
def test_every_state_has_words(words: dict[str, object], states: type):
    assert set(words) == set(states)


def test_every_reason_of_selection_has_a_sentence():
    found: set[str] = set()
    for file in (REPOSITORY / "operators" / "dicom").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        found |= set(re.findall(r'(?:against|in_favour|hint)\(\s*"([a-z0-9_]+)"', text))
        found |= set(re.findall(r'"(unreadable_[a-z_]+)"', text)) if "against" in text else set()
    assert len(found) > 30
    assert found <= set(REASONS), found - set(REASONS)


def test_every_verdict_and_reason_of_completeness_has_words():
    text = (REPOSITORY / "app" / "node" / "intake" / "readiness.py").read_text(encoding="utf-8")
    verdicts = set(re.findall(r'^    [A-Z_]+ = "([a-z_]+)"', text, flags=re.MULTILINE))
    assert verdicts == set(VERDICTS)
    reasons = set(re.findall(r'yield "([a-z_]+)"|\("(quiet|forced|peer_has_no_more)"', text))
    names = {name for pair in reasons for name in pair if name}
    assert len(names) >= 8
    assert names <= set(REASONS), names - set(REASONS)


def test_a_name_without_an_entry_is_shown_and_not_hidden():
    assert reason_words("some_new_reason") == "Some new reason"
    assert verdict_words("new_verdict").label == "new verdict"
    assert source_words("oracle") == "oracle"
    assert error_words("strange_thing") == "Strange thing"


def test_a_delivery_that_the_gate_withholds_names_the_rules():
    said = error_words(WITHHELD + "vertebra_missing, vertebra_divided")
    assert said == "Withheld by the quality gate: vertebra missing, vertebra divided"


def test_codes_are_written_as_in_the_standard():
    assert outcome_words("refused_A700") == "Refused, 0xA700"
    assert error_words("status_A801") == "The peer answered 0xA801"
    assert structure_words("corpus") == "Vertebral body"
    assert structure_words("unheard_of") == "Unheard of"
