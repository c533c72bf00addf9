from __future__ import annotations

import socket
import time
from types import SimpleNamespace

import pytest

from app.node.upper_layer import PduSocket, _MonotonicTimer


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
        reader = PduSocket(association, client_socket=ours)
        theirs.sendall(bytes(sent))
        theirs.shutdown(socket.SHUT_WR)
        if got is None:
            with pytest.raises(ConnectionAbortedError):
                reader.recv(asked)
        else:
            assert reader.recv(asked) == bytes(got)
        assert not reader.is_reading
