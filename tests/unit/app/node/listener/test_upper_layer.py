from __future__ import annotations

import socket
import struct
import time
from types import SimpleNamespace

import pytest

from app.node.listener.upper_layer import PduSocket, _MonotonicTimer, values_of


def test_a_wall_clock_that_jumps_by_an_hour_ends_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = _MonotonicTimer(5)
    assert not timer.expired
    timer.start()
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    assert not timer.expired
    assert 4 < timer.remaining <= 5


def test_a_timer_expires_by_the_monotonic_clock_and_not_after_a_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    timer = _MonotonicTimer(5)
    timer.start()
    now[0] = 104.0
    assert not timer.expired
    now[0] = 106.0
    assert timer.expired
    timer.restart()
    timer.stop()
    now[0] = 200.0
    assert not timer.expired
    assert _MonotonicTimer(None).remaining == 1


@pytest.mark.parametrize(("asked", "sent", "got"), [(10, 10, 10), (10, 4, 4), (300_000, 0, None)])
def test_no_more_bytes_are_read_than_a_pdu_may_have(asked: int, sent: int, got: int | None) -> None:
    ours, theirs = socket.socketpair()
    association = SimpleNamespace(
        acceptor=SimpleNamespace(maximum_length=16384),
        dul=SimpleNamespace(event_queue=SimpleNamespace(put=lambda _event: None)),
    )
    with ours, theirs:
        reader = PduSocket(association, ours)
        theirs.sendall(bytes(sent))
        theirs.shutdown(socket.SHUT_WR)
        if got is None:
            with pytest.raises(ConnectionAbortedError):
                reader.recv(asked)
        else:
            assert reader.recv(asked) == bytes(got)
        assert not reader.is_reading


def value(data: bytes, *, length: int | None = None) -> bytes:
    size = len(data) + 2 if length is None else length
    return struct.pack(">LBB", size, 1, 2) + data


def test_2_values_of_a_pdu_are_its_fragments_and_an_empty_one_is_one_too() -> None:
    pdu = memoryview(value(b"abc") + value(b""))
    assert [(cx, control, bytes(data)) for cx, control, data in values_of(pdu)] == [
        (1, 2, b"abc"),
        (1, 2, b""),
    ]


@pytest.mark.parametrize("length", [0, 1, 6, 0xFFFFFFFF])
def test_a_value_whose_length_does_not_fit_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="longer than its PDU"):
        list(values_of(memoryview(value(b"abc", length=length))))


def test_a_value_without_its_header_is_refused() -> None:
    with pytest.raises(struct.error):
        list(values_of(memoryview(b"\0\0\0")))
