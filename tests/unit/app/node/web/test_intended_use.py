"""Who answers for the results, and since when: settings, audit trail, page and API."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.node.journal.audit import list_deeds
from app.node.journal.engine import reading
from app.node.web.intended_use import NOT_SET, note_intended_use
from app.run.identity import identity_of, intended_use_of
from app.settings import IntendedUseSettings, load_settings
from operators.dicom.identity.provenance import RESEARCH_NOTICE
from tests.builders.filled_journal import NOW, fill
from tests.builders.results import USE
from tests.builders.web_site import client_of, site_of

SAID = "For planning in this hospital (responsible: Dr. Ada Example)"


@pytest.mark.parametrize(
    "given",
    [
        {"statement": "For planning in this hospital"},
        {"responsible": "Dr. Ada Example"},
        {"statement": "For planning in this hospital", "responsible": "   "},
        {"statement": "          ", "responsible": "Dr. Ada Example"},
        {"statement": "For planning\nin this hospital", "responsible": "Dr. Ada Example"},
        {"statement": "For planning in this hospital", "responsible": "Dr. Ada \\ Example"},
        {"statement": "For planning in this hospital", "responsible": "Ä" * 5},
        {"statement": "For planning in this hospital", "responsible": "Ada", "notice": "none"},
    ],
)
def test_a_statement_without_a_name_or_a_name_without_a_statement_is_refused(given):
    with pytest.raises(ValidationError):
        IntendedUseSettings.model_validate(given)


def test_the_settings_alone_take_the_notice_off_and_make_other_results():
    settings = load_settings()
    assert intended_use_of(settings) is None
    assert identity_of(settings).intended_use is None
    used = IntendedUseSettings(statement=USE.statement, responsible=USE.responsible)
    cleared = settings.model_copy(update={"intended_use": used})
    assert intended_use_of(cleared) == USE
    assert identity_of(cleared) != identity_of(settings)
    assert identity_of(cleared).parameters == identity_of(settings).parameters


def test_every_change_is_kept_in_the_audit_trail_once(tmp_path: Path):
    site = site_of(tmp_path)
    told = []
    site = replace(site, emit=lambda event, **values: told.append((event.number, values)))
    other = replace(USE, responsible="Prof. Bea Other")
    changes = [None, USE, USE, other, None, None]
    noted = [
        note_intended_use(replace(site, intended_use=use, clock=lambda at=at: NOW + at))
        for at, use in enumerate(changes)
    ]
    assert noted == [False, True, False, True, True, False]
    with reading(site.engine) as connection:
        deeds = [d for d in list_deeds(connection) if d.action == "settings.intended_use"]
    assert {d.actor for d in deeds} == {"settings"}
    assert [d.detail for d in deeds] == [NOT_SET, other.text, SAID]
    assert told == [(609, {"is_set": True}), (609, {"is_set": True}), (609, {"is_set": False})]


def test_page_and_api_say_it_where_the_research_notice_was(tmp_path: Path):
    site = site_of(tmp_path)
    with client_of(site) as client:
        assert "not for diagnosis" in client.get("/jobs").text
    with client_of(replace(site, intended_use=USE)) as client:
        page = client.get("/jobs").text
        assert SAID in page
        assert "not for diagnosis" not in page
        assert client.get("/api/v1/status").json()["notice"] == SAID


def test_a_result_keeps_the_use_that_it_was_made_for(tmp_path: Path):
    since = "the intended use in the settings is another one now"
    site = site_of(tmp_path)
    fill(site.engine, tmp_path)
    with client_of(site) as client:
        before = client.get("/jobs/j-succeeded").text
    assert RESEARCH_NOTICE[1:] in before
    assert since not in before
    with client_of(replace(site, intended_use=USE)) as client:
        page = client.get("/jobs/j-succeeded").text
    assert f"{RESEARCH_NOTICE[1:]}. So it stands in these results; {since}" in page
    assert SAID in page  # below every page: what new results are for
