"""Log-in by an identity provider: the way there and back, and every answer that must not count."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import ValidationError

from app.node.journal.audit import list_deeds
from app.node.journal.engine import reading, transaction
from app.node.people.accounts import Hand, set_disabled
from app.node.people.recognition import check_guarded
from app.node.people.roles import Person, Role
from app.node.web.site import Site
from app.settings import NodeSettings
from app.settings.people import PeopleSettings
from tests.builders.filled_journal import NOW
from tests.builders.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    OpenIdProvider,
    running_provider,
)
from tests.builders.people import keep_person, token_in
from tests.builders.web_site import client_of, site_of

ADDRESS = "http://127.0.0.1"
GROUPS = {"radiology": "viewer", "physics": "operator"}


def people_of(provider: OpenIdProvider, secret: Path, **openid: object) -> PeopleSettings:
    about = {"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret_file": secret}
    return PeopleSettings.model_validate(
        {"address": ADDRESS, "groups": GROUPS, "openid": about | openid}
    )


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    with running_provider(NOW) as running:
        running.claims = {"preferred_username": "ben", "groups": ["staff", "physics"]}
        yield running


@pytest.fixture
def site(tmp_path: Path, provider: OpenIdProvider) -> Site:
    secret = tmp_path / "client-secret"
    secret.write_text(f"{CLIENT_SECRET}\n")
    site = site_of(tmp_path)
    node = site.node.model_copy(update={"people": people_of(provider, secret)})
    object.__setattr__(site, "node", node)
    return site


def leave(client, back: str = "/jobs") -> str:
    """Press the button; the address at the provider."""
    answer = client.get("/log-in/openid", params={"back": back})
    assert answer.status_code == 303
    return answer.headers["location"]


def at_provider(address: str) -> str:
    """Log in there; path and query on the page that it leads back to."""
    text = httpx.get(address, timeout=60).raise_for_status().text
    back = html.unescape(re.search(r'href="([^"]+)"', text)[1])
    assert back.startswith(f"{ADDRESS}/log-in/openid/callback?")
    return back.removeprefix(ADDRESS)


def deeds(site: Site) -> list[tuple[str, str, str]]:
    with reading(site.engine) as c:
        return [(d.actor, d.action, d.detail) for d in reversed(list_deeds(c))]


def test_whom_the_provider_confirms_enters_with_the_role_of_the_highest_group(site: Site):
    client = client_of(site)
    away = client.get("/jobs?state=dead")
    form = client.get(away.headers["location"]).text
    button = html.unescape(re.search(r'id="openid"[^>]+href="([^"]+)"', form)[1])
    assert 'type="password"' not in form  # there are no accounts
    answer = client.get(button)
    back = client.get(at_provider(answer.headers["location"]))
    assert (back.status_code, back.headers["location"]) == (303, "/jobs?state=dead")
    page = client.get("/jobs").text
    assert "ben" in page
    assert "operator" in page
    assert deeds(site) == [("ben", "log_in", "openid")]
    client.post("/log-out", data={"csrf_token": token_in(page)})
    assert client.get("/jobs").status_code == 303


def test_a_name_or_groups_of_other_claims(site: Site, provider: OpenIdProvider, tmp_path: Path):
    people = people_of(provider, tmp_path / "client-secret", name_claim="x", groups_claim="roles")
    object.__setattr__(site, "node", site.node.model_copy(update={"people": people}))
    provider.claims = {"roles": "radiology"}
    client = client_of(site)
    client.get(at_provider(leave(client)))
    assert "4711" in client.get("/jobs").text  # the subject, where there is no name
    assert "viewer" in client.get("/jobs").text


ANSWERS: list[tuple[dict[str, object], str, str]] = [
    ({"groups": ["staff"]}, "", "no_role"),
    ({"groups": None}, "", "no_role"),
    ({"aud": "another"}, "", "token_unusable"),
    ({"aud": [CLIENT_ID, "another"]}, "", "token_unusable"),
    ({"azp": "another"}, "", "token_unusable"),
    ({"iss": "https://other.example"}, "", "token_unusable"),
    ({"nonce": "another"}, "", "token_unusable"),
    ({"exp": int(NOW) - 100}, "", "token_unusable"),
    ({"iat": int(NOW) + 1000}, "", "token_unusable"),
    ({"at_hash": "x"}, "", "token_unusable"),
    ({}, "other_key", "token_unusable"),
    ({}, "unsigned", "token_unusable"),
    ({}, "shared_secret", "token_unusable"),
    ({}, "no_token", "token_unusable"),
    ({}, "refuse", "code_refused"),
]
"""What the provider says of the person, how it lies, and why nobody is let in."""


def test_an_answer_that_does_not_hold_lets_nobody_in(site: Site, provider: OpenIdProvider):
    right, client = dict(provider.claims), client_of(site)
    for claims, lie, reason in ANSWERS:
        provider.claims, provider.lie = right | claims, lie
        answer = client.get(at_provider(leave(client)))
        assert answer.status_code == 403, (claims, lie)
        assert client.get("/jobs").status_code == 303
        assert deeds(site)[-1] == ("unknown", "log_in.failed", reason), (claims, lie)
        assert site.emit.events[-1] == (620, {"reason": reason})
        for secret in (CLIENT_SECRET, "id_token", "code="):
            assert secret not in answer.text + str(site.emit.events)
    assert len(deeds(site)) == len(ANSWERS)
    provider.claims, provider.lie = right, ""
    assert client.get(at_provider(leave(client))).status_code == 303


@pytest.mark.parametrize("lie", ["other_issuer", "html"])
def test_a_provider_that_is_another_is_not_followed(site: Site, provider: OpenIdProvider, lie: str):
    provider.lie = lie
    answer = client_of(site).get("/log-in/openid")
    assert answer.status_code == 403
    assert deeds(site) == [("unknown", "log_in.failed", "provider_unusable")]


def test_a_provider_that_is_away_is_told(site: Site, provider: OpenIdProvider, tmp_path: Path):
    secret = tmp_path / "client-secret"
    gone = people_of(provider, secret, issuer="http://127.0.0.1:9")
    object.__setattr__(site, "node", site.node.model_copy(update={"people": gone}))
    assert "does not answer" in client_of(site).get("/log-in/openid").text


def test_the_answer_counts_in_the_browser_that_asked_once_and_for_ten_minutes(site: Site):
    client, other, moment = client_of(site), client_of(site), [NOW]
    object.__setattr__(site, "clock", lambda: moment[0])
    back = at_provider(leave(client))
    assert other.get(back).status_code == 403  # log-in CSRF: somebody else's answer
    leave(other)
    assert other.get(back).status_code == 403  # another log-in's state
    assert client.get(back).status_code == 303
    assert client.get(back).status_code == 403  # the code is spent and the cookie gone
    late = at_provider(leave(client))
    moment[0] += 601
    assert client.get(late).status_code == 403
    forged = client_of(site)
    forged.cookies.set("spine_node_openid", "e30=.00", path="/log-in/openid")
    assert forged.get("/log-in/openid/callback?code=x&state=").status_code == 403


def test_what_the_provider_refuses_is_told(site: Site):
    client = client_of(site)
    state = parse_qs(urlsplit(leave(client)).query)["state"][0]
    answer = client.get(f"/log-in/openid/callback?error=access_denied&state={state}")
    assert answer.status_code == 403
    assert "did not let you in" in answer.text


def test_accounts_and_provider_stand_side_by_side(site: Site):
    keep_person(site.engine, "ben", "viewer")
    client = client_of(site)
    form = client.get("/log-in").text
    assert 'id="openid"' in form
    assert 'type="password"' in form
    client.get(at_provider(leave(client)))
    hand = Hand(actor=Person(name="root", role=Role.ADMINISTRATOR, way="local").actor, now=NOW)
    with transaction(site.engine) as c:
        set_disabled(c, "ben", hand, is_disabled=True)
    assert client.get("/jobs").status_code == 200  # an account of that name is another person


def test_with_a_provider_the_page_may_open_and_nobody_is_local(site: Site):
    node = NodeSettings(data=site.node.data, people=site.node.people)
    web = node.web.model_copy(update={"host": "0.0.0.0"})  # noqa: S104 - what is tried
    check_guarded(node.model_copy(update={"web": web}), site.engine)
    assert client_of(site).get("/").status_code == 303


def test_without_a_provider_there_is_no_such_page(tmp_path: Path):
    client = client_of(site_of(tmp_path))
    assert client.get("/log-in/openid").status_code == 404
    assert client.get("/log-in/openid/callback").status_code == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"address": None},
        {"groups": {}},
        {"openid": {"issuer": "http://idp.example", "client_id": "x"}},
        {"openid": {"issuer": "https://idp.example", "client_id": "x", "scopes": ["profile"]}},
    ],
)
def test_settings_that_cannot_work_are_refused(changed: dict[str, object]):
    about = {"issuer": "https://idp.example", "client_id": "x"}
    right = {"address": ADDRESS, "groups": GROUPS, "openid": about}
    assert PeopleSettings.model_validate(right).openid is not None
    with pytest.raises(ValidationError):
        PeopleSettings.model_validate(right | changed)
