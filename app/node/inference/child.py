"""The inference child: models loaded once, then one request after the other.

``python -m app.node.inference.child --models JSON --inference JSON`` (sections of app.yaml);
requests on standard input, answers on what was standard output when it started. It ends when its
input ends, and at once when its parent does.
Libraries may print what they like: descriptor 1 leads to standard error before they are imported.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.errors import ExitCode, InferenceLostError, crash_line, exit_code_of
from app.node.inference.protocol import (
    Done,
    Failed,
    Progress,
    Ready,
    decode_request,
    encode,
)
from app.run.bootstrap import prepare_process, quiet_libraries
from app.settings import InferenceSettings, ModelSettings, SelectionOptions
from app.signals import die_with_parent, ignore_stop_requests
from operators.errors import SpineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from app.node.inference.protocol import Answer, Request
    from app.run.models import ModelBundle
    from operators.dicom.selection.series_selection import SelectionSettings

PROGRESS_EVERY_S: Final = 0.25
"""Networks report every tile; more often than this nobody looks."""
_OOM_SCORE: Final = "500"
"""Where memory runs out the kernel shall take this process and not the listener."""


@dataclass(slots=True)
class AnswerPipe:
    """Where answers go: a descriptor of its own that no library knows."""

    descriptor: int

    def __call__(self, answer: Answer) -> None:
        """Write one line, whole."""
        line = memoryview(encode(answer))
        while line:
            line = line[os.write(self.descriptor, line) :]


@dataclass(slots=True)
class ProgressGate:
    """Lets a request's progress through when the step changes or some time has passed."""

    job_id: str
    answer: Callable[[Answer], None]
    clock: Callable[[], float] = time.monotonic
    _step: str = ""
    _told_at: float = field(default=float("-inf"))

    def __call__(self, _key: str, step: str, fraction: float) -> None:
        """Take what `app.run.execute.execute` reports."""
        now = self.clock()
        if step == self._step and now - self._told_at < PROGRESS_EVERY_S:
            return
        self._step, self._told_at = step, now
        bounded = min(max(fraction, 0.0), 1.0)
        self.answer(Progress(job_id=self.job_id, step=step, fraction=bounded))


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the process."""
    answer = AnswerPipe(_take_standard_output())
    options = _parse(arguments)
    ignore_stop_requests()
    die_with_parent()
    _offer_to_the_oom_killer()
    quiet_libraries()
    # Not at the top: numpy starts threads, which must find the signals blocked.
    from operators.dicom.selection.series_selection import SelectionSettings  # noqa: PLC0415

    try:
        bundle = _load(options.models, options.inference)
        answer(Ready(profile=bundle.profile, models=bundle.identities))
        selection = SelectionSettings(**options.selection.model_dump())
        serve(sys.stdin.buffer, answer, bundle, selection)
    except SpineError as error:
        answer(Failed(code=error.code, message=error.message))
        sys.exit(int(exit_code_of(error)))
    except Exception as error:  # noqa: BLE001 - the border of the process
        # What an unknown error leaves behind in here is unknown, too: the next child starts clean.
        answer(Failed(code=InferenceLostError.code, message=crash_line(error)))
        sys.exit(int(ExitCode.INTERNAL))


def serve(
    requests: Iterable[bytes],
    answer: Callable[[Answer], None],
    models: ModelBundle,
    selection: SelectionSettings,
) -> None:
    """Answer requests until there are no more.

    Parameters
    ----------
    requests : iterable of bytes
        One line each.
    answer : callable
        Told every answer.
    models : ModelBundle
        Loaded networks.
    selection : SelectionSettings
        What is worth segmenting.

    Raises
    ------
    ProtocolError
        If a line is no request.
    """
    for line in requests:
        request = decode_request(line)
        answer(Done(job_id=request.job_id, record=_perform(request, answer, models, selection)))


def _perform(
    request: Request,
    answer: Callable[[Answer], None],
    models: ModelBundle,
    selection: SelectionSettings,
) -> dict[str, Any]:
    # After the signals are blocked.
    from app.run.execute import Job, execute  # noqa: PLC0415
    from operators.spine.levels.stations import from_json  # noqa: PLC0415

    job = Job(
        source=request.source,
        output=request.output,
        started=request.started,
        extras=frozenset(request.extras),
        nifti=request.nifti,
        predecessors=request.predecessors,
        selection=selection,
        parameters=request.parameters,
        intended_use=request.intended_use,
        named=request.named,
        others=tuple(filter(None, map(from_json, request.others))),
    )
    record = execute(job, models, progress=ProgressGate(request.job_id, answer))
    # Decisions quote identifiers and descriptions, and this goes into the engine's database; the
    # node has decided before, in its journal.
    return replace(record.without_uids(), decisions=()).as_dict()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="app.node.inference.child", description=__doc__)
    for name, section in (
        ("--models", ModelSettings),
        ("--inference", InferenceSettings),
        ("--selection", SelectionOptions),
    ):
        parser.add_argument(name, type=section.model_validate_json, required=True)
    return parser.parse_args(arguments)


def _load(models: ModelSettings, inference: InferenceSettings) -> ModelBundle:
    """Everything slow, before the first request: networks, and the graph's libraries."""
    # Not at the top: torch and holoscan start threads, which must find the signals blocked.
    from app.run.models import load_models  # noqa: PLC0415

    bundle = load_models(models, inference)
    prepare_process()
    import app.run.graph  # noqa: F401, PLC0415

    return bundle


def _take_standard_output() -> int:
    """Own descriptor of the pipe; descriptors 1 and 2 then lead to the same place."""
    sys.stdout.flush()
    descriptor = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return descriptor


def _offer_to_the_oom_killer() -> None:
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")


if __name__ == "__main__":
    main()
