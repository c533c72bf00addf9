"""Who may ask, and who may change something."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.node.web.security import (
    HEADERS,
    MAX_BODY_BYTES,
    Guard,
    allowed_hosts,
    is_token_of,
    new_session,
    refusal_of,
    token_of,
)
from app.settings import WebSettings
from tests.builders.web_site import Told

SECRET = b"k" * 32
WEB = WebSettings()


def scope(method: str, path: str, **headers: str) -> dict[str, object]:
    """Head of a request."""
    named = {"host": "127.0.0.1:8042"} | {k.replace("_", "-"): v for k, v in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return {"type": "http", "method": method, "path": path, "headers": raw}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8042", "localhost:9", "[::1]:8042"])
def test_loopback_names_are_served(host: str):
    assert refusal_of(scope("GET", "/", host=host), WEB) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8042", "127.0.0.1.evil.example", "", "[::1", "a@b:1:2"]
)
def test_a_name_that_is_rebound_to_us_is_refused(host: str):
    refusal = refusal_of(scope("GET", "/", host=host), WEB)
    assert refusal is not None
    assert (refusal.status, refusal.reason) == (403, "host")


def test_the_site_may_allow_further_names():
    web = WebSettings(host="::", allowed_hosts=["Spine.Hospital.example"])
    assert refusal_of(scope("GET", "/", host="spine.hospital.example:443"), web) is None
    assert "::" not in allowed_hosts(web)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_answer_under_any_name_but_only_to_reads(path: str):
    assert refusal_of(scope("GET", path, host="10.1.2.3"), WEB) is None
    assert refusal_of(scope("POST", path, host="10.1.2.3"), WEB) is not None


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"origin": "http://evil.example"}, "origin"),
        ({"origin": "null"}, "origin"),
        ({"origin": "http://127.0.0.1:9999"}, "origin"),
        ({"sec-fetch-site": "cross-site"}, "origin"),
        ({"sec-fetch-site": "same-site"}, "origin"),
        ({"content-length": str(MAX_BODY_BYTES + 1)}, "length"),
        ({"content-length": "-1"}, "length"),
        ({"transfer-encoding": "chunked"}, "length"),
    ],
)
def test_a_change_from_elsewhere_is_refused(headers: dict[str, str], reason: str):
    refusal = refusal_of(scope("POST", "/actions/job/replay", **headers), WEB)
    assert refusal is not None
    assert refusal.reason == reason


def test_a_change_from_the_own_page_passes():
    own = {"origin": "http://127.0.0.1:8042", "sec-fetch-site": "same-origin"}
    assert refusal_of(scope("POST", "/actions/job/replay", **own), WEB) is None


def test_the_api_needs_its_header_for_changes_only():
    assert refusal_of(scope("POST", "/api/v1/jobs/1/replay"), WEB) is not None
    assert refusal_of(scope("POST", "/api/v1/jobs/1/replay", x_spine_node="1"), WEB) is None
    assert refusal_of(scope("GET", "/api/v1/jobs"), WEB) is None


def test_behind_a_proxy_nobody_comes_without_a_name():
    behind = WebSettings(actor_header="X-Remote-User")
    nameless = refusal_of(scope("GET", "/"), behind)
    assert nameless is not None
    assert nameless.reason == "actor"
    assert refusal_of(scope("GET", "/", x_remote_user="anna"), behind) is None
    assert refusal_of(scope("GET", "/metrics"), behind) is None


def test_a_token_fits_one_session_and_one_site():
    first, second = new_session(), new_session()
    token = token_of(first, SECRET)
    assert is_token_of(token, first, SECRET)
    assert not is_token_of(token, second, SECRET)
    assert not is_token_of(token, first, b"o" * 32)
    assert not is_token_of(token_of("", SECRET), "", SECRET)
    assert not is_token_of("\N{SNOWMAN}", first, SECRET)


def test_what_fails_inside_becomes_500_without_its_message():
    async def broken(*_: object) -> None:
        raise ValueError("patient Miller")

    told = Told()
    client = TestClient(Guard(broken, WEB, told), base_url="http://127.0.0.1")
    answer = client.get("/")
    assert answer.status_code == 500
    assert "Miller" not in answer.text
    assert "Miller" not in str(told.events)
    assert told.events[0][0] == 790


def test_every_answer_carries_every_header(tmp_path: Path):
    async def nothing(_scope: object, _receive: object, send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    client = TestClient(Guard(nothing, WEB, Told()), base_url="http://127.0.0.1")
    for answer in (client.get("/"), client.get("/", headers={"host": "evil.example"})):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "'unsafe" not in HEADERS["Content-Security-Policy"]
