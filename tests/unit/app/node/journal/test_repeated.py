"""One UID on images of several places is told from a corrected image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.node.journal.engine import reading
from app.node.journal.repeated import count_repeated_uids
from tests.builders.arrival_facts import series_facts
from tests.builders.journals import SERIES_UID, arrival, arrive, empty_journal


@pytest.mark.parametrize(
    ("places", "associations", "expected"),
    [((1, 2, 3), ("a", "a", "a"), 1), ((1, 1), ("a", "a"), 0), ((1, 2), ("a", "b"), 0)],
)
def test_only_several_places_in_one_association_are_no_versions(
    tmp_path: Path, places: tuple[int, ...], associations: tuple[str, ...], expected: int
) -> None:
    engine = empty_journal(tmp_path)
    facts = series_facts(6)
    sent = [arrival(n, fact) for n, fact in enumerate(facts)]
    versions = [
        replace(sent[0], digest=f"{n}" * 64, facts=facts[place], association_id=association)
        for n, (place, association) in enumerate(zip(places, associations, strict=True), start=1)
    ]
    arrive(engine, *sent[1:], *versions)
    with reading(engine) as c:
        assert count_repeated_uids(c, SERIES_UID) == expected
    engine.dispose()
