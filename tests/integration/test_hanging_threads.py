"""A worker that lives and of which one thread hangs: it is named, and started again."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from pathlib import Path

from sqlalchemy.engine import Engine

from app.node.journal.engine import journal_url, open_journal, reading
from app.node.journal.lookout import Lookout, Moment
from app.node.serve import Child, Limits, supervise
from app.node.telemetry.logs import EventLog
from app.settings import NodeSettings
from tests.builders.mr_series import make_series
from tests.builders.received import Inbox
from tests.builders.stub_inference_child import COMMAND
from tests.builders.waiting import eventually

QUIET = {"quiet_s": 0.5, "query_after_s": 0.1}


def hanging_threads(engine: Engine, node: NodeSettings) -> list[str]:
    """What "attention" names."""
    moment = Moment(now=time.time(), monotonic_s=time.monotonic(), free_bytes=10**12)
    with reading(engine) as c:
        found = Lookout().circumstances(c, node, moment).observed["process_silent"]
    return [one.subject for one in found]


def is_job_made(engine: Engine) -> bool:
    with reading(engine) as c:
        return bool(c.exec_driver_sql("SELECT count(*) FROM job").scalar())


def test_a_read_that_never_ends_is_named_and_the_worker_started_again(tmp_path: Path):
    data = tmp_path / "node"
    data.mkdir()
    engine = open_journal(journal_url(data, None))
    made = make_series(tmp_path / "source")
    Inbox(engine, data).receive(made.paths)
    with reading(engine) as c:
        stored = c.exec_driver_sql("SELECT path FROM instance").scalars().first()
    file = data / "spool" / str(stored)
    content = file.read_bytes()
    file.unlink()
    os.mkfifo(file)  # whoever opens it waits for a writer, as for a network disk that is gone
    node = NodeSettings(data=data, completeness=QUIET, worker={"lease_s": 3})
    options = {"command": COMMAND, "host": "here", "limits_s": {"scan": 1.0}}
    told = json.dumps([node.model_dump(mode="json"), options])
    command = [sys.executable, "-m", "tests.builders.worker_process", told]
    stop, log = threading.Event(), io.StringIO()
    serve = threading.Thread(
        target=lambda: supervise(
            [Child("worker", command, lambda _role, _port: None)],
            stop=stop,
            emit=EventLog("serve", is_strict=True, stream=log),
            limits=Limits(grace_s=1.0, hung_after_s=3.0),
        )
    )
    serve.start()
    try:
        eventually(lambda: "here-0: scan" in hanging_threads(engine, node))
        assert not is_job_made(engine)
        file.unlink()
        file.write_bytes(content)
        eventually(lambda: is_job_made(engine), 60)
        eventually(lambda: "here-0: scan" not in hanging_threads(engine, node))
    finally:
        stop.set()
        serve.join(60)
        engine.dispose()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["number"], line["role"]) for line in lines] == [(704, "worker"), (703, "worker")]
