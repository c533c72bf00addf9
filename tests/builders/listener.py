"""A real listener on a free loopback port, in a thread of the test's process."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from app.node.journal.engine import journal_url, open_journal, reading
from app.node.journal.tables import COUNTER, INSTANCE, SERIES
from app.node.listener.listener import serve_listener
from app.settings import NodeSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from app.node.telemetry.events import Event


@dataclass
class RunningListener:
    """A listener and what it told."""

    node: NodeSettings
    port: int = 0
    told: list[tuple[int, dict[str, object]]] = field(default_factory=list)
    news: queue.SimpleQueue[NodeSettings] = field(default_factory=queue.SimpleQueue)

    def emit(self, event: Event, **values: object) -> None:
        unknown = values.keys() - set(event.fields)
        assert not unknown, (event, unknown)
        self.told.append((event.number, values))

    def renew(self, **listener: object) -> None:
        """Give it new settings; it takes them at its next turn."""
        changed = self.node.listener.model_validate({**self.node.listener.model_dump(), **listener})
        self.node = self.node.model_copy(update={"listener": changed})
        self.news.put(self.node)

    def renewed(self) -> NodeSettings | None:
        try:
            return self.news.get_nowait()
        except queue.Empty:
            return None

    @property
    def spool(self) -> Path:
        return self.node.data / "spool"

    def files(self) -> list[Path]:
        return sorted((self.spool / "series").rglob("*.dcm"))

    def incoming(self) -> list[Path]:
        return sorted((self.spool / "incoming").iterdir())

    def rows(self, table: sa.Table) -> list[dict[str, object]]:
        engine = open_journal(journal_url(self.node.data, self.node.database_url))
        try:
            with reading(engine) as connection:
                return [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        finally:
            engine.dispose()

    def instances(self) -> list[dict[str, object]]:
        return self.rows(INSTANCE)

    def series(self) -> dict[object, dict[str, object]]:
        return {row["series_uid"]: row for row in self.rows(SERIES)}

    def counters(self) -> dict[object, object]:
        return {
            row["label"]: row["value"] for row in self.rows(COUNTER) if row["name"] == "objects"
        }


@contextmanager
def running_listener(data: Path, **listener: object) -> Iterator[RunningListener]:
    """Serve until the block ends; options as in `ListenerSettings`, `node` for the rest."""
    rest = dict(listener.pop("node", {}))
    settings = {"port": 0, "ae_title": "NODE", **listener}
    node = NodeSettings.model_validate({"data": data, "listener": settings, **rest})
    data.mkdir(parents=True, exist_ok=True)
    running = RunningListener(node)
    stop, bound = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def ready(port: int) -> None:
        running.port = port
        bound.set()

    def serve() -> None:
        try:
            serve_listener(node, stop=stop, ready=ready, emit=running.emit, renewed=running.renewed)
        except BaseException as error:
            failures.append(error)
            bound.set()
            raise

    thread = threading.Thread(target=serve, name="listener under test")
    thread.start()
    assert bound.wait(90)
    assert not failures
    try:
        yield running
    finally:
        stop.set()
        thread.join(90)
    assert not failures
    assert not thread.is_alive()
