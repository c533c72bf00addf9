"""TLS of the page: who it is, which protocols, silent clients, a certificate that is replaced."""

import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from app.errors import ConfigurationError
from app.node.tls import check_certificates, own_certificates
from app.node.web import page_tls
from app.node.web.page_tls import HANDSHAKE_S, PageCertificate
from app.settings.tls import PageTlsSettings
from tests.builders.certificates import Authority
from tests.builders.people import keep_person, log_in
from tests.builders.served_page import ServedPage, serving_page
from tests.builders.waiting import eventually
from tests.builders.web_site import Told, node_of


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def tls(tmp_path: Path, authority: Authority) -> PageTlsSettings:
    files = authority.issue("localhost")
    certificate, key = tmp_path / "page.pem", tmp_path / "page.key"
    shutil.copy(files.certificate, certificate)
    shutil.copy(files.key, key)
    return PageTlsSettings(certificate_file=certificate, key_file=key)


@pytest.fixture
def served(
    tmp_path: Path, tls: PageTlsSettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServedPage]:
    monkeypatch.setattr(page_tls, "HANDSHAKE_S", HANDSHAKE_S / 20)
    node = node_of(tmp_path / "data", tls=tls)
    with serving_page(node, lambda engine: keep_person(engine, "anna")) as running:
        yield running


def context_of(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.trusted))


def serial_of(port: int, authority: Authority) -> str:
    """Serial number of the certificate that a new connection is shown."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        context_of(authority).wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return connection.getpeercert()["serialNumber"]


def wait_for(told: Told, number: int) -> None:
    eventually(lambda: number in [event for event, _ in told.events])


def test_people_log_in_over_tls_and_stay_on_it(served: ServedPage, authority: Authority):
    address = f"https://localhost:{served.port}"
    with httpx.Client(verify=context_of(authority), base_url=address, timeout=60) as client:
        assert client.get("/healthz").text == "ok\n"
        answer = log_in(client, "anna")
        assert answer.status_code == 303
        assert "; secure" in answer.headers["set-cookie"].lower()
        page = client.get("/")
        assert "anna" in page.text
        assert page.headers["strict-transport-security"] == "max-age=31536000"


def test_old_protocols_and_plain_requests_get_nothing(served: ServedPage, authority: Authority):
    old = context_of(authority)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"https://localhost:{served.port}/", verify=old)
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://localhost:{served.port}/")


def test_a_client_that_does_not_shake_hands_is_left(served: ServedPage, authority: Authority):
    silent = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(20)]
    silent[0].sendall(b"\x16\x03\x01")
    begun = time.monotonic()
    assert serial_of(served.port, authority)
    for client in silent:
        client.settimeout(60)
        assert client.recv(100) in {b"", b"\x15\x03\x01\x00\x02\x02\x16"}
        client.close()
    assert time.monotonic() - begun < HANDSHAKE_S


def test_a_new_certificate_is_shown_without_a_restart_and_a_bad_one_never(
    served: ServedPage, authority: Authority, tls: PageTlsSettings, tmp_path: Path
):
    first = serial_of(served.port, authority)
    other = Authority(tmp_path, "other").issue("localhost")
    shutil.copy(other.certificate, tls.certificate_file)  # its key is not there yet
    wait_for(served.told, 625)
    assert serial_of(served.port, authority) == first
    fresh = authority.issue("localhost")
    shutil.copy(fresh.key, tls.key_file)
    shutil.copy(fresh.certificate, tls.certificate_file)
    wait_for(served.told, 624)
    assert serial_of(served.port, authority) != first


def test_unusable_files_are_named_at_the_start_and_by_check_config(
    tls: PageTlsSettings, tmp_path: Path
):
    gone = tls.model_copy(update={"key_file": tmp_path / "none.key"})
    node = node_of(tmp_path, tls=gone)
    for attempt in (lambda: check_certificates(node), lambda: PageCertificate(gone, Told())):
        with pytest.raises(ConfigurationError, match=r"none\.key"):
            attempt()
    check_certificates(node, of_listener=False)
    check_certificates(node_of(tmp_path, tls=tls))


def test_its_end_is_watched_like_the_listeners(tmp_path: Path, authority: Authority):
    expires = datetime(2031, 5, 1, tzinfo=UTC)
    files = authority.issue("page.site.example", expires)
    tls = PageTlsSettings(certificate_file=files.certificate, key_file=files.key)
    (own,) = own_certificates(node_of(tmp_path, tls=tls))
    assert (own.used_for, own.expires) == ("page", expires.timestamp())
