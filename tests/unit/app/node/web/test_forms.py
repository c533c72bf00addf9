"""Forms of the page: the token, the way back, and what the journal says afterwards."""

import re

import pytest
from starlette.testclient import TestClient

from app.node.journal.audit import list_deeds
from app.node.journal.engine import reading
from app.node.journal.overview import find_job
from app.node.web.forms import with_answer
from app.node.web.security import SESSION_COOKIE
from app.node.web.site import Site
from tests.builders.web_site import client_of


def token(client: TestClient) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', client.get("/attention").text)
    assert found is not None
    return found[1]


def state(site: Site, job_id: str) -> str:
    with reading(site.engine) as connection:
        row = find_job(connection, job_id)
    assert row is not None
    return row.state


def test_a_button_with_its_token_moves_the_job_and_is_audited(site: Site):
    client = client_of(site)
    fields = {"csrf_token": token(client), "identifier": "j-dead", "back": "/attention"}
    answer = client.post("/actions/job/replay", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/attention?answer=done")
    assert state(site, "j-dead") == "waiting"
    with reading(site.engine) as connection:
        deed = list_deeds(connection, limit=1)[0]
    assert (deed.actor, deed.action, deed.subject, deed.detail) == (
        "local", "job.replay", "j-dead", "done",
    )  # fmt: skip


def test_a_second_click_changes_nothing_and_says_so(site: Site):
    client = client_of(site)
    fields = {"csrf_token": token(client), "identifier": "j-dead"}
    client.post("/actions/job/replay", data=fields)
    answer = client.post("/actions/job/replay", data=fields)
    assert answer.headers["location"] == "/?answer=moved"
    assert "Nothing was changed" in client.get("/?answer=moved").text


@pytest.mark.parametrize("wrong", ["", "0" * 64, "x"])
def test_without_the_right_token_nothing_moves(site: Site, wrong: str):
    client = client_of(site)
    client.get("/attention")
    answer = client.post("/actions/job/replay", data={"csrf_token": wrong, "identifier": "j-dead"})
    assert answer.status_code == 403
    assert state(site, "j-dead") == "dead"


def test_a_token_of_another_session_moves_nothing(site: Site):
    stolen = token(client_of(site))
    client = client_of(site)
    client.get("/attention")
    answer = client.post("/actions/job/replay", data={"csrf_token": stolen, "identifier": "j-dead"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("address", "identifier", "status"),
    [
        ("/actions/job/explode", "j-dead", 404),
        ("/actions/job/replay", "nobody", 404),
        ("/actions/job/replay", "x" * 200, 422),
    ],
)
def test_what_does_not_exist_cannot_be_acted_on(
    site: Site, address: str, identifier: str, status: int
):
    client = client_of(site)
    fields = {"csrf_token": token(client), "identifier": identifier}
    assert client.post(address, data=fields).status_code == status


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1", "/a\n/b"]
)
def test_the_way_back_never_leads_elsewhere(back: str):
    assert with_answer(back, "done") == "/?answer=done"


def test_the_cookie_is_for_this_site_and_for_no_script(site: Site):
    header = client_of(site).get("/").headers["set-cookie"].lower()
    assert header.startswith(SESSION_COOKIE)
    assert "httponly" in header
    assert "samesite=lax" in header
