"""A page over a filled journal, without a port: requests go straight into the application."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.testclient import TestClient

from app.node.journal.engine import journal_url, open_journal
from app.node.web.server import create_app
from app.node.web.site import Site
from app.settings import NodeSettings, WebSettings
from app.settings.peers import DimsePeerSettings, RouteSettings
from tests.builders.filled_journal import NOW, PACS

if TYPE_CHECKING:
    from pathlib import Path

    from app.node.telemetry.events import Event

ADDRESS = "http://127.0.0.1"
SECRET = b"s" * 32
FREE_BYTES = 50_000_000_000


@dataclass
class Told:
    """Event log that remembers; a field that the catalogue does not know is an error."""

    events: list[tuple[int, dict[str, object]]] = field(default_factory=list)

    def __call__(self, event: Event, **values: object) -> None:
        assert not values.keys() - set(event.fields)
        self.events.append((event.number, values))


def node_of(data: Path, **web: object) -> NodeSettings:
    """Settings of a node with one destination."""
    peer = DimsePeerSettings(name=PACS, ae_title="PACS", host="127.0.0.1", port=104)
    return NodeSettings(
        data=data,
        peers=[peer],
        routes=[RouteSettings(destinations=[PACS])],
        web=WebSettings.model_validate({"port": 0} | web),
    )


def site_of(data: Path, *, free_bytes: int = FREE_BYTES, **web: object) -> Site:
    """Site with an empty journal in `data`, at the moment the filled journal is about."""
    data.mkdir(parents=True, exist_ok=True)
    return Site(
        node=node_of(data, **web),
        engine=open_journal(journal_url(data, None)),
        secret=SECRET,
        clock=lambda: NOW,
        monotonic=lambda: 1000.0,
        emit=Told(),
        free_bytes=lambda _folder: free_bytes,
    )


def client_of(site: Site) -> TestClient:
    """Browser without scripts that keeps its cookies."""
    return TestClient(create_app(site), base_url=ADDRESS, follow_redirects=False)
