"""DICOM TLS at the listener and towards peers, with dcmtk on the other side and without."""

from __future__ import annotations

import random
import shutil
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import MRImageStorage, Verification

from app.errors import ConfigurationError, PeerUnreachableError
from app.node.journal.tables import ASSOCIATION
from app.node.peers.dimse import echo
from app.node.peers.store import read_storable, store_files
from app.node.tls import OwnCertificate, check_certificates, own_certificates
from app.settings import NodeSettings
from app.settings.peers import DimsePeerSettings
from tests.builders.certificates import Authority, Files
from tests.builders.listener import RunningListener, running_listener
from tests.builders.mr_series import make_series
from tests.builders.orthanc import free_port, needs_orthanc, running_orthanc
from tests.builders.waiting import eventually

# pynetdicom drops the socket of a refused connection without closing it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")

HOST = "127.0.0.1"
TIME_OUT_S = 60.0
STORESCU, STORESCP = shutil.which("storescu"), shutil.which("storescp")
needs_dcmtk = pytest.mark.skipif(STORESCU is None, reason="dcmtk is not installed (make peers)")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def tls_of(files: Files, **more: object) -> dict[str, object]:
    return {"certificate_file": files.certificate, "key_file": files.key, **more}


@contextmanager
def tls_listener(data: Path, files: Files, **tls: object) -> Iterator[RunningListener]:
    with running_listener(data, port=None, tls_port=0, tls=tls_of(files, **tls)) as node:
        yield node


def peer_of(
    node: RunningListener, authority: Authority, own: Files | None = None
) -> DimsePeerSettings:
    own_files = {} if own is None else tls_of(own)
    return DimsePeerSettings.model_validate(
        {
            "name": "node",
            "ae_title": "NODE",
            "host": HOST,
            "port": node.port,
            "tls": {"trusted_file": authority.trusted, **own_files},
        }
    )


def outcomes(node: RunningListener) -> Counter[str]:
    """How often each; like ones of a minute share a row."""
    counts: Counter[str] = Counter()
    for row in node.rows(ASSOCIATION):
        counts[str(row["outcome"])] += int(str(row["repeats"]))
    return counts


def associate(node: RunningListener, context: ssl.SSLContext) -> Association:
    entity = AE("SCANNER")
    entity.add_requested_context(MRImageStorage, "1.2.840.10008.1.2.1")
    return entity.associate(HOST, node.port, ae_title="NODE", tls_args=(context, HOST))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_objects_of_many_records_arrive_byte_for_byte(
    version: ssl.TLSVersion, tmp_path: Path, authority: Authority
):
    slices = [pydicom.dcmread(path) for path in make_series(tmp_path / "in", slices=3).paths]
    for number, item in enumerate(slices):
        item.Rows, item.Columns = 500, 400
        item.PixelData = random.Random(number).randbytes(2 * 500 * 400)  # noqa: S311 - no secret
    context = ssl.create_default_context(cafile=str(authority.trusted))
    context.minimum_version = context.maximum_version = version
    with tls_listener(tmp_path / "data", authority.issue("node")) as node:
        association = associate(node, context)
        statuses = [association.send_c_store(item).Status for item in slices]
        association.release()
        assert statuses == [0, 0, 0]
        stored = [pydicom.dcmread(path).PixelData for path in node.files()]
    assert sorted(stored) == sorted(item.PixelData for item in slices)


@needs_dcmtk
def test_dcmtk_sends_by_mutual_tls_and_without_its_certificate_does_not(
    tmp_path: Path, authority: Authority
):
    sent, scanner = make_series(tmp_path / "in", slices=3), authority.issue("scanner")
    trusted = {"trusted_file": authority.trusted, "titles": {"SCANNER": ["scanner"]}}
    with tls_listener(tmp_path / "data", authority.issue("node"), **trusted) as node:
        trust = ["+cf", str(authority.trusted)]
        rest = [HOST, str(node.port), *map(str, sent.paths)]
        titles = ["-aet", "SCANNER", "-aec", "NODE"]
        shown = ["+tls", str(scanner.key), str(scanner.certificate), *trust]

        def send(*how: str) -> int:
            done = subprocess.run(
                [str(STORESCU), *how, *rest], capture_output=True, check=False, timeout=60
            )
            return done.returncode

        assert send(*shown, *titles) == 0
        assert len(node.files()) == 3
        assert send("+tla", *trust, *titles) != 0
        eventually(lambda: "tls_failed" in outcomes(node))
        # No TLS at all at the port for TLS.
        assert send(*titles) != 0
        eventually(lambda: outcomes(node)["tls_failed"] == 2)
        other = authority.issue("workstation")
        assert send("+tls", str(other.key), str(other.certificate), *trust, *titles) != 0
        eventually(lambda: "certificate_of_another" in outcomes(node))
        reasons = [values["reason"] for number, values in node.told if number == 102]
        assert "peer_did_not_return_a_certificate" in reasons
        assert len(node.instances()) == 3


def test_a_bound_title_is_not_taken_without_tls(tmp_path: Path, authority: Authority):
    tls = tls_of(
        authority.issue("node"), trusted_file=authority.trusted, titles={"SCANNER": ["scanner"]}
    )
    with running_listener(tmp_path / "data", tls_port=0, tls=tls) as node:
        entity = AE("SCANNER")
        entity.add_requested_context(Verification)
        assert entity.associate(HOST, node.port, ae_title="NODE").is_rejected
        eventually(lambda: outcomes(node) == {"certificate_of_another": 1})


def test_a_sender_waits_for_none_of_200_silent_clients_and_stalled_handshakes(
    tmp_path: Path, authority: Authority
):
    (path,) = make_series(tmp_path / "in", slices=1).paths
    options = {"tls": tls_of(authority.issue("node")), "acse_timeout_s": TIME_OUT_S}
    running = running_listener(tmp_path / "data", port=None, tls_port=0, **options)
    with running as node, ExitStack() as stack:
        for number in range(200):
            client = stack.enter_context(socket.create_connection((HOST, node.port)))
            if number % 2:
                client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")  # the head of a ClientHello
        begun = time.monotonic()
        answers: list[int | None] = []
        store_files(
            peer_of(node, authority),
            "SCANNER",
            [read_storable(path)],
            on_answer=lambda _file, status: answers.append(status),
        )
        assert time.monotonic() - begun < TIME_OUT_S / 2  # nor for the first of them to be left
        assert answers == [0]


def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path, authority: Authority):
    first = authority.issue("node")
    other = Authority(tmp_path, "other")
    with tls_listener(tmp_path / "data", first) as node:
        echo(peer_of(node, authority), "ASKER")
        with pytest.raises(PeerUnreachableError, match="certificate_verify_failed") as failed:
            echo(peer_of(node, other), "ASKER")
        assert failed.value.reasons == ("tls_failed",)
        node.renew(tls=tls_of(other.issue("node2")))

        def is_shown() -> bool:
            try:
                echo(peer_of(node, other), "ASKER")
            except PeerUnreachableError:
                return False
            return True

        eventually(is_shown)


@needs_dcmtk
def test_the_node_calls_a_foreign_peer_that_asks_for_its_certificate(
    tmp_path: Path, authority: Authority
):
    own, theirs, port = authority.issue("node"), authority.issue("pacs"), free_port()
    command = [str(STORESCP), "+tls", str(theirs.key), str(theirs.certificate), "-rc"]
    command += ["+cf", str(authority.trusted), "-aet", "PACS", "-od", str(tmp_path), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        tls = {"trusted_file": authority.trusted, **tls_of(own)}
        peer = DimsePeerSettings.model_validate(
            {"name": "pacs", "ae_title": "PACS", "host": HOST, "port": port, "tls": tls}
        )

        def answers() -> bool:
            try:
                echo(peer, "NODE")
            except PeerUnreachableError:
                return False
            return True

        eventually(answers)
        bare = peer.model_copy(update={"tls": None})
        with pytest.raises(PeerUnreachableError):
            echo(bare, "NODE")
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_certificates_that_cannot_be_used_are_named_before_anything_is_bound(
    tmp_path: Path, authority: Authority
):
    files, other = authority.issue("node"), authority.issue("other")
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for certificate, key in ((files.certificate, other.key), (broken, files.key)):
        node = node_with(certificate, key)
        with pytest.raises(ConfigurationError, match="cannot be used"):
            check_certificates(node)
        check_certificates(node, of_listener=False)  # a worker elsewhere has no such files
    check_certificates(node_with(files.certificate, files.key))


def node_with(certificate: Path, key: Path) -> NodeSettings:
    tls = {"certificate_file": certificate, "key_file": key}
    return NodeSettings.model_validate({"listener": {"tls_port": 2762, "tls": tls}})


def test_the_end_of_validity_is_read_from_the_file(tmp_path: Path, authority: Authority):
    ends = datetime(2031, 5, 6, tzinfo=UTC)
    files = authority.issue("node", expires=ends)
    node = node_with(files.certificate, files.key)
    assert list(own_certificates(node)) == [OwnCertificate("listener", ends.timestamp())]
    files.certificate.unlink()
    assert list(own_certificates(node)) == []  # another host's, perhaps


@needs_orthanc
def test_orthanc_sends_to_the_node_and_takes_from_it_over_tls(tmp_path: Path, authority: Authority):
    theirs, own = authority.issue("pacs"), authority.issue("node")
    options = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(theirs.certificate),
        "DicomTlsPrivateKey": str(theirs.key),
        "DicomTlsTrustedCertificates": str(authority.trusted),
        "DicomTlsRemoteCertificateRequired": True,
    }
    sent = make_series(tmp_path / "in", slices=3)
    trusted = {"trusted_file": authority.trusted}
    with (
        tls_listener(tmp_path / "data", own, **trusted) as node,
        running_orthanc(tmp_path / "pacs", **options) as pacs,
    ):
        answers: list[int | None] = []
        peer = DimsePeerSettings.model_validate(
            {
                "name": "pacs",
                "ae_title": pacs.ae_title,
                "host": HOST,
                "port": pacs.dicom_port,
                "tls": {**trusted, **tls_of(own)},
            }
        )
        store_files(
            peer,
            "NODE",
            [read_storable(path) for path in sent.paths],
            on_answer=lambda _file, status: answers.append(status),
        )
        assert answers == [0, 0, 0]
        assert pacs.count_instances() == 3
        pacs.put(
            "/modalities/node",
            {"AET": "NODE", "Host": HOST, "Port": node.port, "UseDicomTls": True},
        )
        pacs.send_study(sent.study_uid, "node")
        assert len(node.instances()) == 3
