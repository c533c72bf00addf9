"""A DICOMweb origin server: how it is called, what nobody else is told, answers that are none."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.errors import PeerRefusedError, PeerUnreachableError
from app.node.peers.destination import Reply
from app.node.peers.dimse import Patience
from app.node.peers.http import LONGEST_ANSWER_BYTES
from app.node.peers.kinds import destination_of
from app.node.peers.statuses import Answer
from app.node.peers.store import read_storable
from app.settings.peers import DicomwebPeerSettings
from tests.builders.certificates import Authority, Files
from tests.builders.node_processes import write_config
from tests.builders.planned_deliveries import segmentation_file
from tests.builders.web_pacs import Response, WebPacs, web_pacs

QUICK = Patience(connect_s=10, message_s=5)
SECRET = "s3cret-of-the-site"  # noqa: S105 - of this test


class Asked:
    study_uid, series_uid, sop_instance_uid = "2.25.1", "2.25.2", "2.25.3"


def file_in(folder: Path):
    path = folder / "a.dcm"
    segmentation_file(path, "2.25.1", "2.25.2", "2.25.3")
    return read_storable(path)


def stored(peer: DicomwebPeerSettings, folder: Path) -> Reply:
    replies: list[Reply] = []
    destination_of(peer, "X", QUICK).store(
        [file_in(folder)], lambda _, reply: replies.append(reply)
    )
    (reply,) = replies
    return reply


# --- who we are -----------------------------------------------------------------------------------


@pytest.mark.parametrize("authentication", ["bearer", "basic"])
def test_the_secret_goes_to_the_server_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authentication: str
) -> None:
    user = {"user": "node"} if authentication == "basic" else {}
    encoded = base64.b64encode(f"node:{SECRET}".encode()).decode()
    header = {"bearer": f"Bearer {SECRET}", "basic": f"Basic {encoded}"}[authentication]
    file = tmp_path / "secret"
    file.write_text("old\n")
    with web_pacs(authorization=header) as pacs:
        secret = {"secret_file": file, "secret_variable": "PACS_SECRET"}
        peer = pacs.peer(authentication=authentication, **secret, **user)
        refused = stored(peer, tmp_path)
        assert refused == Reply(answer=Answer.BUSY, name="http_401")
        with pytest.raises(PeerRefusedError, match="HTTP 401"):
            destination_of(peer, "X", QUICK).echo()
        file.write_text(f"{SECRET}\n")  # renewed: the next attempt reads it
        assert stored(peer, tmp_path).answer is Answer.STORED
        file.write_text("old")
        monkeypatch.setenv("PACS_SECRET", SECRET)
        assert stored(peer, tmp_path).answer is Answer.STORED
    assert SECRET not in repr(peer) + repr(refused) + peer.model_dump_json()
    assert all(SECRET not in path for _, path, _ in pacs.requests)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "secret_unreadable"), ("", "secret_unusable"), ("a\nb", "secret_unusable")],
)
def test_a_secret_that_cannot_be_used_is_named_and_nothing_is_sent(
    tmp_path: Path, content: str | None, reason: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
    with web_pacs() as pacs, pytest.raises(PeerUnreachableError) as raised:
        stored(pacs.peer(authentication="bearer", secret_file=file), tmp_path)
    assert raised.value.reasons == (reason,)
    assert pacs.requests == []


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with web_pacs([Response(307)]) as pacs:
        assert stored(pacs.peer(), tmp_path) == Reply(answer=Answer.RETRY, name="http_307")
    assert len(pacs.requests) == 1


# --- TLS ------------------------------------------------------------------------------------------


def server_side(files: Files, clients: Authority | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    if clients is not None:
        context.load_verify_locations(clients.trusted)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_https_is_trusted_by_the_named_authority_alone_and_for_its_name_alone(
    tmp_path: Path,
) -> None:
    ours, other = Authority(tmp_path), Authority(tmp_path, "other")
    with web_pacs(tls=server_side(ours.issue("pacs.example"))) as pacs:

        def echo(**tls: object) -> None:
            destination_of(pacs.peer(tls=tls), "X", QUICK).echo()

        echo(trusted_file=ours.trusted)
        echo(trusted_file=ours.trusted, server_name="pacs.example")
        for tls in (
            {"trusted_file": other.trusted},
            {"trusted_file": ours.trusted, "server_name": "another.example"},
            {},
        ):
            with pytest.raises(PeerUnreachableError) as raised:
                echo(**tls)
            assert raised.value.reasons == ("tls_failed",)


def test_a_server_that_wants_our_certificate_gets_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.issue("node.example")
    with web_pacs(tls=server_side(authority.issue("pacs.example"), authority)) as pacs:
        tls = {"trusted_file": authority.trusted}
        with pytest.raises(PeerUnreachableError):
            stored(pacs.peer(tls=tls), tmp_path)
        shown = {**tls, "certificate_file": own.certificate, "key_file": own.key}
        assert stored(pacs.peer(tls=shown), tmp_path).answer is Answer.STORED
        gone = {**tls, "certificate_file": own.certificate, "key_file": tmp_path / "absent"}
        with pytest.raises(PeerUnreachableError) as raised:
            stored(pacs.peer(tls=gone), tmp_path)
        assert raised.value.reasons == ("certificate_unusable",)


# --- answers that are none ------------------------------------------------------------------------


def test_an_answer_without_end_is_given_up(tmp_path: Path) -> None:
    endless = Response(200, b"[" * (LONGEST_ANSWER_BYTES + 1))
    with web_pacs([endless]) as pacs, pytest.raises(PeerUnreachableError) as raised:
        stored(pacs.peer(), tmp_path)
    assert raised.value.reasons == ("answer_too_long",)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[1, null, {}]", b'[{"00080018": 1}]'])
def test_an_answer_that_lists_nothing_confirms_nothing(body: bytes) -> None:
    with web_pacs(answers=[Response(200, body)]) as pacs:
        assert destination_of(pacs.peer(), "X", QUICK).holds([Asked()]) == frozenset()


@pytest.mark.parametrize(("status", "found"), [(204, frozenset()), (404, frozenset()), (405, None)])
def test_nothing_there_and_nothing_to_ask_are_two_things(
    status: int, found: frozenset[str] | None
) -> None:
    with web_pacs(answers=[Response(status)]) as pacs:
        assert destination_of(pacs.peer(), "X", QUICK).holds([Asked()]) == found


def test_a_file_that_is_gone_is_not_the_peers_fault(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    file.path.unlink()
    with web_pacs() as pacs, pytest.raises(FileNotFoundError):
        destination_of(pacs.peer(), "X", QUICK).store([file], lambda *_: None)


def test_objects_of_one_delivery_share_a_connection(tmp_path: Path) -> None:
    files = [file_in(tmp_path)] * 5
    with web_pacs() as pacs:
        destination_of(pacs.peer(), "X", QUICK).store(files, lambda *_: None)
    assert (len(pacs.received), pacs.connections) == (5, 1)


@pytest.mark.parametrize(("said", "pause_s"), [("120", 120.0), ("", None), ("soon", None)])
def test_a_server_that_asks_to_be_left_alone_is_sent_nothing_more(
    tmp_path: Path, said: str, pause_s: float | None
) -> None:
    replies: list[Reply] = []
    with web_pacs() as pacs:
        pacs.answers = [Response(503, retry_after=said)] * 3
        destination_of(pacs.peer(), "X", QUICK).store(
            [file_in(tmp_path)] * 3, lambda _, reply: replies.append(reply)
        )
    assert len(pacs.requests) == (3 if pause_s is None else 1)
    assert {(one.answer, one.name, one.retry_after_s) for one in replies} == {
        (Answer.BUSY, "http_503", pause_s)
    }


# --- commissioning --------------------------------------------------------------------------------


def checked(pacs: WebPacs, folder: Path, **changes: object) -> tuple[int, str]:
    config = write_config(
        folder / "app.yaml", {"peers": [pacs.peer(**changes).model_dump(mode="json")]}
    )
    command = ["check-peer", "pacs", "--store", "--config", str(config)]
    done = CliRunner().invoke(app, command)
    return done.exit_code, done.output


def test_check_peer_asks_stores_and_finds(tmp_path: Path) -> None:
    with web_pacs() as pacs:
        code, output = checked(pacs, tmp_path)
    assert code == 0, output
    assert [line.split()[:2] for line in output.splitlines()] == [
        ["QIDO-RS", "ok"],
        ["store", "ok"],
        ["find", "ok"],
    ]


def test_check_peer_of_a_wrong_address_ends_with_75(tmp_path: Path) -> None:
    with web_pacs() as pacs:
        code, output = checked(pacs, tmp_path, url=f"http://127.0.0.1:{pacs.port}/wrong")
    assert code == 75
    assert "HTTP 404" in output


def test_a_server_without_qido_is_checked_by_its_answer_to_the_object(tmp_path: Path) -> None:
    with web_pacs(offers_find=False) as pacs:
        code, output = checked(pacs, tmp_path, can_find=False)
    assert code == 0, output
