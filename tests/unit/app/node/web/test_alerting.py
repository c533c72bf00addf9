"""The test button, and what the page tells of alert channels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.node.journal.audit import list_deeds
from app.node.journal.engine import reading
from app.node.web.site import Site
from app.settings import NodeSettings
from tests.builders.alert_sinks import WebhookSink, webhook_sink
from tests.builders.web_site import client_of, site_of


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with webhook_sink() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, sink: WebhookSink) -> Site:
    made = site_of(tmp_path)
    alerts = {"webhook": {"url": sink.url}}
    document = made.node.model_dump(exclude={"alerts"}) | {"alerts": alerts}
    return replace(made, node=NodeSettings.model_validate(document))


def press(site: Site) -> str:
    client = client_of(site)
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/attention").text)
    assert token is not None
    answer = client.post("/alerts/test", data={"csrf_token": token[1]})
    assert answer.status_code == 303
    return client.get(answer.headers["location"]).text


def test_the_button_sends_a_test_message_and_says_how_it_went(site: Site, sink: WebhookSink):
    assert "nothing sent yet" in client_of(site).get("/attention").text
    assert "The test message was taken by every way" in press(site)
    (document,) = sink.documents
    assert (document["event"], document["changes"]) == ("test", [])
    with reading(site.engine) as connection:
        deed = list_deeds(connection, limit=1)[0]
    assert (deed.action, deed.detail) == ("alerts.test", "webhook: sent")


def test_a_failure_is_on_the_page_counts_itself_and_ends_with_the_next_success(
    site: Site, sink: WebhookSink
):
    sink.status = 503
    text = press(site)
    assert "was not taken by every way" in text
    assert "failing" in text
    client = client_of(site)
    assert client.get("/api/v1/status").json()["attention_by_kind"]["alert_failing"] == 1
    assert client.get("/api/v1/alerts").json()[0]["last_error"] == "http_503"
    sink.status = 200
    press(site)
    assert client.get("/api/v1/status").json()["attention_by_kind"]["alert_failing"] == 0


def test_the_page_shows_the_host_and_no_secret_of_the_address(site: Site):
    text = client_of(site).get("/attention").text
    assert "127.0.0.1" in text
    assert "hook-with-secret" not in text


def test_a_foreign_form_and_a_program_without_the_header_send_nothing(
    site: Site, sink: WebhookSink
):
    client = client_of(site)
    assert client.post("/alerts/test", data={}).status_code == 403
    assert client.post("/api/v1/alerts/test").status_code == 403
    assert sink.documents == []
    sent = client.post("/api/v1/alerts/test", headers={"X-Spine-Node": "1"})
    assert sent.json() == {"webhook": "sent"}


def test_without_a_channel_the_page_says_how_to_set_one_up(tmp_path: Path):
    text = client_of(site_of(tmp_path)).get("/attention").text
    assert "Nobody is told" in text
    assert "/alerts/test" not in text
