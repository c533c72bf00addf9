"""The page of who connected."""

from __future__ import annotations

import re

from app.node.journal.associations import AssociationRecord, RejectedContext, write_associations
from app.node.journal.engine import transaction
from app.node.web.site import Site
from tests.builders.filled_journal import NOW
from tests.builders.web_site import client_of

HOSTILE = "<b onload=x>\"'"
CT = RejectedContext(
    "1.2.840.10008.5.1.4.1.1.2", "CT Image Storage", "abstract_syntax_not_supported"
)


def fill(site: Site, *records: dict[str, object]) -> None:
    told: dict[str, object] = {
        "began_at": NOW - 60,
        "ended_at": NOW - 58,
        "calling_ae_title": "SCANNER",
        "called_ae_title": "SPINENODE",
        "peer_address": "10.0.0.1",
        "outcome": "released",
    }
    made = [
        AssociationRecord(**(told | {"association_id": f"a{number}"} | values))  # type: ignore[arg-type]
        for number, values in enumerate(records)
    ]
    with transaction(site.engine) as connection:
        write_associations(connection, made)


def test_a_ct_and_a_wrong_title_are_told_in_words_and_counted_as_metrics(site: Site):
    fill(
        site,
        {"rejected_contexts": (CT,), "outcome": "nothing_accepted"},
        {"outcome": "called_ae_title_unknown", "called_ae_title": "ELSEWHERE", "repeats": 3},
        {"objects": 16, "statuses": {"0000": 15, "A700": 1}, "accepted_contexts": 1},
    )
    client = client_of(site)
    text = client.get("/connections").text
    assert "CT Image Storage" in text
    assert "this kind of object is not taken" in text
    assert "nothing accepted" in text
    assert "refused: wrong called title" in text
    assert "3 times" in text
    assert "ELSEWHERE" in text
    assert re.search("15 . <code>0x0000</code>, 1 . <code>0xA700</code>", text)
    metrics = client.get("/metrics").text
    assert 'association_outcomes_total{outcome="called_ae_title_unknown"} 3.0' in metrics
    assert 'rejected_contexts_total{reason="abstract_syntax_not_supported"} 1.0' in metrics


def test_filters_keep_each_other(site: Site):
    fill(site, {}, {"outcome": "network_not_allowed", "peer_address": "10.9.9.9"})
    client = client_of(site)
    refused = client.get("/connections?outcome=refused&days=7").text
    assert "10.9.9.9" in refused
    assert "10.0.0.1" not in refused
    assert "/connections?days=7&amp;outcome=released" in refused
    assert "10.0.0.1" not in client.get("/connections?text=9.9").text
    rows = client.get("/api/v1/connections?outcome=network_not_allowed").json()
    assert [row["peer_address"] for row in rows] == ["10.9.9.9"]


def test_what_is_older_than_asked_for_is_not_shown_and_long_lists_have_pages(site: Site):
    fill(site, *({"began_at": NOW - 60 - n} for n in range(120)), {"began_at": NOW - 90_000})
    client = client_of(site)
    first = client.get("/connections").text
    assert first.count('<li class="connection">') == 50
    assert "offset=50" in first
    last = client.get("/connections?offset=100").text
    assert last.count('<li class="connection">') == 20
    assert "Older" not in last
    assert client.get("/connections?days=3&offset=100").text.count('class="connection"') == 21


def test_titles_of_strangers_stay_text(site: Site):
    fill(site, {"calling_ae_title": HOSTILE, "called_ae_title": HOSTILE, "outcome": "<i>"})
    text = client_of(site).get(f"/connections?text={HOSTILE}").text
    assert "<b onload" not in text
    assert "<i>" not in text
    assert "&lt;b onload=x&gt;" in text


def test_nobody_is_a_sentence(site: Site):
    assert "Nobody connected." in client_of(site).get("/connections").text
