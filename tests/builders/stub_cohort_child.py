"""A stand-in for the inference child of a cohort: files as a run writes them, no networks.

Results follow from the image's bytes and the request alone. What is no gzip is refused; an image
called ``*crash*`` ends the process. Every request that began and ended is a line in the log.

Run: ``python -m tests.builders.stub_cohort_child LOG SECONDS``.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from pathlib import Path

from app.node.inference.child import AnswerPipe
from app.node.inference.protocol import Done, Ready, Request, decode_request
from app.run.record import ErrorRecord, ResultRecord, SeriesRecordEntry
from app.signals import die_with_parent, ignore_stop_requests
from operators.errors import UnreadableInputError
from operators.imaging.result_files import case_name, result_names, spineps_stem
from operators.spine.measurements.measure import Measurement
from operators.spine.measurements.rows import csv_text

ROOT = Path(__file__).resolve().parents[2]
MODELS = {phase: {"name": phase, "version": "0", "digest": "00"} for phase in ("semantic",)}


def command(log: Path, work_s: float) -> tuple[str, ...]:
    """What a `Supervisor` is given."""
    module = "tests.builders.stub_cohort_child"
    environment = ("/usr/bin/env", f"PYTHONPATH={ROOT}")
    return (*environment, sys.executable, "-W", "ignore", "-m", module, str(log), str(work_s))


def main() -> None:
    log, work_s = Path(sys.argv[1]), float(sys.argv[2])
    answer = AnswerPipe(os.dup(1))
    ignore_stop_requests()
    die_with_parent()
    answer(Ready(profile="stub", models=MODELS))
    for line in sys.stdin.buffer:
        request = decode_request(line)
        note(log, "begin", request)
        if "crash" in request.source.name:
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(work_s)
        record = segment(request)
        note(log, "end", request)
        answer(Done(job_id=request.job_id, record=record.as_dict()))


def note(log: Path, word: str, request: Request) -> None:
    with log.open("a") as file:
        file.write(f"{word} {os.getpid()} {request.source.name}\n")


def segment(request: Request) -> ResultRecord:
    content = request.source.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        error = UnreadableInputError("the stub cannot read it", reasons=("unreadable_nifti",))
        return ResultRecord(status="failed", exit_code=10, error=ErrorRecord.of(error))
    key, sha = case_name(request.source), hashlib.sha256(content).hexdigest()
    height = 20 + int(sha[:4], 16) / 65536
    rows = (Measurement(instance=20, level="", measure="body_middle_height", value=height),)
    files = dict.fromkeys(result_names(key), f"{sha} {request.started}\n")
    files |= {
        f"{key}_overlay.png": sha,
        f"{spineps_stem(key)}_measurements.csv": csv_text(key, rows),
    }
    request.output.mkdir(parents=True)
    for name, text in files.items():
        (request.output / name).write_text(text)
    entry = SeriesRecordEntry(
        key=key,
        status="ok",
        files=tuple(files),
        vertebrae=5,
        volumes_ml={"corpus": 100.0},
        confidence={"structures": {"corpus": 0.9}, "vertebrae": {}},
        durations_s={"segment_semantic": 0.5, "write_segmentation": 0.25},
    )
    return ResultRecord(status="ok", exit_code=0, series=(entry,), models=MODELS, profile="stub")


if __name__ == "__main__":
    main()
