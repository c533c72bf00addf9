from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.errors import ProtocolError
from app.node.inference.child import PROGRESS_EVERY_S, AnswerPipe, ProgressGate, serve
from app.node.inference.protocol import (
    Done,
    Progress,
    Ready,
    Request,
    decode_answer,
    encode,
)
from operators.dicom.selection.series_selection import SelectionSettings
from tests.builders.stub_models import spine_series, stub_bundle

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_answer_longer_than_the_pipe_arrives_whole():
    read_end, write_end = os.pipe()
    long = Done(job_id="a", record={"text": "x" * 50_000})
    AnswerPipe(write_end)(long)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        assert decode_answer(pipe.read()) == long


def test_a_thousand_tiles_in_one_second_give_four_lines_and_every_step_at_least_one():
    now, answers = [0.0], []
    gate = ProgressGate("a", answers.append, clock=lambda: now[0])
    for tile in range(1000):
        now[0] = tile / 1000
        gate("key", "segment_semantic", tile / 1000)
    assert len(answers) == 1 / PROGRESS_EVERY_S == 4
    gate("key", "segment_instances", 1.2)
    assert answers[-1] == Progress(job_id="a", step="segment_instances", fraction=1.0)


def test_two_requests_are_answered_in_order_with_records_and_steps(tmp_path: Path):
    made = spine_series(tmp_path / "in")
    requests = [
        Request(job_id=name, source=tmp_path / source, output=tmp_path / name, started=STARTED)
        for name, source in (("good", "in"), ("bad", "nowhere"))
    ]
    answers = []
    serve(
        [encode(request) for request in requests],
        answers.append,
        stub_bundle(),
        SelectionSettings(),
    )
    done = [answer for answer in answers if isinstance(answer, Done)]
    assert [(answer.job_id, answer.record["exit_code"]) for answer in done] == [
        ("good", 0),
        ("bad", 10),
    ]
    assert made.series_uid not in str(done[0].record)
    names = done[0].record["series"][0]["files"]
    assert sorted(path.name for path in (tmp_path / "good").iterdir()) == sorted(names)
    steps = list(dict.fromkeys(a.step for a in answers if isinstance(a, Progress)))
    assert steps == [
        "assemble_volume",
        "segment_semantic",
        "segment_instances",
        "postprocess",
        "label_vertebrae",
        "measure_spine",
        "assess_quality",
        "write_segmentation",
    ]


def test_what_libraries_print_never_reaches_the_pipe_of_answers():
    script = (
        "import ctypes, os, sys\n"
        "from app.node.inference.child import AnswerPipe, _take_standard_output\n"
        "from app.node.inference.protocol import Ready\n"
        "print('before')\n"
        "answer = AnswerPipe(_take_standard_output())\n"
        "print('a library')\n"
        "os.write(1, b'raw\\n')\n"
        "ctypes.CDLL(None).puts(b'from C')\n"
        "os.system('echo from a shell')\n"
        "answer(Ready(profile='x'))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert ended.stdout == b"before\n" + encode(Ready(profile="x"))
    for text in (b"a library", b"raw", b"from C", b"from a shell"):
        assert text in ended.stderr


def test_a_line_that_is_no_request_ends_the_child():
    with pytest.raises(ProtocolError):
        serve([b"hello\n"], lambda _: None, stub_bundle(), SelectionSettings())
