"""Settings are taken while the node runs, or none of them is."""

from __future__ import annotations

import threading
from functools import reduce
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.node.reload import NEEDING_RESTART, Reload, check_reloadable
from app.node.telemetry.events import SETTINGS_REFUSED, SETTINGS_RELOADED, Event
from app.settings import Settings, load_settings

OTHER = {
    "node.data": Path("/elsewhere"),
    "node.database_url": "postgresql://elsewhere/journal",
    "node.listener.host": "127.0.0.2",
    "node.listener.port": 1,
    "node.listener.tls_port": 1,
    "node.web.host": "127.0.0.2",
    "node.web.port": 1,
}


def changed(path: str, value: object) -> Settings:
    """Settings in which one differs."""
    settings = load_settings()
    *sections, name = path.split(".")
    parents = [settings]
    for section in sections:
        parents.append(getattr(parents[-1], section))
    last = parents.pop().model_copy(update={name: value})
    pairs = zip(reversed(parents), reversed(sections), strict=True)
    return reduce(lambda inner, pair: pair[0].model_copy(update={pair[1]: inner}), pairs, last)


@pytest.mark.parametrize("path", NEEDING_RESTART)
def test_what_needs_a_restart_is_named(path: str) -> None:
    with pytest.raises(ConfigurationError, match=f"cannot change {path}: restart the node"):
        check_reloadable(load_settings(), changed(path, OTHER[path]))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("node.listener.ae_title", "OTHER"),
        ("node.listener.max_associations", 1),
        ("node.worker.lease_s", 5.0),
        ("node.log_level", "error"),
        ("models.semantic", "another"),
    ],
)
def test_everything_else_may_change(path: str, value: object) -> None:
    check_reloadable(load_settings(), changed(path, value))


def test_settings_are_read_once_per_wish_and_refused_as_a_whole() -> None:
    told: list[Event] = []
    wanted, now = threading.Event(), load_settings()
    answers = [changed("node.web.port", 1), changed("node.log_level", "error")]
    reload = Reload(now, wanted, lambda: answers.pop(0))

    def emit(event: Event, **_values: object) -> None:
        told.append(event)

    assert reload.take(emit) is None
    assert not told
    wanted.set()
    assert reload.take(emit) is None
    assert reload.current is now
    wanted.set()
    taken = reload.take(emit)
    assert taken is not None
    assert taken.node.log_level == "error"
    assert reload.current is taken
    assert reload.take(emit) is None
    assert told == [SETTINGS_REFUSED, SETTINGS_RELOADED]
