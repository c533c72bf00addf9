"""Certificate revocation lists (RFC 5280): who stands there gets no connection, on either side."""

import socket
import ssl
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.errors import ConfigurationError
from app.node.tls import client_context, server_context
from app.settings.tls import ListenerTlsSettings, PeerTlsSettings
from tests.builders.certificates import Authority, Files


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def node(authority: Authority) -> Files:
    return authority.issue("node.site.example")


@pytest.fixture
def sender(authority: Authority) -> Files:
    return authority.issue("mr1.site.example")


def listener_of(authority: Authority, own: Files, revoked: Path | None) -> ListenerTlsSettings:
    return ListenerTlsSettings(
        certificate_file=own.certificate,
        key_file=own.key,
        trusted_file=authority.trusted,
        revoked_file=revoked,
    )


def peer_of(authority: Authority, own: Files, revoked: Path | None = None) -> PeerTlsSettings:
    return PeerTlsSettings(
        certificate_file=own.certificate,
        key_file=own.key,
        trusted_file=authority.trusted,
        revoked_file=revoked,
    )


def failures(listener: ListenerTlsSettings, peer: PeerTlsSettings) -> tuple[str, str]:
    """Why each side refused; two empty strings: they talked."""
    server, client = socket.socketpair()
    refused = []

    def answer() -> None:
        refused.append(failure_of(server_context(listener), server, server_side=True))

    thread = threading.Thread(target=answer)
    thread.start()
    mine = failure_of(client_context(peer), client, server_hostname="node.site.example")
    thread.join(10)
    return refused[0], mine


def failure_of(context: ssl.SSLContext, plain: socket.socket, **how: object) -> str:
    plain.settimeout(10)
    try:
        with plain, context.wrap_socket(plain, **how) as connection:
            # By TLS 1.3 a client learns of a refusal at its first read.
            connection.sendall(b"x")
            assert connection.recv(1) == b"x"
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError:
        return "broken off"
    return ""


def test_a_sender_that_is_revoked_is_refused_and_others_are_not(
    authority: Authority, node: Files, sender: Files
):
    other = authority.issue("mr2.site.example")
    listener = listener_of(authority, node, authority.revoke(sender))
    assert failures(listener, peer_of(authority, sender)) == ("certificate revoked", "broken off")
    assert failures(listener, peer_of(authority, other)) == ("", "")


def test_a_peer_that_is_revoked_is_not_called(authority: Authority, node: Files, sender: Files):
    peer = peer_of(authority, sender, authority.revoke(node))
    listener = listener_of(authority, node, None)
    assert failures(listener, peer) == ("broken off", "certificate revoked")


def test_an_outdated_list_and_one_of_another_authority_let_nobody_in(
    authority: Authority, node: Files, sender: Files, tmp_path: Path
):
    for revoked, reason in (
        (authority.revoke(valid_days=-1), "CRL has expired"),
        (Authority(tmp_path, "other").revoke(), "unable to get certificate CRL"),
    ):
        listener = listener_of(authority, node, revoked)
        assert failures(listener, peer_of(authority, sender))[0] == reason


def test_a_list_that_cannot_be_read_is_named(authority: Authority, node: Files, tmp_path: Path):
    (tmp_path / "empty.pem").write_text("")
    for name in ("none.pem", "empty.pem"):
        with pytest.raises(ConfigurationError, match=f"revocation list .*{name}"):
            server_context(listener_of(authority, node, tmp_path / name))


def test_a_list_without_authorities_is_refused(node: Files, tmp_path: Path):
    own = {"certificate_file": node.certificate, "key_file": node.key}
    for settings in (ListenerTlsSettings, PeerTlsSettings):
        with pytest.raises(ValidationError, match="trusted_file"):
            settings.model_validate(own | {"revoked_file": tmp_path / "crl.pem"})
