"""The real worker in a process of its own, with the stand-in for the inference process.

Run: ``python -m tests.builders.worker_process JSON``; see `WorkerProcess`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.builders.stub_inference_child import COMMAND, ROOT

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@dataclass
class WorkerProcess:
    """A worker to be killed and started again at will.

    `worker`: fields of `WorkerSettings`; `node`: others of `NodeSettings`; `child`: options of the
    stand-in.
    """

    data: Path
    worker: dict[str, Any] = field(default_factory=dict)
    node: dict[str, Any] = field(default_factory=dict)
    child: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def start(self) -> WorkerProcess:
        """Start it, and return once it takes work."""
        node = {**self.node, "data": str(self.data), "worker": self.worker}
        options = {"command": [*COMMAND, *self.child], **self.options}
        self.data.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                (
                    sys.executable,
                    "-m",
                    "tests.builders.worker_process",
                    json.dumps([node, options]),
                ),
                cwd=ROOT,
                env=ENVIRONMENT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.log.read_text()
        return self

    @property
    def log(self) -> Path:
        return self.data / "worker.log"

    @property
    def running(self) -> subprocess.Popen[str]:
        assert self.process is not None
        return self.process

    def kill(self) -> None:
        """Kill it without a warning."""
        self.running.kill()
        self._gone()

    def terminate(self) -> int:
        """Ask it to end; how long it took is for the caller to measure."""
        self.running.send_signal(signal.SIGTERM)
        return self._gone()

    def stop_if_running(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.kill()
            self._gone()

    def events(self, number: int) -> list[dict[str, Any]]:
        """What it logged under a number."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [event for event in map(json.loads, lines) if event.get("number") == number]

    def _gone(self) -> int:
        code = self.running.wait(timeout=60)
        assert self.running.stdout is not None
        self.running.stdout.close()
        return code


def main() -> None:
    """Import what is heavy here: the test process only needs the class above."""
    from app.node.lifeline import beats_into  # noqa: PLC0415
    from app.node.telemetry.logs import EventLog, quiet_foreign_logs  # noqa: PLC0415
    from app.node.work.options import WorkerOptions  # noqa: PLC0415
    from app.node.work.worker import serve_worker  # noqa: PLC0415
    from app.settings import NodeSettings, load_settings  # noqa: PLC0415
    from app.signals import stop_requests  # noqa: PLC0415

    node, options = json.loads(sys.argv[1])
    if "--lifeline" in sys.argv:
        options["beat"] = beats_into(int(sys.argv[-1]))
    options["command"] = tuple(options["command"])
    quiet_foreign_logs()

    def ready(_port: int) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    with stop_requests() as stop:
        serve_worker(
            NodeSettings(**node),
            load_settings(),
            stop=stop,
            ready=ready,
            emit=EventLog("worker", is_strict=True),
            options=WorkerOptions(**options),
        )


if __name__ == "__main__":
    main()
