"""A stand-in for the inference child: same protocol, no networks, results within milliseconds.

It writes two small DICOM Segmentation objects that follow from the objects of the job alone, so
that a repeat gives the same bytes and the same UIDs. What comes before a dash in a job id makes
it misbehave; the ids of real jobs are hexadecimal digits.

Run: ``python -m tests.builders.stub_inference_child [--work SECONDS | --until FILE] [--graph
[--truth FOLDER]] [--refuse-start]``.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.node.inference.child import AnswerPipe
from app.node.inference.protocol import Done, Failed, Progress, Ready, Request, decode_request
from app.signals import die_with_parent, ignore_stop_requests

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (
    "/usr/bin/env",
    f"PYTHONPATH={ROOT}",
    sys.executable,
    "-m",
    "tests.builders.stub_inference_child",
)
"""What a `Supervisor` is given."""
SLEEPER = (sys.executable, "-c", "import time; time.sleep(3600)")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--work", type=float, default=0.0, help="seconds per request")
    options.add_argument("--until", type=Path, help="a request is at work until this file is there")
    options.add_argument("--graph", action="store_true", help="the real graph, stand-in networks")
    options.add_argument("--truth", type=Path, help="kept by `tests.builders.whole_patient`")
    options.add_argument("--refuse-start", action="store_true")
    options.add_argument("--hang-at-start", action="store_true")
    chosen = options.parse_args()
    answer = AnswerPipe(os.dup(1))
    ignore_stop_requests()
    die_with_parent()
    if chosen.hang_at_start:
        time.sleep(3600)
    if chosen.refuse_start:
        answer(Failed(code="SPN-2000", message="the model folder cannot be used"))
        sys.exit(20)
    ready = Ready(profile="stub", models={"semantic": {"name": "stub", "version": "0"}})
    if chosen.graph:
        serve_graph(answer, ready, chosen.truth)
        return
    answer(ready)
    for line in sys.stdin.buffer:
        serve_request(decode_request(line), answer, chosen)


def serve_request(request: Request, answer: AnswerPipe, chosen: argparse.Namespace) -> None:
    word, dash, _ = request.job_id.partition("-")
    if dash:
        misbehave(word, request.job_id, answer)
    for number in range(1, 5):
        answer(Progress(job_id=request.job_id, step="stub_step", fraction=number / 4))
        time.sleep(chosen.work / 4)
    while chosen.until is not None and not chosen.until.exists():
        time.sleep(0.01)
    if word == "echo":
        answer(Done(job_id=request.job_id, record={"pid": os.getpid(), "exit_code": 0}))
    else:
        answer(Done(job_id=request.job_id, record=segment(request)))


def serve_graph(answer: AnswerPipe, ready: Ready, truth: Path | None) -> None:
    """Answer as the real child does, with networks that paint boxes, or know the truth."""
    # Not at the top: they load the graph, which the plain stand-in does without.
    from app.node.inference.child import serve  # noqa: PLC0415
    from app.run.bootstrap import prepare_process  # noqa: PLC0415
    from operators.dicom.selection.series_selection import SelectionSettings  # noqa: PLC0415
    from operators.spine.quality import assess, image_measures  # noqa: PLC0415
    from tests.builders.stub_models import stub_bundle  # noqa: PLC0415
    from tests.builders.whole_patient import read_truth, true_bundle  # noqa: PLC0415

    prepare_process()
    import app.run.graph  # noqa: F401, PLC0415 - seconds, before it is ready

    # The images of tests do not show what the stand-in paints: the gate judges the masks alone.
    assess.RULES = tuple(
        rule for rule in assess.RULES if rule.measure.__module__ != image_measures.__name__
    )
    bundle = stub_bundle() if truth is None else true_bundle(read_truth(truth))
    answer(ready)
    serve(sys.stdin.buffer, answer, bundle, SelectionSettings())


def misbehave(word: str, job_id: str, answer: AnswerPipe) -> None:
    ways: dict[str, Callable[[], object]] = {
        "segv": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "freeze": lambda: os.kill(os.getpid(), signal.SIGSTOP),
        "exit": lambda: sys.exit(3),
        "hang": hang,
        # A hang that the journal can be seen to have begun.
        "busy": lambda: (answer(Progress(job_id=job_id, step="stub_step", fraction=0)), hang()),
        "spin": spin,
        "grandchild": lambda: (subprocess.Popen(SLEEPER), hang()),
        "garbage": lambda: (os.write(answer.descriptor, b"Segmenting [##  ] 40%\n"), hang()),
        "stranger": lambda: (answer(Done(job_id="of somebody else", record={})), hang()),
        "endless": lambda: write_for_ever(answer.descriptor),
        "memory": lambda: hang(b"x" * (600 * 1024 * 1024)),
        "error": lambda: (answer(Failed(code="SPN-9400", message="internal error")), sys.exit(70)),
    }
    ways.get(word, lambda: None)()


def hang(_hoard: bytes = b"") -> None:
    time.sleep(3600)


def spin() -> None:
    while True:
        sum(range(1000))


def write_for_ever(descriptor: int) -> None:
    while True:
        os.write(descriptor, b"x" * 65536)


def segment(request: Request) -> dict[str, Any]:
    """Import what writes DICOM at the first study only: most tests need none."""
    from tests.builders.stub_segmentation import write_results  # noqa: PLC0415

    return write_results(request).as_dict()


if __name__ == "__main__":
    main()
