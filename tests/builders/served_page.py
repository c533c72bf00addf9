"""The real page (`serve_web`: uvicorn on a free port) over a filled journal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy.engine import Engine

from app.node.journal.engine import journal_url, open_journal
from app.node.web.server import serve_web
from app.settings import NodeSettings
from tests.builders.filled_journal import fill
from tests.builders.web_site import Told


class ServedPage(NamedTuple):
    """A page that is being served, its journal, and what it logged."""

    port: int
    engine: Engine
    told: Told


@contextmanager
def serving_page(node: NodeSettings, prepare=None) -> Iterator[ServedPage]:
    """Serve until the block ends; `prepare` gets the journal before."""
    node.data.mkdir(parents=True, exist_ok=True)
    engine = open_journal(journal_url(node.data, None))
    fill(engine, node.data)
    if prepare is not None:
        prepare(engine)
    stop, started, ports, told = threading.Event(), threading.Event(), [], Told()

    def ready(port: int) -> None:
        ports.append(port)
        started.set()

    options = {"stop": stop, "ready": ready, "emit": told}
    thread = threading.Thread(target=serve_web, args=(node,), kwargs=options)
    thread.start()
    assert started.wait(90)
    try:
        yield ServedPage(ports[0], engine, told)
    finally:
        stop.set()
        thread.join(90)
        engine.dispose()
    assert not thread.is_alive()
