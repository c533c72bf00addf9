"""The list of studies: rows instead of UIDs, a search that keeps to its filters, and JSON."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from app.node.journal.engine import transaction
from app.node.journal.patients import PatientAttributes, keep_patient
from app.node.web.site import Site
from app.settings.patients import PatientSettings
from tests.builders.filled_journal import NOW, STUDY
from tests.builders.journal_rows import insert
from tests.builders.web_site import Told, client_of

SECRETS = ("DOE", "PID-0815", "A1001", "19700131", "lumbar spine")


def fill(site: Site, count: int) -> None:
    with transaction(site.engine) as c:
        for number in range(count):
            uid = f"7.{number}"
            at = NOW - 1000 - number / 3
            insert(c, "study", study_uid=uid, arrived_at=at, calling_ae_title="MR2")
            keep_patient(c, uid, PatientAttributes(patient_name=f"ROE^{number:03}"))


def names(text: str) -> list[str]:
    return re.findall(r'<a id="study-[^"]+" href="[^"]+">([^<]+)</a>', text)


def test_a_study_is_a_row_with_its_patient_and_states_and_no_uid(site: Site):
    text = client_of(site).get("/studies").text
    row = next(part for part in text.split("<tr>") if "DOE, JANE" in part)
    visible = re.sub("<[^>]+>", " ", row)
    for part in ("PID-0815", "1970-01-31", "2023-11-13", "MR lumbar spine", "A1001", "SCANNER"):
        assert part in visible
    for state in ("receiving", "selected", "failed", "held for release", "delivered"):
        assert state in visible
    assert STUDY not in visible


def test_every_list_names_the_patient_and_leads_to_the_study(site: Site):
    client = client_of(site)
    for address in ("/", "/arrivals", f"/series/{STUDY}.4", "/jobs/j-succeeded", "/deliveries"):
        text = client.get(address).text
        assert f'<a href="/studies/{STUDY}">DOE, JANE</a>' in text, address
    study = client.get(f"/studies/{STUDY}").text
    assert "t2_tse_sag lumbar" in study
    assert 'id="job-j-succeeded"' in study
    assert client.get("/studies/1.2.3.4").status_code == 404


def test_a_search_keeps_its_filters_over_pages_and_finds_each_study_once(site: Site):
    fill(site, 60)
    client, seen = client_of(site), []
    address = "/studies?name=roe&patient_id=&sender=MR2"
    for _ in range(3):
        text = client.get(address).text
        seen += names(text)
        older = re.search(r'rel="next" href="([^"]+)"', text)
        address = html.unescape(older[1]) if older else ""
    assert seen == [f"ROE, {number:03}" for number in range(60)]
    assert address == ""
    newer = re.search(r'rel="prev" href="([^"]+)"', text)
    assert newer is not None
    assert names(client.get(html.unescape(newer[1])).text) == seen[25:50]


def test_programs_find_the_same(site: Site):
    fill(site, 3)
    client = client_of(site)
    first = client.get("/api/v1/studies?name=roe&limit=2").json()
    assert [row["patient"]["patient_name"] for row in first["studies"]] == ["ROE^000", "ROE^001"]
    assert first["newer"] is None
    second = client.get(f"/api/v1/studies?name=roe&limit=2&older_than={first['older']}").json()
    assert [row["study_uid"] for row in second["studies"]] == ["7.2"]
    assert second["older"] is None
    row = client.get(f"/api/v1/studies/{STUDY}").json()
    assert row["patient"]["accession_number"] == "A1001"
    assert row["deliveries"]["held"] == 1
    assert client.get("/api/v1/studies/0").status_code == 404
    described = client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/studies"]["get"]
    assert {"name", "patient_id", "accession", "date_from", "state", "older_than"} <= {
        parameter["name"] for parameter in described["parameters"]
    }


@pytest.mark.parametrize(
    "query", ["date_from=2024-02-30", "date_to=x", "state=odd", "older_than=1e9~1.2", "limit=0"]
)
def test_what_cannot_be_meant_is_refused_by_name(site: Site, query: str):
    client = client_of(site)
    assert client.get(f"/api/v1/studies?{query}").status_code == 422
    if "limit" not in query:
        assert "not possible" in client.get(f"/studies?{query}").text


def test_dates_of_the_form_find_the_study_of_that_day_only(site: Site):
    client = client_of(site)
    assert names(client.get("/studies?date_from=2023-11-13&date_to=2023-11-13").text) == [
        "DOE, JANE"
    ]
    assert names(client.get("/studies?date_from=2023-11-16").text) == []


def test_a_site_that_keeps_no_patients_still_has_its_studies(site: Site):
    with transaction(site.engine) as c:
        c.exec_driver_sql("DELETE FROM patient")
    node = site.node.model_copy(update={"patients": PatientSettings(keep=False)})
    client = client_of(replace(site, node=node))
    text = client.get("/studies").text
    assert text.count("Patients are not kept") == 2
    assert f"<code>{STUDY}</code>" in text
    assert 'name="patient_id"' not in text
    assert 'name="date_from"' in text


def test_what_names_a_patient_is_in_no_event_and_no_metric(site: Site):
    client = client_of(site)
    for address in ("/studies?name=doe", f"/studies/{STUDY}", "/api/v1/studies?patient_id=PID*"):
        client.get(address)
    told = client.get("/metrics").text + client.get("/api/v1/status").text
    assert isinstance(site.emit, Told)
    told += str(site.emit.events)
    assert [secret for secret in SECRETS if secret in told] == []
