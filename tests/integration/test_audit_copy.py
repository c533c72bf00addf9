"""The audit trail's copy on a syslog server over TLS: every row, in order, over outages."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import fromstring

import httpx
import pytest
from sqlalchemy.engine import Engine

from app.node.journal.alert_channels import channel_state
from app.node.journal.audit import Deed, record_deed
from app.node.journal.audit_chain import sent_until
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.people.audit_copy import CHANNEL, AuditCopy
from app.settings.audit import AuditSettings
from app.settings.tls import PeerTlsSettings
from tests.builders.certificates import Authority
from tests.builders.served_page import serving_page
from tests.builders.syslog_sink import SyslogSink, running_sink
from tests.builders.waiting import eventually
from tests.builders.web_site import Told, node_of


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_journal(journal_url(tmp_path, None))
    yield engine
    engine.dispose()


def act(engine: Engine, *subjects: str) -> None:
    for subject in subjects:
        with transaction(engine) as c:
            record_deed(c, Deed(at=1.0, actor="anna", action="job.view", subject=subject))


def copy_of(engine: Engine, sink: SyslogSink) -> AuditCopy:
    return AuditCopy(
        engine=engine, server=sink.settings, source="NODE", clock=lambda: 5.0, emit=Told()
    )


def subjects_in(sink: SyslogSink) -> list[str]:
    roots = [fromstring(message.partition(b"\xef\xbb\xbf")[2]) for message in sink.messages]  # noqa: S314 - ours
    return [
        root.find("ParticipantObjectIdentification").get("ParticipantObjectID") for root in roots
    ]


def test_rows_arrive_once_and_in_their_order_and_go_on_after_a_restart(
    engine: Engine, authority: Authority
):
    with running_sink(authority) as sink:
        act(engine, "j1", "j2")
        assert copy_of(engine, sink).tick()
        assert copy_of(engine, sink).tick()
        act(engine, "j3")
        assert copy_of(engine, sink).tick()
        assert subjects_in(sink) == ["j1", "j2", "j3"]
        assert sink.connections == 2
    with reading(engine) as c:
        assert sent_until(c) == 3
        assert channel_state(c, CHANNEL).sent_at == 5.0


def test_more_than_one_batch_is_sent(engine: Engine, authority: Authority, monkeypatch):
    monkeypatch.setattr("app.node.people.audit_copy._BATCH", 3)
    act(engine, *(f"j{number}" for number in range(8)))
    with running_sink(authority) as sink:
        assert copy_of(engine, sink).tick()
        assert subjects_in(sink) == [f"j{number}" for number in range(8)]


def test_what_a_server_does_not_take_is_sent_again_and_needs_a_person(
    engine: Engine, authority: Authority
):
    act(engine, "j1")
    with running_sink(authority) as sink:
        sink.ends = "reset"
        copy = copy_of(engine, sink)
        assert not copy.tick()
        with reading(engine) as c:
            state = channel_state(c, CHANNEL)
            assert sent_until(c) == 0
        assert (state.failing_since, state.last_error) == (5.0, "not_taken")
        assert copy.emit.events == [(623, {"error": "not_taken"})]
        sink.ends = "orderly"
        assert copy.tick()
        assert subjects_in(sink) == ["j1"]
        with reading(engine) as c:
            assert channel_state(c, CHANNEL).failing_since is None


def test_a_server_of_another_authority_or_name_gets_nothing(
    engine: Engine, authority: Authority, tmp_path: Path
):
    act(engine, "j1")
    stranger = Authority(tmp_path, "stranger")
    with running_sink(authority) as sink:
        for tls in (
            PeerTlsSettings(trusted_file=stranger.trusted, server_name="audit.site.example"),
            PeerTlsSettings(trusted_file=authority.trusted, server_name="other.site.example"),
        ):
            sink.settings = sink.settings.model_copy(update={"tls": tls})
            assert not copy_of(engine, sink).tick()
            with reading(engine) as c:
                assert channel_state(c, CHANNEL).last_error == "certificate_refused"
        assert sink.messages == []


def test_a_server_that_asks_for_our_certificate_gets_it(engine: Engine, authority: Authority):
    act(engine, "j1")
    ours = authority.issue("node.site.example")
    with running_sink(authority, is_mutual=True) as sink:
        assert not copy_of(engine, sink).tick()
        tls = sink.settings.tls.model_copy(
            update={"certificate_file": ours.certificate, "key_file": ours.key}
        )
        sink.settings = sink.settings.model_copy(update={"tls": tls})
        assert copy_of(engine, sink).tick()
        assert subjects_in(sink) == ["j1"]


def test_nobody_there_and_a_lost_file_are_named(engine: Engine, authority: Authority):
    act(engine, "j1")
    with running_sink(authority) as sink:
        gone = sink.settings.tls.model_copy(update={"trusted_file": Path("/none.pem")})
        sink.settings = sink.settings.model_copy(update={"tls": gone})
        copy = copy_of(engine, sink)
        assert not copy.tick()
    sink.settings = sink.settings.model_copy(
        update={"tls": PeerTlsSettings(trusted_file=authority.trusted)}
    )
    assert not copy_of(engine, sink).tick()
    assert copy.emit.events == [(623, {"error": "settings_unusable"})]
    with reading(engine) as c:
        assert channel_state(c, CHANNEL).last_error == "connection_failed"


def test_the_page_tells_the_audit_server_who_saw_a_job(tmp_path: Path, authority: Authority):
    with running_sink(authority) as sink:
        audit = AuditSettings(syslog=sink.settings)
        node = node_of(tmp_path / "data").model_copy(update={"audit": audit})
        with serving_page(node) as page:
            address = f"http://127.0.0.1:{page.port}/jobs/j-succeeded"
            assert httpx.get(address, timeout=60).status_code == 200
            eventually(lambda: b"job.view" in b"".join(sink.messages))
    (seen,) = [message for message in sink.messages if b"job.view" in message]
    assert b'UserID="local"' in seen
    assert b'ParticipantObjectID="j-succeeded"' in seen
