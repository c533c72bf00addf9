"""The steps between a first byte and a delivered result, each a place where a process can die.

`python -m tests.benchmarks.campaign.steps FOLDER MODULE ARGUMENTS...` runs a process of the node
whose steps look into FOLDER: where a file with the step's name lies, the first process that comes
by takes it away and kills itself there, with SIGKILL.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CHILD: Final = "tests.builders.stub_inference_child"


@dataclass(frozen=True)
class Step:
    """`place`: module and attribute of a function; the process dies before it runs, or after."""

    role: str
    place: str
    is_before: bool = False

    @property
    def module(self) -> str:
        return self.place.partition(":")[0]


STEPS: Final[dict[str, Step]] = {
    "object begun": Step("listener", "app.node.archive.spool:Spool.receive"),
    "object written, without a name": Step(
        "listener", "app.node.archive.incoming:IncomingFile._name", is_before=True
    ),
    "object named and synchronised": Step(
        "listener", "app.node.archive.incoming:IncomingFile._name"
    ),
    "its folder synchronised": Step("listener", "app.node.archive.spool:Spool.sync"),
    "its row written, not committed": Step("listener", "app.node.listener.recorder:record_arrival"),
    "committed, not answered": Step("listener", "app.node.listener.recorder:Recorder.record"),
    "association over, not noted": Step(
        "listener", "app.node.listener.recorder:Recorder.end", is_before=True
    ),
    "series complete, not accepted": Step(
        "worker", "app.node.intake.arriving:Intake._accept", is_before=True
    ),
    "job made, not committed": Step("worker", "app.node.intake.arriving:_create"),
    "job made": Step("worker", "app.node.intake.arriving:Intake._accept"),
    "job at the engine, not noted": Step(
        "worker", "app.node.work.queue:JobQueue.submit_segmentation"
    ),
    "inputs linked": Step("worker", "app.node.work.workfolder:WorkFolders.prepare"),
    "run begun": Step("worker", "app.node.work.segmenting:SegmentDesk.begin"),
    "request made": Step("worker", "app.node.work.segmenting:SegmentDesk.request_of"),
    "request read": Step("inference", f"{CHILD}:decode_request"),
    "a result encoded, not written": Step(
        "inference", "operators.dicom.reading.whole_files:_encode"
    ),
    "one of two results written": Step(
        "inference", "tests.builders.stub_segmentation:write_dataset"
    ),
    "both written, not told": Step("inference", f"{CHILD}:segment"),
    "results told, not read back": Step(
        "worker", "app.node.work.workfolder:WorkFolders.results", is_before=True
    ),
    "results read back": Step("worker", "app.node.work.workfolder:WorkFolders.results"),
    "run ended, not committed": Step("worker", "app.node.journal.runs:finish"),
    "deliveries planned, not committed": Step("worker", "app.node.journal.deliveries:plan"),
    "run ended, inputs not removed": Step("worker", "app.node.work.settling:Settlement._publish"),
    "inputs removed": Step("worker", "app.node.work.workfolder:WorkFolders.clear"),
    "delivery at the engine": Step("worker", "app.node.work.queue:JobQueue.submit_delivery"),
    "attempt counted, nothing sent": Step("worker", "app.node.delivery.ledger:Ledger.begin"),
    "object acknowledged by the PACS, not noted": Step(
        "worker", "app.node.delivery.ledger:Ledger.sent", is_before=True
    ),
    "object acknowledged by the PACS, noted": Step(
        "worker", "app.node.delivery.ledger:Ledger.sent"
    ),
    "object found at the PACS, not noted": Step(
        "worker", "app.node.delivery.ledger:Ledger.delivered", is_before=True
    ),
    "object found at the PACS, noted": Step("worker", "app.node.delivery.ledger:Ledger.delivered"),
    "attempt over, not checkpointed": Step("worker", "app.node.delivery.attempt:Courier.attempt"),
}
"""In the order in which a series meets them."""

ROLES: Final = {"listener": "listener", "tests.builders.stub_worker": "worker", CHILD: "inference"}
"""What tells the roles apart in a command line."""


def mark_of(folder: Path, name: str) -> Path:
    """File that makes a process die at a step."""
    return folder / re.sub(r"\W+", "-", name)


def instrument(folder: Path, role: str) -> None:
    """Have every step of a role look whether this process dies there."""
    for name, step in STEPS.items():
        if step.role != role:
            continue
        module, _, path = step.place.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, attribute = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        wrapped = _dying(getattr(owner, attribute), mark_of(folder, name), step)
        setattr(owner, attribute, wrapped)


def _dying(function: Callable[..., Any], mark: Path, step: Step) -> Callable[..., Any]:
    def die_here() -> None:
        if mark.exists():
            mark.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(function)
    def stepped(*arguments: Any, **named: Any) -> Any:
        if step.is_before:
            die_here()
        result = function(*arguments, **named)
        if not step.is_before:
            die_here()
        return result

    return stepped


def main() -> int:
    folder, module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    role = next(role for word, role in ROLES.items() if word in {module, *arguments[:1]})
    instrument(Path(folder), role)
    return int(importlib.import_module(module).main() or 0)


if __name__ == "__main__":
    sys.exit(main())
