"""The real inference child with stand-in networks: the whole graph, no weights.

Run: ``python -m tests.builders.stand_in_child``; speaks the protocol of `app.inference.child`.
"""

from __future__ import annotations

import os
import sys

from app.bootstrap import prepare_process
from app.inference.child import AnswerPipe, serve
from app.inference.protocol import Ready
from app.signals import die_with_parent, ignore_stop_requests
from tests.builders.stub_inference_child import ROOT

COMMAND = (
    "/usr/bin/env",
    f"PYTHONPATH={ROOT}",
    sys.executable,
    "-m",
    "tests.builders.stand_in_child",
)


def main() -> None:
    answer = AnswerPipe(os.dup(1))
    os.dup2(2, 1)
    ignore_stop_requests()
    die_with_parent()
    prepare_process()
    from operators.dicom.selection import SelectionSettings  # noqa: PLC0415 - after the signals
    from tests.builders.stub_models import stub_bundle  # noqa: PLC0415

    answer(Ready(profile="stub", models={}))
    serve(sys.stdin.buffer, answer, stub_bundle(), SelectionSettings())


if __name__ == "__main__":
    main()
