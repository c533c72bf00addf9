"""Every address has its rule, and every role gets as far as its rule says."""

from collections.abc import Iterator

import pytest
from starlette.routing import Mount

from app.node.journal.audit import VIEWS, list_deeds
from app.node.journal.engine import reading
from app.node.people.roles import Role
from app.node.web import permissions
from app.node.web.permissions import RULES
from app.node.web.server import ROUTERS, create_app
from app.node.web.site import Site
from tests.builders.filled_journal import series_uid_of
from tests.builders.people import browser_of, keep_person, token_in

HEADER = {"X-Spine-Node": "1"}
PARTS = {
    "job_id": "j-succeeded",
    "series_uid:path": series_uid_of("held"),
    "series_uid": series_uid_of("held"),
    "delivery_id": "d-held",
    "kind": "job",
    "name": "pacs",
    "action": "echo",
    "change": "disable",
}


def routes() -> Iterator[tuple[str, str]]:
    for router in ROUTERS:
        for route in router.routes:
            yield from ((method, route.path) for method in route.methods)


def address_of(path: str) -> str:
    for part, value in PARTS.items():
        path = path.replace(f"{{{part}}}", value)
    return path


def test_the_table_has_a_row_for_every_route_and_no_other():
    found = list(routes())
    assert sorted(found) == sorted(set(found))
    assert set(found) == set(RULES)


def test_nothing_is_served_beside_those_routers_but_the_style_and_script(site: Site):
    app = create_app(site)._app
    others = [route for route in app.routes if type(route).__name__ != "_IncludedRouter"]
    assert [(type(route), route.path) for route in others] == [(Mount, "/static")]
    assert len(app.routes) == len(ROUTERS) + 1


def test_a_route_without_a_row_serves_nobody(site: Site, monkeypatch: pytest.MonkeyPatch):
    rules = dict(RULES)
    del rules["GET", "/jobs"]
    monkeypatch.setattr("app.node.web.gate.RULES", rules)
    keep_person(site.engine, "ada", "administrator")
    client = browser_of(site, "ada")
    assert client.get("/jobs").status_code == 403
    assert client.get("/arrivals").status_code == 200


@pytest.mark.parametrize("role", list(Role))
def test_each_role_is_refused_what_its_rule_does_not_cover_and_nothing_else(site: Site, role: Role):
    keep_person(site.engine, "ada", str(role))
    client = browser_of(site, "ada")
    for (method, path), rule in RULES.items():
        if path == "/log-out":
            continue
        # Without a body, which no form accepts: whoever is let in gets no further than that.
        answer = client.request(method, address_of(path), headers=HEADER, params={"limit": 1})
        is_refused = answer.status_code == 403 and "Your role" in answer.text
        may = rule.role is None or role.covers(rule.role)
        assert is_refused is not may, (method, path, answer.status_code)
        assert answer.status_code != 401, path


def test_what_a_role_was_refused_is_written_down(site: Site):
    keep_person(site.engine, "ada", "viewer")
    client = browser_of(site, "ada")
    fields = {"csrf_token": token_in(client.get("/password").text), "identifier": "j-dead"}
    assert client.post("/actions/job/replay", data=fields).status_code == 403
    with reading(site.engine) as c:
        deed = list_deeds(c, limit=1)[0]
    assert (deed.actor, deed.role, deed.action) == ("ada", "viewer", "access.refused")
    assert (deed.subject, deed.detail) == ("POST /actions/{kind}/{name}", "needs operator")


def test_without_log_in_people_are_led_there_and_programs_told(site: Site):
    keep_person(site.engine, "ada")
    client = browser_of(site, "ada")
    client.cookies.clear()
    for (method, path), rule in RULES.items():
        answer = client.request(method, address_of(path), headers=HEADER)
        if rule.role is None:
            assert answer.status_code not in {401, 403} or method == "POST", path
        elif path.startswith("/api/"):
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
        else:
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/log-in?back=/"), path


def test_buttons_are_shown_to_those_who_may_press_them(site: Site):
    keep_person(site.engine, "vera", "viewer")
    keep_person(site.engine, "otto", "operator")
    vera, otto = browser_of(site, "vera"), browser_of(site, "otto")
    for page in ("/attention", "/jobs/j-dead", "/deliveries", "/destinations"):
        assert "<form" not in vera.get(page).text.partition("<main")[2]
        assert "<form" in otto.get(page).text.partition("<main")[2]
    assert 'action="/actions/job/replay"' in otto.get("/jobs/j-dead").text
    assert "Actions taken" not in otto.get("/system").text


def test_only_deeds_that_are_known_as_views_stand_in_the_table():
    assert {rule.view for rule in permissions.RULES.values()} == {"", *VIEWS}
