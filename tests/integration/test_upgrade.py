"""A data folder of version 0.1.0 under today's processes: jobs run, deliveries go, none twice."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage

from app.node.journal import delivery_decisions
from app.node.journal.engine import journal_url, open_journal, transaction
from tests.builders.counting_pacs import counting_pacs
from tests.builders.killable_node import killable_node
from tests.builders.mr_series import make_series
from tests.builders.older_journal import make_older
from tests.builders.waiting import comes_true

DELIVERIES = "SELECT count(*) FROM delivery WHERE state = '%s'"
JOBS = "SELECT count(*) FROM job WHERE state = 'succeeded'"
RECEIVED = "SELECT count(*) FROM instance"


def send(port: int, folder: Path, description: str) -> None:
    made = make_series(
        folder / description,
        slices=4,
        name=description,
        study=description,
        tags={"ImagesInAcquisition": 4},
    )
    entity = AE("SCANNER")
    entity.add_requested_context(MRImageStorage, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port, ae_title="SPINENODE")
    assert association.is_established
    assert {association.send_c_store(path).Status for path in made.paths} == {0}
    association.release()


def release_all(data: Path) -> None:
    engine = open_journal(journal_url(data, None))
    with transaction(engine) as c:
        for (name,) in c.exec_driver_sql("SELECT delivery_id FROM delivery").all():
            delivery_decisions.release(c, name, time.time())
    engine.dispose()


def test_what_the_older_version_left_undone_is_done_once(tmp_path: Path):
    held = {"release": "hold", "first_delay_s": 0.2, "longest_delay_s": 1}
    with (
        counting_pacs() as pacs,
        killable_node(tmp_path, pacs, child=("--work", "0"), delivery=held) as node,
    ):
        rows = node.journal.rows
        send(node.listener.port, tmp_path, "one")
        assert comes_true(lambda: rows(DELIVERIES % "held") == [(2,)], 60)
        node.worker.kill()  # with a result that waits for its release
        send(node.listener.port, tmp_path, "two")
        assert comes_true(lambda: rows(RECEIVED) == [(8,)])
        node.listener.kill()  # with a series that nobody has looked at
        make_older(node.data / "journal.db")

        node.start("listener", "worker")
        assert comes_true(lambda: rows(JOBS) == [(2,)], 60), rows("SELECT * FROM job")
        assert comes_true(lambda: rows(DELIVERIES % "held") == [(4,)])
        release_all(node.data)
        assert comes_true(lambda: rows(DELIVERIES % "delivered") == [(4,)])
        assert sorted(pacs.arrivals.values()) == [1, 1, 1, 1]
        assert rows("SELECT max(version) > 1 FROM schema_version") == [(1,)]
    with closing(sqlite3.connect(node.data / "journal-before-0002.db")) as copy:
        assert copy.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
        assert copy.execute(RECEIVED).fetchall() == [(8,)]
        assert copy.execute(JOBS).fetchall() == [(1,)]
