"""A cohort in a process of its own, with stand-in networks and a fixed clock.

Run: ``python -m tests.builders.cohort_process JSON``; see `CohortProcess`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.builders.stub_inference_child import COMMAND, ROOT

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@dataclass
class CohortProcess:
    """A call of ``spine-node cohort`` that can be killed at will."""

    dataset: Path
    output: Path
    options: dict[str, Any] = field(default_factory=dict)

    def start(self) -> subprocess.Popen[str]:
        given = {"dataset": str(self.dataset), "output": str(self.output), **self.options}
        return subprocess.Popen(
            (
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "tests.builders.cohort_process",
                json.dumps(given),
            ),
            cwd=ROOT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, timeout_s: float = 120.0) -> dict[str, Any]:
        """Let it come to its end; the standing it ends with."""
        with self.start() as process:
            out, err = process.communicate(timeout=timeout_s)
        assert process.returncode == 0, err
        return json.loads(out.splitlines()[-1])


def main() -> None:
    """Import what is heavy here: the test process only needs the class above."""
    from app.cohort.conduct import CohortJob, conduct  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415
    from app.signals import stop_requests  # noqa: PLC0415

    given = {"command": (*COMMAND, "--graph"), **json.loads(sys.argv[1])}
    settings = load_settings()
    worker = settings.node.worker.model_copy(update={"attempts": given.pop("attempts", 1)})
    node = settings.node.model_copy(update={"worker": worker})
    paths = {name: Path(given.pop(name)) for name in ("dataset", "output")}
    with stop_requests() as stop:
        job = CohortJob(
            **paths,
            **given,
            settings=settings.model_copy(update={"node": node}),
            now=STARTED,
        )

        def tell(standing: Any) -> None:
            sys.stdout.write(f"{json.dumps({'done': standing.done})}\n")
            sys.stdout.flush()

        standing = conduct(job, tell, stop)
    end = {"done": standing.done, "total": standing.total, "failed": standing.failed}
    sys.stdout.write(f"{json.dumps(end)}\n")


if __name__ == "__main__":
    main()
