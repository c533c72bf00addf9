"""One number on the page, in the API and as a metric; and the button "Seen"."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from app.node.journal.audit import list_deeds
from app.node.journal.engine import reading, transaction
from app.node.journal.lookout import Lookout
from app.node.journal.tables import INSTANCE, PROCESS
from app.node.journal.tables import STUDY as STUDIES
from app.node.web.site import Site
from tests.builders.filled_journal import NOW, STUDY
from tests.builders.journal_rows import insert
from tests.builders.web_site import client_of

HEADER = {"X-Spine-Node": "test"}


def numbers(client: TestClient) -> set[int]:
    """The number as page, overview, API and metric tell it."""
    in_bar = re.search(r'href="/attention"[^>]*>Attention <span class="count">(\d+)<', get(client))
    on_page = re.search(r"(\d+) things? needs? a person", get(client))
    metric = re.search(r"^spine_node_needs_person (\d+)", get(client, "/metrics"), re.MULTILINE)
    status = client.get("/api/v1/status").json()["attention"]
    rows = client.get("/api/v1/attention").json()
    alarms = sum(row["count"] for row in rows if row["severity"] == "alarm")
    told = {int(found[1]) if found else 0 for found in (in_bar, on_page)}
    return told | {int(metric[1]) if metric else -1, status, alarms}


def get(client: TestClient, address: str = "/") -> str:
    return client.get(address).text


def press(client: TestClient, **fields: object) -> str:
    token = re.search(r'name="csrf_token" value="([^"]+)"', get(client, "/attention"))
    assert token is not None
    answer = client.post("/attention/acknowledge", data={"csrf_token": token[1], **fields})
    assert answer.status_code == 303
    return answer.headers["location"]


def test_page_api_and_metric_tell_the_same_number(site: Site):
    client = client_of(site)
    assert numbers(client) == {6}
    with transaction(site.engine) as connection:
        beat = PROCESS.update().where(PROCESS.c.role == "listener").values(beat=NOW - 31)
        connection.execute(beat)
    assert numbers(client_of(replace(site, lookout=Lookout()))) == {7}


def test_seen_takes_a_refused_job_off_the_number_and_leaves_it_in_its_list(site: Site):
    client = client_of(site)
    assert ">Seen</button>" in get(client, "/jobs/j-refused")
    assert "answer=done" in press(
        client, kind="job_refused", subject="j-refused", back="/attention"
    )
    assert numbers(client) == {5}
    assert "j-refused" in get(client, "/jobs?state=refused")
    assert ">Seen</button>" not in get(client, "/jobs/j-refused")
    assert "attention.acknowledge" in get(client, "/jobs/j-refused")
    with reading(site.engine) as connection:
        deed = list_deeds(connection, limit=1)[0]
    assert (deed.action, deed.subject, deed.detail) == (
        "attention.acknowledge",
        "j-refused",
        "job_refused: 1",
    )


def test_120_quarantined_objects_are_shown_page_by_page_and_seen_together(site: Site):
    with transaction(site.engine) as connection:
        for number in range(119):
            values = {"sop_instance_uid": f"8.{number}", "path": f"q/{number}.dcm"}
            insert(connection, "instance", series_uid="", state="quarantined", **values)
    client = client_of(site)
    assert numbers(client) == {125}
    short = get(client, "/attention")
    assert "Show all 120" in short
    assert short.count("<code>q/") == 9
    assert "offset=50" in get(client, "/attention/object_quarantined")
    assert "Older" not in get(client, "/attention/object_quarantined?offset=100")
    until = re.search(r'name="until" value="([^"]+)"', get(client, "/attention/object_quarantined"))
    assert until is not None
    press(client, kind="object_quarantined", until=until[1])
    assert numbers(client) == {5}
    assert "None." in get(client, "/attention/object_quarantined")


def test_programs_acknowledge_with_the_header_and_nobody_without(site: Site):
    client = client_of(site)
    address = "/api/v1/attention/job_failed/acknowledge?subject=j-dead"
    assert client.post(address).status_code == 403
    assert client.post(address, headers=HEADER).json() == {"count": 1, "attention": 5}
    assert client.post(address, headers=HEADER).json() == {"count": 0, "attention": 5}


def test_a_lost_worker_is_dismissed_by_name(site: Site):
    with transaction(site.engine) as connection:
        row = {"process_id": "node2-1", "role": "worker", "beat": NOW - 900, "detail": "{}"}
        connection.execute(PROCESS.insert().values(**row))
    client = client_of(site)
    assert numbers(client) == {7}
    assert "node2-1" in get(client, "/attention")
    press(client, kind="process_silent", subject="node2-1")
    assert numbers(client) == {6}


@pytest.mark.parametrize("kind", ["series_held", "delivery_held", "disk_low", "nonsense"])
def test_what_cannot_be_dismissed_is_not(site: Site, kind: str):
    client = client_of(site)
    address = f"/api/v1/attention/{kind}/acknowledge"
    assert client.post(address, headers=HEADER).status_code == 404
    assert numbers(client) == {6}


def test_a_foreign_form_dismisses_nothing(site: Site):
    client = client_of(site)
    answer = client.post("/attention/acknowledge", data={"kind": "job_refused"})
    assert answer.status_code == 403
    assert numbers(client) == {6}


def test_planned_releases_are_a_task_and_no_alarm(site: Site):
    text = get(client_of(site), "/attention")
    assert re.search(r'class="count task">1</span> result objects to release', text)


def test_a_kind_without_a_list_is_no_page(site: Site):
    assert client_of(site).get("/attention/delivery_held").status_code == 404


def words_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_an_object_at_a_destination_that_is_outdated_is_named_with_its_place(site: Site):
    with transaction(site.engine) as c:
        insert(
            c, "job", job_id="j-newer", series_uid=f"{STUDY}.4", study_uid=STUDY, revision=3,
            state="succeeded", created_at=NOW - 100, finished_at=NOW - 50,
            predecessor_job_id="j-succeeded",
        )  # fmt: skip
        # The inputs of the filled journal's jobs have this digest.
        c.execute(INSTANCE.update().where(INSTANCE.c.series_uid == f"{STUDY}.4").values(digest="0"))
    client = client_of(site)
    assert "objects at a destination that a later result replaces" in client.get("/").text
    page = client.get("/attention/delivery_superseded").text
    assert "pacs has series2_instances.dcm of DOE, JANE" in words_of(page)
    assert "SOP Instance UID 2.25.2" in words_of(page)
    assert "replaced by revision 3" in words_of(page)
    assert "/jobs/j-newer" in page
    assert "Done there" in page
    with transaction(site.engine) as c:
        c.execute(STUDIES.update().values(patient_changed_at=NOW - 40))
    page = client.get("/attention").text
    assert "Objects at a destination that name another patient" in words_of(page)
    assert "of the study that is now of DOE, JANE" in words_of(page)
    assert "2.25.2" in page.split('id="delivery_wrong_patient"')[1]
    assert client.get("/attention/delivery_superseded").text.count("Done there") == 0
    held = words_of(client.get("/deliveries?state=held").text)
    assert "came again with another patient" in held
