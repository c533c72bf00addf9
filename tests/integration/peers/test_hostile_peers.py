"""Peers that are silent, stop in the middle of a PDU, stop reading, or refuse: every wait ends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

from app.errors import (
    ContextRefusedError,
    PeerRefusedError,
    PeerUnreachableError,
    ServiceError,
)
from app.node.peers.dimse import PATIENT, Patience, echo
from app.node.peers.query import count_instances, find_instances
from app.node.peers.store import StorableFile, read_storable, store_files
from app.settings.peers import DimsePeerSettings
from tests.builders.faulty_pacs import ABORT, CLOSE, HANG, HOST, faulty_pacs, silent_server
from tests.builders.orthanc import free_port
from tests.builders.planned_deliveries import segmentation_file
from tests.builders.waiting import eventually

# pynetdicom drops the socket of a refused connection without closing it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

CALM = Patience(connect_s=30, association_s=30, message_s=30)
"""Where an answer comes: also from a busy machine."""
QUICK = Patience(connect_s=1, association_s=1, message_s=1)
"""Where none does."""


def peer_at(port: int, host: str = HOST) -> DimsePeerSettings:
    return DimsePeerSettings(name="pacs", ae_title="FAULTY", host=host, port=port)


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that handles one connection as a function says."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen(4)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            thread.join()


def file_of(folder: Path, size: int = 0) -> StorableFile:
    path = folder / "a.dcm"
    segmentation_file(path, "2.25.1", "2.25.2", "2.25.3")
    if size:
        # A longer last element would need its length changed: trailing padding is valid too.
        with path.open("ab") as file:
            file.write(b"\xfc\xff\xfc\xff" + b"OB\0\0" + size.to_bytes(4, "little") + bytes(size))
    return read_storable(path)


def store(port: int, *files: StorableFile, patience: Patience = CALM) -> list[int | None]:
    answers: list[int | None] = []
    store_files(
        peer_at(port),
        "SPINENODE",
        files,
        on_answer=lambda _file, status: answers.append(status),
        patience=patience,
    )
    return answers


def test_a_peer_that_never_says_a_word_is_unreachable_after_the_limit() -> None:
    with silent_server() as port:
        began = time.monotonic()
        with pytest.raises(PeerUnreachableError):
            echo(peer_at(port), "SPINENODE", QUICK)
        assert time.monotonic() - began < PATIENT.association_s


def test_half_a_pdu_is_as_good_as_none() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"\x02\x00\x00\x00\x10\x00AB")  # an A-ASSOCIATE-AC of 4096 bytes
        connection.settimeout(60)
        while connection.recv(4096):
            pass

    with raw_server(talk) as port:
        began = time.monotonic()
        with pytest.raises(PeerUnreachableError):
            echo(peer_at(port), "SPINENODE", QUICK)
        assert time.monotonic() - began < PATIENT.association_s


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 200, b""])
def test_a_peer_that_speaks_another_language_is_unreachable(noise: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(noise)

    with raw_server(talk) as port, pytest.raises(PeerUnreachableError):
        echo(peer_at(port), "SPINENODE", QUICK)


def test_an_unknown_host_and_a_closed_port_have_names() -> None:
    with pytest.raises(PeerUnreachableError) as unknown:
        echo(peer_at(104, "no-such-host.invalid"), "SPINENODE", QUICK)
    with pytest.raises(PeerUnreachableError) as closed:
        echo(peer_at(free_port()), "SPINENODE", QUICK)
    assert (unknown.value.reasons, closed.value.reasons) == (("host_unknown",), ("unreachable",))


def test_a_permanent_rejection_is_told_with_its_reason() -> None:
    with (
        faulty_pacs(known_callers=["SOMEBODY"]) as pacs,
        pytest.raises(PeerRefusedError, match="calling_ae_title_unknown"),
    ):
        echo(peer_at(pacs.port), "SPINENODE", CALM)


def test_a_peer_that_offers_no_query_says_so_by_its_contexts() -> None:
    with faulty_pacs(offers_find=False) as pacs, pytest.raises(ContextRefusedError):
        find_instances(peer_at(pacs.port), "SPINENODE", "1.2", "1.3")


def test_a_query_that_fails_names_its_status() -> None:
    with (
        faulty_pacs(find_status=0xA700) as pacs,
        pytest.raises(PeerRefusedError, match="0xA700"),
    ):
        count_instances(peer_at(pacs.port), "SPINENODE", "1.2", "1.3")


@pytest.mark.parametrize("fault", [ABORT, CLOSE, HANG])
def test_a_connection_lost_in_the_middle_ends_in_time(tmp_path: Path, fault: str) -> None:
    with faulty_pacs([fault]) as pacs:
        began = time.monotonic()
        with pytest.raises(PeerUnreachableError):
            store(pacs.port, file_of(tmp_path), patience=QUICK)
        assert time.monotonic() - began < PATIENT.message_s / 2


def test_a_peer_that_stops_reading_does_not_hold_us(tmp_path: Path) -> None:
    """More than the socket buffers hold is on its way when the peer stops."""
    accepting = threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = connection.recv(65536)
        connection.sendall(_accept(request))
        accepting.wait(600)

    with raw_server(talk) as port:
        began = time.monotonic()
        file = file_of(tmp_path, size=30_000_000)
        patience = Patience(connect_s=1, association_s=1, message_s=1, bytes_per_s=file.size_bytes)
        with pytest.raises(PeerUnreachableError):
            store_files(
                peer_at(port),
                "SPINENODE",
                [file],
                on_answer=lambda _file, _status: None,
                patience=patience,
            )
        took_s = time.monotonic() - began
        accepting.set()
    assert took_s < 300  # it would stay for 600


def test_a_refused_context_among_accepted_ones_concerns_only_its_objects(tmp_path: Path) -> None:
    segmentation = file_of(tmp_path)
    image = StorableFile(
        path=segmentation.path,
        size_bytes=segmentation.size_bytes,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",  # CT: not offered
        sop_instance_uid="2.25.9",
        transfer_syntax_uid=segmentation.transfer_syntax_uid,
    )
    with faulty_pacs() as pacs:
        assert store(pacs.port, image, segmentation) == [None, 0x0000]
        assert store(pacs.port, image) == [None]


def test_what_the_caller_raises_aborts_the_association(tmp_path: Path) -> None:
    file = file_of(tmp_path)

    def fail(_file: StorableFile, _status: int | None) -> None:
        raise ServiceError

    with faulty_pacs() as pacs:
        with pytest.raises(ServiceError):
            store_files(peer_at(pacs.port), "SPINENODE", [file, file], on_answer=fail)
        assert pacs.received == ["2.25.3"]


def test_many_associations_leave_no_thread_behind(tmp_path: Path) -> None:
    file = file_of(tmp_path)
    with faulty_pacs() as pacs:
        store(pacs.port, file)
        before = threading.active_count()
        for _ in range(15):
            store(pacs.port, file)
        eventually(lambda: threading.active_count() <= before)


def _accept(request: bytes) -> bytes:
    """An A-ASSOCIATE-AC that accepts every proposed context in its first transfer syntax."""
    asked = A_ASSOCIATE_RQ()
    asked.decode(request)
    primitive = asked.to_primitive()
    results = primitive.presentation_context_definition_list
    for context in results:
        context.result = 0
        context.transfer_syntax = context.transfer_syntax[:1]
    primitive.presentation_context_definition_results_list = results
    primitive.result = 0
    answer = A_ASSOCIATE_AC()
    answer.from_primitive(primitive)
    return answer.encode()
