"""Mails and webhook calls that really leave: once per rise, again as a reminder, and the end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from app.node.alerts import channels
from app.node.alerts.rounds import Herald
from app.node.journal import attention
from app.node.journal.alert_channels import channel_state
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.journal.lookout import Lookout, Moment
from app.node.web.server import serve_web
from app.settings import NodeSettings, WebSettings
from tests.builders.alert_sinks import MailSink, WebhookSink, mail_sink, webhook_sink
from tests.builders.journal_rows import insert
from tests.builders.waiting import eventually
from tests.builders.web_site import Told

HOUR_S = 3600.0
CANARY = "CANARY^PATIENT"


@dataclass
class Tower:
    """A journal, sinks, and one or more processes that watch."""

    engine: Engine
    node: NodeSettings
    mails: MailSink
    hook: WebhookSink
    told: Told = field(default_factory=Told)
    at: float = 0.0
    jump: float = 0.0

    def herald(self, node: NodeSettings | None = None) -> Herald:
        return Herald(self.engine, node or self.node, self.moment, self.told, Lookout())

    def moment(self) -> Moment:
        return Moment(now=1e9 + self.at + self.jump, monotonic_s=self.at, free_bytes=10**12)

    def refuse(self, *names: str) -> None:
        with transaction(self.engine) as connection:
            for name in names:
                insert(connection, "job", job_id=name, state="refused", finished_at=1e9)

    def see_all(self) -> None:
        with transaction(self.engine) as connection:
            attention.acknowledge(connection, "job_refused", 2e9, subject=None, until=None)

    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails.mails]

    def changes(self) -> list[tuple[str, str, int]]:
        return [
            (change["kind"], change["change"], change["count"])
            for document in self.hook.documents
            for change in document["changes"]  # type: ignore[attr-defined]
        ]


def node_with(data: Path, **alerts: Any) -> NodeSettings:
    # No process reports in these tests: they shall not be missed, either.
    sections = {"alerts": {"after_s": 0, **alerts}, "worker": {"lease_s": 1e6}}
    return NodeSettings.model_validate({"data": data, **sections})


def mail_to(port: int) -> dict[str, object]:
    return {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "node@example.org",
        "recipients": ["pacs@example.org", "night@example.org"],
    }


@pytest.fixture
def tower(tmp_path: Path) -> Iterator[Tower]:
    engine = open_journal(journal_url(tmp_path, None))
    with mail_sink() as mails, webhook_sink() as hook:
        node = node_with(tmp_path, mail=mail_to(mails.port), webhook={"url": hook.url})
        yield Tower(engine, node, mails, hook)
    engine.dispose()


def test_a_rise_is_told_once_by_every_way_and_its_end_once(tower: Tower):
    herald = tower.herald()
    tower.refuse("j1")
    for _ in range(3):
        herald.tick()
    assert tower.subjects() == ["SPINEPS Node SPINENODE: 1 thing needs a person"]
    assert tower.mails.recipients == ["pacs@example.org", "night@example.org"]
    text = tower.mails.mails[0].get_content()
    assert "NEW: jobs that ended without result: 1, the oldest since 2001-09-09T01:46:40" in text
    assert tower.changes() == [("job_refused", "risen", 1)]
    tower.refuse("j2", "j3")
    herald.tick()
    assert tower.changes()[1:] == [("job_refused", "risen", 3)]
    tower.see_all()
    for _ in range(3):
        herald.tick()
    assert tower.changes()[2:] == [("job_refused", "resolved", 0)]
    assert tower.subjects()[-1] == "SPINEPS Node SPINENODE: resolved"
    assert [number for number, _ in tower.told.events] == [720] * 6


def test_fewer_is_no_news_and_the_next_rise_is(tower: Tower):
    herald = tower.herald()
    tower.refuse("j1", "j2", "j3")
    herald.tick()
    with transaction(tower.engine) as connection:
        attention.acknowledge(connection, "job_refused", 2e9, subject="j1", until=None)
    herald.tick()
    tower.refuse("j4")
    herald.tick()
    assert [count for _, _, count in tower.changes()] == [3, 3]


def test_what_still_needs_a_person_after_24_hours_is_told_again(tower: Tower):
    herald = tower.herald()
    tower.refuse("j1")
    for at in (0.0, 23 * HOUR_S, 24 * HOUR_S, 25 * HOUR_S):
        tower.at = at
        herald.tick()
    assert [change for _, change, _ in tower.changes()] == ["risen", "reminder"]
    assert "STILL: jobs that ended without result: 1" in tower.mails.mails[1].get_content()


def test_what_passes_within_a_minute_is_told_to_nobody(tower: Tower, tmp_path: Path):
    patient = node_with(tmp_path, webhook={"url": tower.hook.url}, after_s=60)
    herald = tower.herald(patient)
    tower.refuse("j1")
    for tower.at in (0.0, 59.0):
        herald.tick()
    tower.see_all()
    herald.tick()
    tower.refuse("j2")
    for tower.at in (60.0, 119.0):
        herald.tick()
    assert tower.changes() == []
    tower.at = 120.0
    herald.tick()
    assert tower.changes() == [("job_refused", "risen", 1)]


def test_worker_and_page_watch_and_one_of_them_tells(tower: Tower):
    heralds = [tower.herald(), tower.herald()]
    tower.refuse("j1")
    for herald in heralds * 2:
        herald.tick()
    assert len(tower.mails.mails) == len(tower.hook.documents) == 1


def test_a_process_that_died_while_sending_is_replaced_after_two_minutes(tower: Tower):
    tower.refuse("j1")
    with transaction(tower.engine) as connection:
        from app.node.journal.alert_channels import claim  # noqa: PLC0415

        for name in ("mail", "webhook"):
            assert claim(connection, channel_state(connection, name), 1e9 + 120)
    herald = tower.herald()
    tower.at = 119.0
    herald.tick()
    assert tower.changes() == []
    tower.at = 121.0
    herald.tick()
    assert tower.changes() == [("job_refused", "risen", 1)]


def test_a_dead_mail_server_is_a_matter_of_its_own_and_the_webhook_goes_on(
    tower: Tower, tmp_path: Path
):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()[1]
    broken = node_with(tmp_path, mail=mail_to(dead), webhook={"url": tower.hook.url})
    herald = tower.herald(broken)
    tower.refuse("j1")
    herald.tick()
    herald.tick()
    assert tower.changes() == [("job_refused", "risen", 1), ("alert_failing", "risen", 1)]
    failures = [values for number, values in tower.told.events if number == 721]
    assert failures == [{"channel": "mail", "error": "unreachable"}]
    with reading(tower.engine) as connection:
        state = channel_state(connection, "mail")
    assert (state.failures, state.failing_since) == (1, 1e9)
    tower.at = 31.0
    herald.tick()
    herald.tick()
    assert len([1 for number, _ in tower.told.events if number == 721]) == 2
    mended = tower.herald()
    tower.at = 31.0 + 61.0
    mended.tick()
    assert len(tower.mails.mails) == 1
    mended.tick()
    assert tower.changes()[-1] == ("alert_failing", "resolved", 0)


def test_a_clock_that_is_set_back_does_not_silence_a_channel(tower: Tower):
    herald = tower.herald()
    tower.hook.status = 500
    tower.refuse("j1")
    herald.tick()
    tower.hook.status = 200
    tower.jump = -7200.0
    herald.tick()
    assert len(tower.hook.documents) == 2


def test_a_mail_server_that_never_speaks_costs_the_time_out_and_no_more(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(channels, "TIMEOUT_S", 0.2)
    tower.mails.is_mute = True
    tower.refuse("j1")
    tower.herald().tick()
    assert tower.changes() == [("job_refused", "risen", 1)]
    failures = [values["error"] for number, values in tower.told.events if number == 721]
    assert failures == ["no_answer"]


@pytest.mark.parametrize(("status", "name"), [(500, "http_500"), (302, "http_302")])
def test_a_webhook_that_does_not_take_it_is_asked_again(tower: Tower, status: int, name: str):
    tower.hook.status = status
    tower.refuse("j1")
    herald = tower.herald()
    herald.tick()
    assert [v["error"] for number, v in tower.told.events if number == 721] == [name]
    tower.hook.status, tower.at = 200, 31.0
    herald.tick()
    assert ("job_refused", "risen", 1) in tower.changes()[1:]


def test_refused_recipients_and_a_server_without_tls_are_named(tower: Tower, tmp_path: Path):
    tower.mails.refusal = f"550 no such box: {CANARY}"
    tower.refuse("j1")
    tower.herald(node_with(tmp_path, mail=mail_to(tower.mails.port))).tick()
    mail = {**mail_to(tower.mails.port), "security": "starttls"}
    tower.at = 40.0
    tower.herald(node_with(tmp_path, mail=mail)).tick()
    errors = [values["error"] for number, values in tower.told.events if number == 721]
    assert errors == ["recipients_refused", "mail_refused"]
    assert CANARY not in str(tower.told.events)


def test_the_secret_goes_into_the_header_and_nowhere_else(
    tower: Tower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "secret"
    file.write_text("from-file\n")
    hook = {"url": tower.hook.url, "secret_header": "X-Token", "secret_file": file}
    node = node_with(tmp_path, webhook=hook)
    tower.refuse("j1")
    tower.herald(node).tick()
    monkeypatch.setenv("SPINE_NODE_WEBHOOK_SECRET", "from-environment")
    tower.refuse("j2")
    tower.herald(node).tick()
    assert [headers["X-Token"] for headers in tower.hook.headers] == [
        "from-file",
        "from-environment",
    ]
    shown = f"{node!r}{node.model_dump_json()}{tower.told.events}{tower.hook.documents}"
    for secret in ("hook-with-secret", "from-file", "from-environment"):
        assert secret not in shown


def test_a_secret_that_cannot_be_read_is_a_failure_with_a_name(tower: Tower, tmp_path: Path):
    hook = {"url": tower.hook.url, "secret_file": tmp_path / "absent"}
    tower.refuse("j1")
    tower.herald(node_with(tmp_path, webhook=hook)).tick()
    assert tower.told.events == [(721, {"channel": "webhook", "error": "secret_unreadable"})]


def test_no_message_names_a_patient_a_series_an_object_or_a_job(tower: Tower):
    with transaction(tower.engine) as connection:
        uid = "1.2.840.4711.99"
        insert(connection, "series", series_uid=uid, state="held", description=CANARY)
        insert(connection, "job", job_id="j-4711", series_uid=uid, state="dead")
        insert(connection, "instance", series_uid="", state="quarantined", path="q/4711.dcm")
    tower.herald().tick()
    assert {kind for kind, _, _ in tower.changes()} == {
        "job_failed",
        "series_held",
        "object_quarantined",
    }
    told = str(tower.hook.documents) + tower.mails.mails[0].as_string()
    assert "4711" not in told
    assert CANARY not in told


def test_planned_releases_are_told_to_nobody(tower: Tower):
    with transaction(tower.engine) as connection:
        insert(connection, "delivery", state="held")
    tower.herald().tick()
    assert tower.changes() == []


def test_the_page_s_process_tells_by_itself_and_ends_at_once_although_a_server_is_mute(
    tower: Tower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tower.mails.is_mute = True
    tower.refuse("j1")
    alerts = {"mail": mail_to(tower.mails.port), "webhook": {"url": tower.hook.url}}
    node = node_with(tmp_path, look_every_s=0.02, **alerts)
    node = node.model_copy(update={"web": WebSettings(port=0)})
    # The webhook comes after the mail: it waits for the mute server's time-out.
    only_hook = node_with(tmp_path, look_every_s=0.02, webhook=alerts["webhook"])
    only_hook = only_hook.model_copy(update={"web": WebSettings(port=0)})
    with serving(only_hook):
        eventually(lambda: tower.hook.documents)
    assert ("job_refused", "risen", 1) in tower.changes()
    monkeypatch.setattr(channels, "TIMEOUT_S", 600)  # nobody waits so long for the mute server
    with serving(node):
        eventually(lambda: tower.mails.callers)


@contextmanager
def serving(node: NodeSettings) -> Iterator[None]:
    stop, started = threading.Event(), threading.Event()
    options = {"stop": stop, "ready": lambda _: started.set(), "emit": Told()}
    thread = threading.Thread(target=serve_web, args=(node,), kwargs=options)
    thread.start()
    assert started.wait(90)
    try:
        yield
    finally:
        stop.set()
        thread.join(90)
    assert not thread.is_alive()
