"""The real worker process with another inference child.

Run: ``python -m tests.builders.stub_worker --config FILE -- COMMAND ...``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from app.node import roles
from app.settings import Settings, load_settings


def replace_inference(command: Sequence[str]) -> None:
    """Have the worker of this process start another inference child."""

    def work(settings: Settings, life: roles.Life) -> None:
        # Not at the top: `stub_node` imports this into every process, also those without a worker.
        from app.node.work.options import WorkerOptions  # noqa: PLC0415
        from app.node.work.worker import serve_worker  # noqa: PLC0415

        serve_worker(
            settings.node,
            settings,
            stop=life.stop,
            ready=life.ready,
            emit=life.log,
            options=WorkerOptions(command=tuple(command), beat=life.beat),
        )

    roles.ROLES["worker"] = work


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("command", nargs="+")
    chosen = parser.parse_args()
    replace_inference(chosen.command)
    return roles.run_role("worker", lambda: load_settings(chosen.config), roles.Parent())


if __name__ == "__main__":
    sys.exit(main())
