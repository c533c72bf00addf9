"""What the node adds to inference: last slice in the journal -> segmentations in the journal.

The stand-in for the inference process answers at once and the number of slices is in the headers,
so that what is left is completeness, selection, queue, steps and commits.

Run: ``.venv/bin/python -m tests.benchmarks.job_overhead [--series 10]``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from app.node.journal import overview
from app.node.journal.engine import reading
from tests.builders.journals import empty_journal
from tests.builders.mr_series import make_series
from tests.builders.received import Inbox
from tests.builders.waiting import eventually
from tests.builders.worker_process import WorkerProcess

SLICES = 15


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--series", type=int, default=10)
    number = options.parse_args().series
    with tempfile.TemporaryDirectory() as folder:
        overheads = measure(Path(folder), number)
    text = ", ".join(f"{value:.2f}" for value in sorted(overheads))
    middle, longest = statistics.median(overheads), max(overheads)
    sys.stdout.write(f"overhead of {number} series, s: {text}\n")
    sys.stdout.write(f"median {middle:.2f} s, longest {longest:.2f} s (at most 3 s)\n")


def measure(data: Path, number: int) -> list[float]:
    engine = empty_journal(data / "node")
    worker = WorkerProcess(data / "node").start()
    inbox, overheads = Inbox(engine, data / "node"), []
    try:
        for n in range(number + 1):
            made = make_series(
                data / f"in{n}", name=str(n), slices=SLICES, tags={"ImagesInAcquisition": SLICES}
            )
            inbox.receive(made.paths)
            begin = time.perf_counter()

            def is_done(count: int = n + 1) -> bool:
                with reading(engine) as c:
                    jobs = overview.list_jobs(c, overview.Window())
                return len([job for job in jobs if job.state == "succeeded"]) == count

            eventually(is_done)
            # The first one waits for the stand-in's imports.
            overheads += [time.perf_counter() - begin] if n else []
    finally:
        worker.terminate()
        engine.dispose()
    return overheads


if __name__ == "__main__":
    main()
