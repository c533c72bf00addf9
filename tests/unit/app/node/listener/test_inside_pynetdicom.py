"""Private names of pynetdicom that the listener overrides or sets: a new version must have them."""

from __future__ import annotations

import inspect
import socket
from importlib.metadata import version

import pytest
from pynetdicom import AE, _config, _globals
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, N_EVENT_REPORT_RQ
from pynetdicom.dul import DULServiceProvider
from pynetdicom.timer import Timer
from pynetdicom.transport import AssociationSocket

OVERRIDDEN = {
    ACSE: ["negotiate_association", "send_reject"],
    Association: ["kill", "run_reactor", "get_events"],
    AssociationSocket: ["recv", "ready", "close"],
    DIMSEServiceProvider: ["receive_primitive"],
    DULServiceProvider: ["_is_transport_event", "run_reactor", "send_pdu"],
    Timer: ["start", "stop", "remaining"],
}


@pytest.fixture
def association() -> Association:
    return Association(AE("NODE"), _globals.MODE_ACCEPTOR)


def test_it_is_the_version_that_was_read():
    assert version("pynetdicom") == "3.0.4"


@pytest.mark.parametrize(
    ("owner", "name"), [(owner, name) for owner, names in OVERRIDDEN.items() for name in names]
)
def test_what_is_overridden_or_called_exists(owner: type, name: str):
    assert name in vars(owner)


def test_what_is_set_on_an_association_is_there_before(association: Association):
    for name in ("_handlers", "_reactor_checkpoint", "_accepted_cx", "acse", "dimse", "dul"):
        assert hasattr(association, name), name
    for name in ("_idle_timer", "artim_timer", "_run_loop_delay", "_kill_thread", "event_queue"):
        assert hasattr(association.dul, name), name
    assert hasattr(association.dul.state_machine, "current_state")
    assert hasattr(association.dimse, "msg_queue")
    assert hasattr(association.dimse, "message")


def test_a_message_collects_its_parts_where_they_are_counted():
    message = N_EVENT_REPORT_RQ()
    assert (message.encoded_command_set.tell(), message.data_set.tell()) == (0, 0)


def test_a_store_request_has_a_place_for_the_file_of_its_data_set():
    assert C_STORE_RQ()._data_set_file is None


def test_a_socket_is_taken_as_it_is_and_the_state_machine_told(association: Association):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        made = AssociationSocket(association, client_socket=ours)
        assert made.socket is ours
        assert association.dul.event_queue.get_nowait() == "Evt5"
        assert list(inspect.signature(AssociationSocket).parameters)[:2] == [
            "assoc",
            "client_socket",
        ]


def test_the_client_sides_switches_exist():
    for name in (
        "STORE_SEND_CHUNKED_DATASET",
        "LOG_REQUEST_IDENTIFIERS",
        "LOG_RESPONSE_IDENTIFIERS",
    ):
        assert hasattr(_config, name)
