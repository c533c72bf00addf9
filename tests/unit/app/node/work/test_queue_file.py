"""A damaged database of the engine is put aside by whoever is alone with it; a sound one stays."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.node.journal.locks import holding
from app.node.telemetry.events import ENGINE_ANEW, Event
from app.node.work.queue_file import put_aside_if_damaged


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    file = tmp_path / "queue.db"
    with closing(sqlite3.connect(file)) as c:
        c.execute("CREATE TABLE workflow (name TEXT)")
        c.executemany("INSERT INTO workflow VALUES (?)", [("x" * 100,)] * 500)
        c.commit()
    return file


def put_aside(data: Path) -> list[Event]:
    told: list[Event] = []
    done = put_aside_if_damaged(data, "host-0", lambda event, **_: told.append(event))
    assert done == bool(told)
    return told


def test_a_sound_one_and_none_at_all_stay_as_they_are(queue: Path):
    before = queue.read_bytes()
    assert put_aside(queue.parent) == []
    assert queue.read_bytes() == before
    queue.unlink()
    assert put_aside(queue.parent) == []


@pytest.mark.parametrize("begin", [0, 20_000])
def test_a_damaged_one_is_kept_beside_and_out_of_the_way(queue: Path, begin: int):
    with queue.open("r+b") as out:
        out.seek(begin)
        out.write(os.urandom(8192))
    spoilt = queue.read_bytes()
    assert put_aside(queue.parent) == [ENGINE_ANEW]
    assert not queue.exists()
    assert (queue.parent / "queue.db.damaged-1").read_bytes() == spoilt


def test_one_that_another_worker_uses_is_left_to_a_person(queue: Path):
    queue.write_bytes(os.urandom(20_000))
    with holding(queue.parent, "host-1"):
        assert put_aside(queue.parent) == []
    assert put_aside(queue.parent) == [ENGINE_ANEW]
