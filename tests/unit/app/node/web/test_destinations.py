"""The destinations page says what was observed; its buttons act, and are on record."""

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from app.node.journal.audit import list_deeds
from app.node.journal.destinations import note_confirmation, note_failure, open_breaker
from app.node.journal.engine import reading, transaction
from app.node.journal.parcels import advance, count_attempt, parcels_of
from app.node.journal.states import DeliveryEvent
from app.node.journal.tallies import DestinationRow, list_destinations
from app.node.web.site import Site
from operators.dicom.identity.result_kinds import ENHANCED_SR_STORAGE
from tests.builders.faulty_pacs import FaultyPacs, faulty_pacs
from tests.builders.filled_journal import NOW, PACS
from tests.builders.planned_deliveries import delivery_rows, plan_job
from tests.builders.web_pacs import web_pacs
from tests.builders.web_site import client_of


def health(site: Site) -> DestinationRow:
    with reading(site.engine) as connection:
        return list_destinations(connection)[PACS]


def deeds(site: Site) -> list[tuple[str, str, str]]:
    with reading(site.engine) as connection:
        return [(deed.action, deed.subject, deed.detail) for deed in list_deeds(connection)]


def press(client: TestClient, button: str) -> str:
    """Press a button of the destinations page; where the browser is led."""
    page = client.get("/destinations").text
    form = re.search(rf'action="/destinations/{PACS}/{button}">(.*?)</form>', page, re.DOTALL)
    assert form is not None
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[1]))
    return client.post(f"/destinations/{PACS}/{button}", data=fields).headers["location"]


def row_of(page: str, name: str) -> str:
    found = re.search(rf'<tr>\s*<th scope="row"><a id="to-{name}".*?</tr>', page, re.DOTALL)
    assert found is not None
    return re.sub(r"<[^>]+>|\s+", " ", found[0])


def test_26_refusals_and_how_it_confirms_are_on_the_page(site: Site):
    with transaction(site.engine) as connection:
        for _ in range(26):
            note_failure(connection, PACS, NOW - 5, "status_C000")
        note_confirmation(connection, PACS, NOW - 60, "c_store")
    row = re.sub(" +", " ", row_of(client_of(site).get("/destinations").text, PACS))
    assert "failing 26 in a row" in row
    assert "C-STORE answer 1 min ago" in row  # though its settings say C-FIND
    assert "cannot understand" in row


def test_try_now_ends_the_pause_and_gives_what_waits_a_new_round(site: Site):
    data = site.node.data
    job = plan_job(site.engine, data, "late", destinations=(PACS,), now=NOW)
    with transaction(site.engine) as connection:
        group = job.group()
        count_attempt(connection, group, parcels_of(connection, group), NOW + 600)
        note_failure(connection, PACS, NOW, "unreachable")
        open_breaker(connection, PACS, NOW + 600)
    client = client_of(site)
    assert press(client, "try") == "/destinations?answer=done"
    assert health(site).open_until is None
    assert health(site).consecutive_failures == 1
    rows = delivery_rows(site.engine, job)
    assert [(row.generation, row.attempts, row.next_attempt_at) for row in rows] == [
        (2, 1, None)
    ] * 2
    assert deeds(site)[0] == ("destination.try", PACS, "done")


def test_a_delivery_that_waits_for_commitment_says_since_when(site: Site):
    job = plan_job(site.engine, site.node.data, "late", destinations=(PACS,), now=NOW)
    with transaction(site.engine) as connection:
        for parcel in parcels_of(connection, job.group(PACS)):
            facts = {"sent_at": NOW - 90, "commit_asked_at": NOW - 60}
            facts["last_error"] = "commitment_overdue"
            advance(connection, parcel, DeliveryEvent.ACKNOWLEDGE, **facts)
    client = client_of(site)
    page = re.sub(r"<[^>]+>|\s+", " ", client.get("/attention/delivery_uncommitted").text)
    page = re.sub(" +", " ", page)
    assert page.count("asked to commit 1 min ago") == 2
    assert "has not reported on storage commitment" in page


@pytest.fixture
def peered(site: Site):
    """The site with a real destination."""
    with faulty_pacs() as pacs:
        node = site.node.model_copy(update={"peers": [pacs.peer(PACS)]})
        yield replace(site, node=node), pacs


def test_c_echo_tells_whether_the_destination_answers(peered: tuple[Site, FaultyPacs]):
    site, _ = peered
    assert press(client_of(site), "echo") == "/destinations?answer=answered"
    assert (health(site).echo_at, health(site).echo_error) == (NOW, "")
    assert deeds(site)[0] == ("destination.echo", PACS, "answered")
    row = re.sub(" +", " ", row_of(client_of(site).get("/destinations").text, PACS))
    assert "answered now takes segmentation " in row
    assert "gets segmentation, report" in row


def test_c_echo_tells_whether_reports_are_taken(site: Site):
    with faulty_pacs(also_takes=[ENHANCED_SR_STORAGE]) as pacs:
        peer = pacs.peer(PACS, objects=["report"])
        site = replace(site, node=site.node.model_copy(update={"peers": [peer]}))
        press(client_of(site), "echo")
    assert health(site).objects_taken == "segmentation report"
    assert "gets report" in row_of(client_of(site).get("/destinations").text, PACS)


def test_a_web_destination_is_asked_by_qido_and_shown_with_its_address(site: Site):
    with web_pacs() as pacs:
        node = site.node.model_copy(update={"peers": [pacs.peer(PACS)]})
        site = replace(site, node=node)
        assert press(client_of(site), "echo") == "/destinations?answer=answered"
    with transaction(site.engine) as connection:
        note_confirmation(connection, PACS, NOW - 60, "qido_rs")
    row = re.sub(" +", " ", row_of(client_of(site).get("/destinations").text, PACS))
    assert pacs.peer().url in row
    assert "QIDO-RS 1 min ago" in row
    assert "C-ECHO" not in row


def test_c_echo_to_nobody_says_so_on_the_page_and_by_api(site: Site):
    peer = site.node.peers[0].model_copy(update={"port": 1})
    site = replace(site, node=site.node.model_copy(update={"peers": [peer]}))
    client = client_of(site)
    answer = client.post(f"/api/v1/destinations/{PACS}/echo", headers={"X-Spine-Node": "1"})
    assert answer.json() == {"outcome": "silent", "error": "unreachable"}
    assert health(site).echo_error == "unreachable"
    assert health(site).objects_taken is None
    assert "does not answer" in row_of(client.get("/destinations").text, PACS)


def test_what_is_not_ours_is_refused(site: Site):
    client = client_of(site)
    assert client.post(f"/api/v1/destinations/{PACS}/try").status_code == 403
    headers = {"X-Spine-Node": "1"}
    assert client.post("/api/v1/destinations/nobody/try", headers=headers).status_code == 404
    assert client.post(f"/api/v1/destinations/{PACS}/erase", headers=headers).status_code == 422
    fields = {"identifier": PACS, "csrf_token": "0" * 64}
    assert client.post(f"/destinations/{PACS}/try", data=fields).status_code == 403
