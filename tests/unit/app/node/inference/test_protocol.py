from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.errors import ProtocolError
from app.node.inference.protocol import (
    Done,
    Failed,
    Progress,
    Ready,
    Request,
    decode_answer,
    decode_request,
    encode,
)
from operators.dicom.identity.provenance import Predecessor

REQUEST = Request(
    job_id="ab12",
    source=Path("work/ab12/input"),
    output=Path("results/ab12"),
    started=datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
    predecessors=(
        Predecessor(
            kind="semantic", study_uid="1.2", series_uid="1.2.3", sop_instance_uid="1.2.3.4"
        ),
    ),
)


def test_a_request_comes_out_as_it_went_in():
    line = encode(REQUEST)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_request(line) == REQUEST


@pytest.mark.parametrize(
    "answer",
    [
        Ready(profile="cpu-fp32", models={"semantic": {"name": "a", "digest": "b"}}),
        Progress(job_id="ab12", step="segment_semantic", fraction=0.25),
        Done(job_id="ab12", record={"exit_code": 0, "text": "zwei\nZeilen \u2028 ü"}),
        Failed(code="SPN-2000", message="the model folder cannot be used"),
    ],
)
def test_an_answer_is_one_line_and_comes_out_as_it_went_in(answer: Ready):
    line = encode(answer)
    assert line.count(b"\n") == 1
    assert decode_answer(line) == answer


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"Segmenting 40%\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"{}\n",
        b'{"type":"done"}\n',
        b'{"type":"unheard_of"}\n',
        b'{"type":"ready","profile":"x","surprise":1}\n',
        b'{"type":"progress","job_id":"a","step":"b","fraction":1.5}\n',
        encode(REQUEST),
    ],
)
def test_what_is_no_answer_is_refused_by_name(line: bytes):
    with pytest.raises(ProtocolError, match="SPN-9410"):
        decode_answer(line)


def test_a_refused_line_is_not_repeated_in_the_message():
    with pytest.raises(ProtocolError) as caught:
        decode_request(b'{"type":"request","job_id":"DOE^JANE","source":1}')
    assert "DOE" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_time_without_zone_is_no_request():
    with pytest.raises(ValidationError):
        Request(
            job_id="a",
            source=Path("in"),
            output=Path("out"),
            started=datetime(2026, 1, 2),  # noqa: DTZ001 - the point
        )


def test_protocol_and_supervisor_load_no_network_library():
    script = (
        "import sys, app.node.inference.supervisor\n"
        "heavy = {'torch', 'monai', 'holoscan', 'SimpleITK', 'highdicom', 'numpy'}\n"
        "sys.exit(len(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
