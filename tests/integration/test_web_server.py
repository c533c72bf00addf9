"""The page as a process: its port, its heartbeat, what it loads, and how it takes bad clients."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.errors import ConfigurationError
from app.journal.engine import journal_url, open_journal, reading
from app.journal.processes import heartbeats
from app.web.security import HEADERS
from app.web.server import serve_web
from tests.builders.web_site import Told, node_of

HEAVY = ("torch", "monai", "holoscan", "SimpleITK", "dbos", "scipy", "pydicom", "pynetdicom")


@contextmanager
def serving(data: Path) -> Iterator[str]:
    stop, started, ports = threading.Event(), threading.Event(), []

    def ready(port: int) -> None:
        ports.append(port)
        started.set()

    options = {"stop": stop, "ready": ready, "emit": Told()}
    thread = threading.Thread(target=serve_web, args=(node_of(data),), kwargs=options)
    thread.start()
    assert started.wait(20)
    try:
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def test_it_answers_beats_and_is_not_ready_alone(tmp_path: Path):
    with serving(tmp_path) as address:
        assert httpx.get(f"{address}/healthz").text == "ok\n"
        answer = httpx.get(f"{address}/readyz")
        assert answer.status_code == 503
        bad = {name for name, check in answer.json()["checks"].items() if not check["ok"]}
        assert bad >= {"listener", "worker"}
        engine = open_journal(journal_url(tmp_path, None))
        with reading(engine) as connection:
            assert [heart.role for heart in heartbeats(connection)] == ["web"]
        engine.dispose()


def test_every_kind_of_answer_carries_the_policy_and_names_no_server(tmp_path: Path):
    with serving(tmp_path) as address:
        for path in ("/", "/static/style.css", "/api/v1/status", "/none", "/metrics"):
            answer = httpx.get(f"{address}{path}")
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
            assert "server" not in answer.headers
        rebound = httpx.get(f"{address}/", headers={"host": "evil.example"})
        assert (rebound.status_code, "SPINEPS" in rebound.text) == (403, False)


def test_a_port_that_is_taken_is_named(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        node = node_of(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="cannot listen on port"):
            serve_web(node, stop=threading.Event(), ready=lambda _: None, emit=Told())


def test_30_silent_clients_and_garbage_do_not_keep_it_from_answering(tmp_path: Path):
    with serving(tmp_path) as address:
        port = int(address.rsplit(":", 1)[1])
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
        silent[0].sendall(b"\x16\x03\x01 garbage\r\n\r\n")
        start = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(lambda _: httpx.get(f"{address}/jobs").status_code, range(24)))
        assert set(codes) == {200}
        assert time.monotonic() - start < 15
        for client in silent:
            client.close()


def test_the_page_loads_nothing_heavy():
    program = (
        f"import sys, app.web.server;print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
