"""A sender that dies or pauses after each k of 12 slices, on a real association, to a real node.

No header says how many slices there are and nobody can be asked: what is left is how the
association ended, and time. All senders are at work at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import MRImageStorage  # type: ignore[attr-defined]

from app.node.journal import overview
from app.node.journal.engine import journal_url, open_journal, reading
from tests.builders.listener import running_listener
from tests.builders.mr_series import MadeSeries, make_series
from tests.builders.waiting import eventually
from tests.builders.worker_process import WorkerProcess

SLICES = 12
QUIET_S = 4.0
PAUSE_S = 0.9
DEADLINE_S = 10.0
LIMITS = {"quiet_s": QUIET_S, "deadline_s": DEADLINE_S}


@contextmanager
def association(port: int) -> Iterator[Association]:
    entity = AE("SCANNER")
    entity.add_requested_context(MRImageStorage)
    opened = entity.associate("127.0.0.1", port, ae_title="SPINENODE")
    assert opened.is_established
    try:
        yield opened
    finally:
        if opened.is_established:
            opened.release()


def store(opened: Association, paths: tuple[Path, ...]) -> None:
    for path in paths:
        assert opened.send_c_store(path).Status == 0x0000


def pause_after(port: int, made: MadeSeries, k: int) -> None:
    with association(port) as opened:
        store(opened, made.paths[:k])
        time.sleep(PAUSE_S)
        store(opened, made.paths[k:])


def die_after(port: int, made: MadeSeries, k: int) -> None:
    with association(port) as opened:
        store(opened, made.paths[:k])
        opened.abort()


def send_all(port: int, made: MadeSeries) -> None:
    with association(port) as opened:
        store(opened, made.paths)


class Node:
    """Listener and worker over one folder, as a test sees them."""

    def __init__(self, data: Path, port: int) -> None:
        self.port = port
        self.engine = open_journal(journal_url(data, None))

    def inputs(self) -> dict[str, list[int]]:
        """Series -> number of objects of each of its jobs."""
        with reading(self.engine) as c:
            jobs = overview.list_jobs(c, overview.Window(limit=1000))
        found: dict[str, list[int]] = {}
        for job in jobs:
            found.setdefault(job.series_uid, []).append(job.inputs)
        return found

    def states(self) -> list[str]:
        with reading(self.engine) as c:
            return [row.state for row in overview.list_series(c, overview.Window(limit=1000))]

    def each(
        self, send: Callable[[int, MadeSeries, int], None], all_made: list[MadeSeries]
    ) -> None:
        """One sender per series, k = 1 ... 11, all at once."""
        with ThreadPoolExecutor(len(all_made)) as threads:
            sent = [
                threads.submit(send, self.port, made, k) for k, made in enumerate(all_made, start=1)
            ]
            for one in sent:
                one.result()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    worker = WorkerProcess(tmp_path / "node", node={"completeness": LIMITS})
    with running_listener(tmp_path / "node", ae_title="SPINENODE") as listener:
        worker.start()
        try:
            made = Node(tmp_path / "node", listener.port)
            yield made
        finally:
            worker.stop_if_running()
            made.engine.dispose()


@pytest.fixture(scope="module")
def all_made(tmp_path_factory: pytest.TempPathFactory) -> list[MadeSeries]:
    folder = tmp_path_factory.mktemp("series")
    return [make_series(folder / str(k), name=str(k), study=str(k)) for k in range(1, SLICES)]


def test_senders_that_pause_after_each_k_of_12_slices_make_one_whole_job_each(
    node: Node, all_made: list[MadeSeries]
):
    node.each(pause_after, all_made)
    assert node.inputs() == {}
    eventually(lambda: len(node.inputs()) == len(all_made))
    time.sleep(0.5)
    assert node.inputs() == {made.series_uid: [SLICES] for made in all_made}


def test_senders_that_die_after_each_k_of_12_slices_start_nothing_until_they_come_again(
    node: Node, all_made: list[MadeSeries]
):
    node.each(die_after, all_made)
    eventually(lambda: node.states() == ["held"] * len(all_made))
    assert node.inputs() == {}
    node.each(lambda port, made, _: send_all(port, made), all_made)
    eventually(lambda: len(node.inputs()) == len(all_made))
    assert node.inputs() == {made.series_uid: [SLICES] for made in all_made}
