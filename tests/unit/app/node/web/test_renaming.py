"""A person corrects levels: by form and by API, what is kept, audited and refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.node.archive.given_names import FOLDER, given_names
from app.node.journal import corrections
from app.node.journal.audit import Deed, list_deeds
from app.node.journal.engine import reading, transaction
from app.node.journal.level_inputs import LevelInputs, level_inputs
from app.node.journal.overview import find_job
from app.node.web.site import Site
from operators.anatomy.levels import LevelName
from operators.anatomy.named_vertebrae import NamedVertebra
from tests.builders.filled_journal import NOW, RECORD
from tests.builders.web_site import client_of

JOB = "j-succeeded"
ADDRESS = f"/api/v1/jobs/{JOB}/levels"
HEADER = {"X-Spine-Node": "test"}
L1, L4, L5, T12 = 20, 23, 24, 19


@pytest.fixture
def finished(site: Site) -> Site:
    """The series of the jobs has no unfinished one; vertebrae 4 to 8 are L1 to L5."""
    with transaction(site.engine) as c:
        c.exec_driver_sql(
            "UPDATE job SET state = 'cancelled' WHERE state IN ('waiting', 'queued', 'running')"
        )
        for n in range(19):
            uid = {"uid": f"1.2.840.1.4.{n}"}
            c.exec_driver_sql("UPDATE instance SET digest = '0' WHERE sop_instance_uid = :uid", uid)
    return site


def place(n: int) -> tuple[float, float, float]:
    return (1.0, 9.0, -32.0 * n)


def said(site: Site) -> list[tuple[int, int, tuple[float, ...]]]:
    """Number, level and place of every name that counts."""
    with reading(site.engine) as c:
        job = find_job(c, JOB)
        assert job is not None
        found = corrections.latest(c, job.series_uid, job.content_digest)
    assert found is not None
    return [(one.vertebra, one.level, one.centre_mm) for one in found.named]


def keep_record(site: Site, *entries: dict[str, Any]) -> None:
    record = json.dumps({**RECORD.as_dict(), "series": entries})
    with transaction(site.engine) as c:
        c.exec_driver_sql("UPDATE job SET record = :r WHERE job_id = :j", {"r": record, "j": JOB})


def entry_of(key: str, levels: dict[int, LevelName]) -> dict[str, Any]:
    return {"key": key, "levels": {str(n): name.as_json() for n, name in levels.items()}}


def test_a_name_is_kept_with_its_place_and_the_job_runs_again(finished: Site):
    answer = client_of(finished).post(ADDRESS, json={"names": {"8": "L6"}}, headers=HEADER)
    assert answer.json() == {"changed": True, "state": "waiting"}
    assert said(finished) == [(8, 25, place(8))]
    with reading(finished.engine) as c:
        deed = list_deeds(c, limit=1)[0]
    assert deed == Deed(
        at=NOW,
        actor="local",
        action="job.levels",
        subject=JOB,
        detail="8: L5 -> L6",
        role="administrator",
        address="testclient",
    )


@pytest.mark.parametrize(
    ("shift", "levels"),
    [("up", [T12, 20, 21, 22, L4]), ("down", [21, 22, L4, L5])],
)
def test_all_names_move_by_one(finished: Site, shift: str, levels: list[int]):
    client_of(finished).post(ADDRESS, json={"shift": shift}, headers=HEADER)
    assert [level for _, level, _ in said(finished)] == levels
    assert [vertebra for vertebra, _, _ in said(finished)] == list(range(4, 4 + len(levels)))


def form_of(client: TestClient, what: str, **changes: str) -> dict[str, str]:
    text = client.get(f"/jobs/{JOB}").text
    token = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', text)
    assert token is not None
    return {"csrf_token": token[1], "back": f"/jobs/{JOB}", "what": what, **changes}


def test_the_page_offers_it_and_its_form_leads_back(finished: Site):
    client = client_of(finished)
    text = client.get(f"/jobs/{JOB}").text
    assert f'action="/jobs/{JOB}/levels"' in text
    assert '<option value="8">8 (L5)</option>' in text
    form = form_of(client, "name", key="series2", vertebra="8", level="L6")
    answer = client.post(f"/jobs/{JOB}/levels", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{JOB}?answer=done")
    assert said(finished) == [(8, 25, place(8))]
    again = client.post(f"/jobs/{JOB}/levels", data=form)
    assert again.headers["location"] == f"/jobs/{JOB}?answer=moved"
    text = client.get(f"/jobs/{JOB}").text
    assert "named by local" in text
    assert f'action="/jobs/{JOB}/levels"' not in text


def test_what_was_said_can_be_withdrawn(finished: Site):
    client = client_of(finished)
    client.post(ADDRESS, json={"shift": "up"}, headers=HEADER)
    with transaction(finished.engine) as c:
        c.exec_driver_sql("UPDATE job SET state = 'succeeded' WHERE state = 'waiting'")
    form = form_of(client, "withdraw", key="series2")
    assert client.post(f"/jobs/{JOB}/levels", data=form).headers["location"].endswith("=done")
    assert said(finished) == []
    with reading(finished.engine) as c:
        assert "withdrawn" in {deed.detail for deed in list_deeds(c, subject=JOB)}


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_without_the_pages_token_nothing_is_said(finished: Site, token: str):
    client = client_of(finished)
    form = form_of(client, "up") | {"csrf_token": token}
    assert client.post(f"/jobs/{JOB}/levels", data=form).status_code == 403
    assert client.post(ADDRESS, json={"shift": "up"}).status_code == 403
    with pytest.raises(AssertionError):
        said(finished)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"names": {"9": "L5"}}, "unknown_vertebra"),
        ({"names": {"8": "L7"}}, "unknown_level"),
        ({"names": {"4": "L5"}}, "impossible_order"),
        ({"names": {"7": "L5", "8": "L5"}}, "impossible_order"),
        ({"names": {"4": "sacrum"}}, "impossible_order"),
        ({"names": {"8": "L6"}, "key": "other"}, "unknown_result"),
    ],
)
def test_what_cannot_be_is_refused_by_name(finished: Site, body: dict, reason: str):
    answer = client_of(finished).post(ADDRESS, json=body, headers=HEADER)
    assert (answer.status_code, answer.json()["reasons"]) == (422, [reason])
    with reading(finished.engine) as c:
        job = find_job(c, JOB)
    assert job is not None
    assert job.state == "succeeded"


@pytest.mark.parametrize(
    "body", [{}, {"shift": "sideways"}, {"shift": "up", "withdraw": True}, {"name": "L5"}]
)
def test_a_body_says_one_thing(finished: Site, body: dict):
    assert client_of(finished).post(ADDRESS, json=body, headers=HEADER).status_code == 422


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE job SET state = 'running' WHERE job_id = 'j-dead'", "job_not_finished"),
        ("UPDATE job SET state = 'dead' WHERE job_id = 'j-succeeded'", "job_not_finished"),
        ("UPDATE job SET state = 'succeeded' WHERE job_id = 'j-refused'", "replaced"),
        ("UPDATE instance SET state = 'deleted'", "images_deleted"),
    ],
)
def test_only_the_present_result_can_be_corrected(finished: Site, change: str, reason: str):
    with transaction(finished.engine) as c:
        c.exec_driver_sql(change)
    client = client_of(finished)
    answer = client.post(ADDRESS, json={"shift": "up"}, headers=HEADER)
    assert (answer.status_code, answer.json()["reasons"]) == (422, [reason])
    assert f'action="/jobs/{JOB}/levels"' not in client.get(f"/jobs/{JOB}").text


def test_an_unknown_job_is_not_found(finished: Site):
    client = client_of(finished)
    answer = client.post("/api/v1/jobs/nobody/levels", json={"shift": "up"}, headers=HEADER)
    assert answer.status_code == 404
    assert client.post("/jobs/nobody/levels", data=form_of(client, "up")).status_code == 404


def test_a_result_of_an_older_version_has_no_places(finished: Site):
    older = entry_of("series2", {4: LevelName(L4, 0.99), 5: LevelName(L5, 0.99)})
    del older["levels"]["4"]["centre_mm"]
    keep_record(finished, older)
    answer = client_of(finished).post(ADDRESS, json={"shift": "up"}, headers=HEADER)
    assert answer.json()["reasons"] == ["places_unknown"]


def test_uncertain_names_are_not_moved_and_follow(finished: Site):
    levels = {4: LevelName(T12, 0.4, centre_mm=place(4)), 5: LevelName(L1, 0.9, centre_mm=place(5))}
    keep_record(finished, entry_of("series2", levels))
    client = client_of(finished)
    client.post(ADDRESS, json={"shift": "down"}, headers=HEADER)
    assert said(finished) == [(5, 21, place(5))]
    keep_record(finished, entry_of("series2", {4: LevelName(T12, 0.4, centre_mm=place(4))}))
    with transaction(finished.engine) as c:
        c.exec_driver_sql("UPDATE job SET state = 'succeeded' WHERE state = 'waiting'")
    answer = client.post(ADDRESS, json={"shift": "down"}, headers=HEADER)
    assert answer.json()["reasons"] == ["nothing_to_shift"]


@pytest.mark.parametrize(("apart_mm", "kept"), [(300.0, 1), (0.0, 0)])
def test_names_of_another_result_stay_unless_it_shows_the_same_bones(
    finished: Site, apart_mm: float, kept: int
):
    lower = {n: LevelName(16 + n, 0.9, centre_mm=place(n)) for n in (7, 8)}
    upper = {n: LevelName(16 + n, 0.9, centre_mm=(1.0, 9.0 + apart_mm, -32.0 * n)) for n in (6, 7)}
    keep_record(finished, entry_of("s_stack1", upper), entry_of("s_stack2", lower))
    client = client_of(finished)
    assert client.post(ADDRESS, json={"shift": "up"}, headers=HEADER).status_code == 422
    for key in ("s_stack1", "s_stack2"):
        client.post(ADDRESS, json={"names": {"7": "L1"}, "key": key}, headers=HEADER)
        with transaction(finished.engine) as c:
            c.exec_driver_sql("UPDATE job SET state = 'succeeded' WHERE state = 'waiting'")
    assert len(said(finished)) == 1 + kept
    assert said(finished)[-1] == (7, L1, place(7))


def test_every_correction_of_a_content_is_kept_and_the_last_one_counts(finished: Site):
    one = NamedVertebra(level=L5, vertebra=8, key="series2", centre_mm=place(8))
    with transaction(finished.engine) as c:
        for actor, named in (("anna", (one,)), ("ben", ())):
            corrections.correct(c, JOB, named, actor=actor, now=NOW)
            c.exec_driver_sql("UPDATE job SET state = 'succeeded' WHERE state = 'waiting'")
        job = find_job(c, JOB)
        assert job is not None
        latest = corrections.latest(c, job.series_uid, job.content_digest)
        assert latest == corrections.Correction(number=2, at=NOW, actor="ben", named=())
        known = level_inputs(c, job.series_uid, job.content_digest)
        assert known == LevelInputs(words=("correction 2",))
        assert corrections.latest(c, job.series_uid, "another") is None
        rows = c.exec_driver_sql("SELECT number, actor FROM level_correction ORDER BY number")
        assert rows.all() == [(1, "anna"), (2, "ben")]


def test_a_correction_is_kept_beside_the_journal_or_not_at_all(finished: Site):
    client = client_of(finished)
    (finished.node.data / FOLDER).write_text("in the way")
    answer = client.post(ADDRESS, json={"names": {"8": "L6"}}, headers=HEADER)
    assert answer.status_code >= 500
    with reading(finished.engine) as c:
        job = find_job(c, JOB)
        assert job is not None
        assert job.state == "succeeded"
        assert corrections.latest(c, job.series_uid, job.content_digest) is None
    (finished.node.data / FOLDER).unlink()
    assert client.post(ADDRESS, json={"names": {"8": "L6"}}, headers=HEADER).status_code == 200
    (row,) = given_names(finished.node.data)
    assert (row["number"], row["actor"], row["job_id"]) == (1, "local", JOB)
