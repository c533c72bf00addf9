"""The page as a process: its port, its heartbeat, what it loads, and how it takes bad clients."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy.engine import Connection, Engine

from app.errors import ConfigurationError
from app.node.journal.engine import journal_url, open_journal, reading
from app.node.journal.processes import heartbeats
from app.node.journal.tables import PROCESS
from app.node.web.http_connections import REQUEST_S
from app.node.web.security import HEADERS
from app.node.web.server import serve_web
from app.settings import WorkerSettings
from tests.builders.listener import running_listener
from tests.builders.waiting import eventually
from tests.builders.web_site import Told, node_of

THREADS = 40
"""In which the page works (anyio's limit)."""
WHOLE_REQUEST_S = REQUEST_S
"""What a request may take; the test that shortens it has to end before."""
HEAVY = ("torch", "monai", "holoscan", "SimpleITK", "dbos", "scipy", "pydicom", "pynetdicom")


@contextmanager
def serving(data: Path, **worker: float) -> Iterator[str]:
    stop, started, ports = threading.Event(), threading.Event(), []

    def ready(port: int) -> None:
        ports.append(port)
        started.set()

    options = {"stop": stop, "ready": ready, "emit": Told()}
    node = node_of(data).model_copy(update={"worker": WorkerSettings(**worker)})
    thread = threading.Thread(target=serve_web, args=(node,), kwargs=options)
    thread.start()
    assert started.wait(90)
    try:
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        stop.set()
        thread.join(90)
    assert not thread.is_alive()


def test_it_answers_beats_and_is_not_ready_alone(tmp_path: Path):
    with serving(tmp_path) as address:
        assert httpx.get(f"{address}/healthz", timeout=60).text == "ok\n"
        answer = httpx.get(f"{address}/readyz", timeout=60)
        assert answer.status_code == 503
        bad = {name for name, check in answer.json()["checks"].items() if not check["ok"]}
        assert bad >= {"listener", "worker"}
        engine = open_journal(journal_url(tmp_path, None))
        with reading(engine) as connection:
            assert [heart.role for heart in heartbeats(connection)] == ["web"]
        engine.dispose()


def test_page_and_listener_report_several_times_within_a_short_lease(tmp_path: Path):
    listener = running_listener(tmp_path, node={"worker": {"lease_s": 1.2}})
    with listener as door, serving(tmp_path, lease_s=1.2):
        heard: dict[str, set[float]] = {"listener": set(), "web": set()}

        def have_4_beats() -> bool:
            for row in door.rows(PROCESS):
                heard[str(row["role"])].add(float(str(row["beat"])))
            return all(len(beats) >= 4 for beats in heard.values())

        eventually(have_4_beats)
    for beats in heard.values():
        # A busy machine makes them late, not early: one every 5 s, as with a long lease, shows.
        assert min(later - one for one, later in pairwise(sorted(beats))) < 3


def test_every_kind_of_answer_carries_the_policy_and_names_no_server(tmp_path: Path):
    with serving(tmp_path) as address:
        for path in ("/", "/static/style.css", "/api/v1/status", "/none", "/metrics"):
            answer = httpx.get(f"{address}{path}", timeout=60)
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
            assert "server" not in answer.headers
        rebound = httpx.get(f"{address}/", headers={"host": "evil.example"}, timeout=60)
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
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: codes(address, ("/jobs",)), range(24)))
        assert answers == [[200]] * 24
        for client in silent:
            client.close()


PROBES = ("/healthz", "/readyz", "/metrics", "/")


def codes(address: str, paths: tuple[str, ...] = PROBES) -> list[int]:
    return [httpx.get(f"{address}{path}", timeout=60).status_code for path in paths]


def test_63_idle_connections_and_200_more_keep_nobody_out(tmp_path: Path):
    with serving(tmp_path) as address, ExitStack() as stack:
        port = int(address.rsplit(":", 1)[1])

        def connect() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port)))

        clients = [connect() for _ in range(63)]
        assert codes(address) == [200, 503, 200, 200]
        for client in clients[:30]:
            client.sendall(b"GET / HTTP/1.1\r\nHost: ")  # and never a word more
        clients += [connect() for _ in range(200)]
        assert codes(address) == [200, 503, 200, 200]
        clients[0].settimeout(60)
        assert clients[0].recv(1) == b""  # the longest idle one had to go


def test_a_request_that_does_not_come_whole_ends_in_time_and_a_whole_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.node.web.http_connections.REQUEST_S", 0.4)
    with serving(tmp_path) as address:
        port = int(address.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(b"POST /actions/job/cancel HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            begun = time.monotonic()
            assert client.recv(1) == b""
            assert 0.2 < time.monotonic() - begun < WHOLE_REQUEST_S
        with httpx.Client(base_url=address, timeout=60) as browser:
            assert browser.get("/healthz").status_code == 200
            time.sleep(0.6)
            assert browser.get("/healthz").status_code == 200


def test_an_answer_that_nobody_takes_is_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.node.web.http_connections.ANSWER_S", 0.4)
    with serving(tmp_path) as address, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", int(address.rsplit(":", 1)[1])))
        ours = client.getsockname()

        def is_held() -> bool:
            held = psutil.Process().net_connections("tcp")
            return any(tuple(one.raddr) == ours for one in held if one.raddr)

        eventually(is_held)
        request = b"GET /static/htmx.min.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        client.sendall(request * 200)  # 10 MB of answers
        client.settimeout(60)
        eventually(lambda: not is_held(), within_s=60)
        assert received(client) < 8_000_000


def received(client: socket.socket) -> int:
    """Bytes until the connection ends, however it does."""
    taken = 0
    with suppress(ConnectionError):
        while part := client.recv(65536):
            taken += len(part)
    return taken


def test_probes_are_answered_while_every_thread_of_the_page_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    release, busy = threading.Event(), threading.Semaphore(0)

    @contextmanager
    def reading_late(engine: Engine) -> Iterator[Connection]:
        busy.release()
        release.wait(300)  # longer than the probes are given
        with reading(engine) as connection:
            yield connection

    monkeypatch.setattr("app.node.web.pages.reading", reading_late)
    with serving(tmp_path) as address, ThreadPoolExecutor(45) as pool:
        stuck = [pool.submit(httpx.get, f"{address}/jobs", timeout=300) for _ in range(45)]
        try:
            assert all(busy.acquire(timeout=60) for _ in range(THREADS))
            assert codes(address, PROBES[:3]) == [200, 503, 200]
        finally:
            release.set()
        assert {one.result().status_code for one in stuck} == {200}


def test_the_page_loads_nothing_heavy():
    program = (
        "import sys, app.node.web.server;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
