"""One listener per data folder, whatever its port."""

import threading
from pathlib import Path

import pytest

from app.errors import ExitCode, RoleTakenError, exit_code_of
from app.node.listener.listener import serve_listener
from tests.builders.listener import running_listener


def test_a_second_listener_on_another_port_ends_by_name_and_takes_nothing_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.node.listener.maintenance.HANDOVER_S", 0.2)
    with running_listener(tmp_path) as first:
        half = first.spool / "incoming" / "half-received"
        half.touch()
        with pytest.raises(RoleTakenError) as refused:
            serve_listener(
                first.node, stop=threading.Event(), ready=lambda _: None, emit=first.emit
            )
        assert exit_code_of(refused.value) == ExitCode.USAGE
        assert half.exists()
    with running_listener(tmp_path) as second:
        assert second.incoming() == []
