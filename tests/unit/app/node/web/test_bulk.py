"""A selection of studies: what can be done is done, each with its audit row; the rest is named."""

from __future__ import annotations

import re

import pytest

from app.node.journal.audit import list_deeds
from app.node.journal.engine import reading, transaction
from app.node.journal.overview import find_delivery, find_job, find_series
from app.node.journal.tables import DELIVERY
from app.node.web.site import Site
from tests.builders.filled_journal import STUDY
from tests.builders.journal_rows import insert
from tests.builders.web_site import client_of

OTHER = f"{STUDY}.900"
PROGRAM = {"X-Spine-Node": "1"}


@pytest.fixture
def busy(site: Site) -> Site:
    """Beside the filled study two with held results: one withheld, one replaced."""
    with transaction(site.engine) as c:
        for number in (1, 2):
            uid = f"8.{number}"
            insert(c, "study", study_uid=uid)
            insert(c, "series", series_uid=f"{uid}.1", study_uid=uid, state="accepted")
            job = {"study_uid": uid, "series_uid": f"{uid}.1", "state": "succeeded"}
            insert(c, "job", job_id=f"b{number}", finished_at=5.0, **job)
            insert(c, "delivery", delivery_id=f"e{number}", job_id=f"b{number}", state="held")
        insert(c, "job", job_id="b3", finished_at=9.0, revision=2, **job)
        c.execute(
            DELIVERY.update()
            .where(DELIVERY.c.delivery_id == "e1")
            .values(last_error="withheld: no_sacrum")
        )
    return site


def act(site: Site, name: str, *uids: str) -> dict[str, tuple[int, dict[str, int]]]:
    answer = client_of(site).post(
        f"/api/v1/studies/{name}", headers=PROGRAM, json={"study_uids": list(uids)}
    )
    assert answer.status_code == 200
    told = {one["study_uid"]: (one["done"], one["refused"]) for one in answer.json()["studies"]}
    assert answer.json()["done"] == sum(done for done, _ in told.values())
    return told


def states(site: Site, *ids: str) -> list[str]:
    with reading(site.engine) as c:
        rows = [find_delivery(c, one) for one in ids]
    return [row.state for row in rows if row is not None]


def test_release_leaves_out_by_name_what_must_not_go_out(busy: Site):
    told = act(busy, "release", STUDY, "8.1", "8.2", OTHER, "0.0", STUDY)
    assert told == {
        STUDY: (1, {}),
        "8.1": (0, {"withheld": 1}),
        "8.2": (0, {"replaced": 1}),
        OTHER: (0, {"nothing_to_release": 1}),
        "0.0": (0, {"unknown_study": 1}),
    }
    assert states(busy, "d-held", "e1", "e2") == ["queued", "held", "held"]
    with reading(busy.engine) as c:
        deeds = list_deeds(c)
    assert [(d.action, d.subject, d.detail) for d in deeds[:-1]] == [
        ("delivery.release", "d-held", "done")
    ]


def test_retry_takes_what_failed_and_nothing_else(busy: Site):
    assert act(busy, "retry", STUDY, OTHER) == {
        STUDY: (3, {}),
        OTHER: (0, {"nothing_failed": 1}),
    }
    assert states(busy, "d-dead", "d-parked", "d-held") == ["queued", "queued", "held"]
    with reading(busy.engine) as c:
        row, refused = find_job(c, "j-dead"), find_job(c, "j-refused")
    assert row is not None
    assert refused is not None
    assert (row.state, refused.state) == ("waiting", "refused")


def test_discard_ends_what_is_unfinished_and_leaves_what_is_done(busy: Site):
    told = act(busy, "discard", STUDY, OTHER, "8.2")
    assert told[OTHER] == (1, {})
    assert told["8.2"] == (1, {})
    assert told[STUDY][1] == {}
    kept = states(busy, "d-delivered", "d-sent", "d-held", "d-queued", "d-parked", "d-dead")
    assert kept == ["delivered", "sent", *["discarded"] * 4]
    with reading(busy.engine) as c:
        jobs = [find_job(c, f"j-{state}") for state in ("waiting", "queued", "succeeded")]
        held = find_series(c, f"{STUDY}.2")
    assert [row.state for row in jobs if row] == ["cancelled", "cancelled", "succeeded"]
    assert held is not None
    assert held.state == "discarded"


def test_the_form_of_the_list_shows_what_became_of_each_study(busy: Site):
    client = client_of(busy)
    text = client.get("/studies?name=&state=to_release").text
    token = re.search(r'name="csrf_token" value="(\w+)"', text)
    back = re.search(r'name="back" value="([^"]+)"', text)
    assert token is not None
    assert back is not None
    picked = re.findall(r'name="study" value="([^"]+)"', text)
    assert sorted(picked) == sorted([STUDY, "8.1", "8.2"])
    form = {"csrf_token": token[1], "study": picked, "back": back[1]}
    shown = client.post("/studies/selection/release", data=form).text
    assert "1 thing was changed in 1 of 3 studies." in shown
    assert "withheld by the quality gate" in shown
    assert "replaced by a later result" in shown
    assert "DOE, JANE" in shown
    assert 'href="/studies?name=' in shown
    away = client.post("/studies/selection/retry", data=form | {"back": "https://elsewhere"}).text
    assert "elsewhere" not in away


def test_a_selection_needs_the_pages_own_token_and_a_program_its_header(busy: Site):
    client = client_of(busy)
    assert client.post("/studies/selection/release", data={"study": [STUDY]}).status_code == 403
    body = {"study_uids": [STUDY]}
    assert client.post("/api/v1/studies/release", json=body).status_code == 403
    assert client.post("/api/v1/studies/odd", json=body, headers=PROGRAM).status_code == 422
    assert states(busy, "d-held") == ["held"]


def test_all_of_a_page_are_selected_by_a_link_that_needs_no_script(busy: Site):
    client = client_of(busy)
    assert " checked" not in client.get("/studies?state=failed").text
    text = client.get("/studies?state=failed").text
    link = re.search(r'href="(/studies\?[^"]*chosen=all)"', text)
    assert link is not None
    assert "state=failed" in link[1]
    chosen = client.get(link[1].replace("&amp;", "&")).text
    assert chosen.count(" checked") == chosen.count('type="checkbox"') == 1


def test_nothing_selected_is_a_sentence(busy: Site):
    client = client_of(busy)
    token = re.search(r'name="csrf_token" value="(\w+)"', client.get("/studies").text)
    assert token is not None
    shown = client.post("/studies/selection/retry", data={"csrf_token": token[1]}).text
    assert "No study was selected." in shown
