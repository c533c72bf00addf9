"""Log-in, log-out and the own password as a browser meets them; and who saw what."""

from pathlib import Path

import pytest

from app.errors import JournalError
from app.node.journal.audit import list_deeds
from app.node.journal.engine import reading
from app.node.web import gate
from app.node.web.security import SESSION_COOKIE
from app.node.web.site import Site
from tests.builders.filled_journal import NOW, series_uid_of
from tests.builders.people import (
    PASSWORD,
    TOKEN,
    browser_of,
    keep_person,
    keep_program,
    log_in,
    token_in,
)
from tests.builders.web_site import client_of, site_of

BEARER = {"Authorization": f"Bearer {TOKEN}"}
HELD = series_uid_of("held")


def views(site: Site) -> list[tuple[str, str, str, str]]:
    """Who saw what, the oldest first."""
    with reading(site.engine) as c:
        deeds = reversed(list_deeds(c, limit=500, has_views=True))
        seen = [d for d in deeds if d.action.endswith(".view")]
    return [(deed.actor, deed.action, deed.subject, deed.detail) for deed in seen]


def test_the_log_in_leads_back_and_the_log_out_ends_it(site: Site):
    keep_person(site.engine, "anna")
    client = client_of(site)
    away = client.get("/jobs?state=dead")
    assert away.status_code == 303
    assert away.headers["location"] == "/log-in?back=/jobs%3Fstate%3Ddead"
    form = client.get(away.headers["location"]).text
    assert 'value="/jobs?state=dead"' in form
    before = client.cookies[SESSION_COOKIE]
    answer = log_in(client, "anna", back="/jobs?state=dead")
    assert answer.headers["location"] == "/jobs?state=dead"
    page = client.get("/jobs").text
    assert "anna" in page
    session = client.cookies[SESSION_COOKIE]
    assert session != before  # whoever gave the browser a cookie before knows nothing now
    assert client.post("/log-out", data={"csrf_token": "x"}).status_code == 403
    out = client.post("/log-out", data={"csrf_token": token_in(page)})
    assert (out.status_code, out.headers["location"]) == (303, "/log-in")
    client.cookies.set(SESSION_COOKIE, session)
    assert client.get("/jobs").status_code == 303


def test_a_wrong_password_is_told_and_not_shown(site: Site):
    keep_person(site.engine, "anna")
    answer = log_in(client_of(site), "anna", "a wrong password")
    assert answer.status_code == 401
    assert "do not fit" in answer.text
    assert "a wrong password" not in answer.text
    assert "a wrong password" not in str(site.emit.events)
    assert "set-cookie" not in answer.headers


def test_a_lock_is_told(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.node.people.log_in.is_password", lambda *_: False)
    keep_person(site.engine, "anna")
    client = client_of(site)
    assert [log_in(client, "anna").status_code for _ in range(6)] == [401] * 5 + [429]


def test_a_log_in_from_another_page_is_refused(site: Site):
    keep_person(site.engine, "anna")
    client = client_of(site)
    client.get("/log-in")
    fields = {"name": "anna", "password": PASSWORD, "csrf_token": "0" * 64}
    assert client.post("/log-in", data=fields).status_code == 403
    fields["csrf_token"] = token_in(client.get("/log-in").text)
    foreign = {"origin": "http://evil.example"}
    assert client.post("/log-in", data=fields, headers=foreign).status_code == 403


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example/"])
def test_the_log_in_leads_nowhere_else(site: Site, back: str):
    keep_person(site.engine, "anna")
    assert log_in(client_of(site), "anna", back=back).headers["location"] == "/"


def test_the_cookie_is_hidden_from_scripts_and_goes_by_https_where_the_page_is_there(site: Site):
    keep_person(site.engine, "anna")
    plain = log_in(client_of(site), "anna").headers["set-cookie"].lower()
    assert "httponly" in plain
    assert "samesite=lax" in plain
    assert "secure" not in plain
    people = site.node.people.model_copy(update={"address": "https://spine.site.example"})
    object.__setattr__(site, "node", site.node.model_copy(update={"people": people}))
    assert "; secure" in client_of(site).get("/log-in").headers["set-cookie"].lower()


def test_a_page_that_renews_itself_leaves_for_the_log_in(site: Site):
    keep_person(site.engine, "anna")
    answer = client_of(site).get("/jobs", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/log-in?back=/jobs"


def test_a_program_uses_the_api_by_its_token_within_its_role(site: Site):
    keep_program(site.engine, "robot", "viewer")
    client = client_of(site)
    assert client.get("/api/v1/jobs", headers=BEARER).status_code == 200
    act = client.post("/api/v1/jobs/j-dead/replay", headers=BEARER | {"X-Spine-Node": "1"})
    assert act.json() == {"detail": "Your role is viewer; this needs operator."}
    assert client.get("/api/v1/jobs").status_code == 401
    assert client.get("/api/v1/jobs", headers={"Authorization": "Bearer x"}).status_code == 401


def test_everybody_may_change_the_own_password_and_other_log_ins_end(site: Site):
    keep_person(site.engine, "anna", "viewer")
    here, there = browser_of(site, "anna"), browser_of(site, "anna")
    form = {"csrf_token": token_in(here.get("/password").text), "password": PASSWORD}
    new = {"new": "another long sentence", "again": "another long sentence"}
    for wrong, told in (
        ({"again": "another long sentense"}, "in two ways"),
        ({"password": "guessed by somebody"}, "do not fit"),
        ({"new": "short", "again": "short"}, "at least 12"),
    ):
        answer = here.post("/password", data=form | new | wrong)
        assert answer.status_code == 422
        assert told in answer.text
    assert here.post("/password", data=form | new).status_code == 303
    assert "password is changed" in here.get("/?answer=password_changed").text
    assert there.get("/").status_code == 303
    assert log_in(there, "anna").status_code == 401
    assert log_in(there, "anna", "another long sentence").status_code == 303


def test_who_saw_a_patients_image_is_written_down_each_time(site: Site):
    keep_person(site.engine, "anna", "viewer")
    client = browser_of(site, "anna")
    for _ in range(2):
        client.get("/jobs/j-succeeded")
        client.get("/jobs/j-succeeded/files/series2_overlay.png")
    client.get(f"/series/{HELD}")
    client.get("/api/v1/deliveries/d-held")
    job = ("anna", "job.view", "j-succeeded", "")
    file = ("anna", "file.view", "j-succeeded", "overlay")
    rest = [("anna", "series.view", HELD, ""), ("anna", "delivery.view", "d-held", "")]
    assert views(site) == [job, file, job, file, *rest]
    with reading(site.engine) as c:
        newest = list_deeds(c, limit=1, has_views=True)[0]
        assert all(not deed.action.endswith(".view") for deed in list_deeds(c, limit=500))
    assert (newest.at, newest.role, newest.address) == (NOW, "viewer", "testclient")


def test_what_is_typed_into_an_address_and_is_not_there_is_not_kept(site: Site):
    client = client_of(site)
    for address in ("/jobs/Miller", "/series/Miller", "/jobs/Miller/files/Miller.png"):
        assert client.get(address).status_code == 404
    assert client.get("/attention/Miller").status_code == 404
    assert views(site) == [
        ("local", "job.view", "unknown", ""),
        ("local", "series.view", "unknown", ""),
        ("local", "file.view", "unknown", ""),
        ("local", "list.view", "/attention/{kind}", ""),
    ]


def test_a_list_and_a_page_that_renews_itself_are_one_view_for_ten_minutes(site: Site):
    keep_person(site.engine, "anna", "viewer")
    client, moment = browser_of(site, "anna"), [NOW]
    object.__setattr__(site, "clock", lambda: moment[0])
    poll = {"HX-Request": "true"}
    for second in range(0, 1201, 60):
        moment[0] = NOW + second
        client.get("/")
        client.get("/jobs/j-running/progress", headers=poll)
    seen = views(site)
    assert seen.count(("anna", "list.view", "/", "")) == 3
    assert seen.count(("anna", "job.view", "j-running", "")) == 3
    client.get("/jobs/j-running")  # whoever loads the page sees it once more
    assert views(site).count(("anna", "job.view", "j-running", "")) == 4


def test_nobody_sees_an_image_of_which_it_cannot_be_written_down_but_lists_stay(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise JournalError

    monkeypatch.setattr(gate, "record_deed", full)
    client = client_of(site)
    assert client.get("/jobs/j-succeeded/files/series2_overlay.png").status_code == 503
    assert client.get("/jobs/j-succeeded").status_code == 503
    assert client.get("/").status_code == 200
    assert [number for number, _ in site.emit.events] == [621]


def test_the_memory_of_views_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gate, "_MOST_VIEWS", 3)
    views = gate.Views()
    for number in range(10):
        views.note((str(number),), 0.0)
    assert len(views.recent) <= 3


def test_an_administrator_sees_accounts_and_changes_those_of_others(site: Site):
    keep_person(site.engine, "root", "administrator")
    keep_person(site.engine, "anna", "viewer")
    client = browser_of(site, "root")
    page = client.get("/people").text
    form = {"csrf_token": token_in(page)}
    assert "disable-anna" in page
    assert "disable-root" not in page
    anna = browser_of(site, "anna")
    assert client.post("/people/anna/operator", data=form).status_code == 303
    assert ">operator<" in anna.get("/").text
    assert client.post("/people/anna/disable", data=form).status_code == 303
    assert anna.get("/").status_code == 303
    assert "enable-anna" in client.get("/people").text
    for address in ("/people/root/disable", "/people/nobody/disable", "/people/anna/delete"):
        assert client.post(address, data=form).status_code == 404
    assert client.post("/people/anna/enable", data={"csrf_token": "x"}).status_code == 403


def test_an_administrator_ends_a_lock(site: Site, monkeypatch: pytest.MonkeyPatch):
    keep_person(site.engine, "root", "administrator")
    keep_person(site.engine, "anna", "viewer")
    client = browser_of(site, "root")
    with monkeypatch.context() as patched:
        patched.setattr("app.node.people.log_in.is_password", lambda *_: False)
        other = client_of(site)
        assert [log_in(other, "anna").status_code for _ in range(6)][-1] == 429
    page = client.get("/people").text
    assert "unlock-anna" in page
    client.post("/people/anna/unlock", data={"csrf_token": token_in(page)})
    assert log_in(other, "anna").status_code == 303


def test_without_accounts_the_log_in_says_how_they_are_made(site: Site):
    assert "spine-node users add" in client_of(site).get("/log-in").text


def test_behind_a_proxy_its_word_counts_and_there_is_no_log_out(tmp_path: Path):
    site = site_of(tmp_path, actor_header="X-Remote-User")
    client = client_of(site)
    assert client.get("/").status_code == 403
    page = client.get("/", headers={"X-Remote-User": "ben"})
    assert page.status_code == 200
    assert "ben" in page.text
    assert "/log-out" not in page.text
