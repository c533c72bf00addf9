from __future__ import annotations

import json

from app.node.journal.facts import ArrivalFacts


def test_facts_survive_the_journal_and_leave_out_what_was_not_said() -> None:
    facts = ArrivalFacts(
        modality="MR",
        is_image=True,
        image_position=(1.0, 2.0, 3.5),
        image_type=("ORIGINAL", "PRIMARY"),
        acquisition_number=0,
    )
    text = facts.to_json()
    assert ArrivalFacts.from_json(text) == facts
    assert "echo_time" not in json.loads(text)
    assert json.loads(text)["acquisition_number"] == 0


def test_facts_of_another_version_are_read_without_the_unknown_ones() -> None:
    assert ArrivalFacts.from_json('{"rows": 4, "invented_later": 1}') == ArrivalFacts(rows=4)
