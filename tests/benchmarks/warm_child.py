"""What a warm inference child saves: the same study by `spine-node run` and by the child.

Run: ``python -m tests.benchmarks.warm_child [--requests 3] [--slices 15] [--folder DICOM]``;
without a folder a synthetic lumbar study of so many slices is made; with ``--stations`` a whole
spine in three of them.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from app.node.inference.protocol import Request
from app.node.inference.supervisor import Supervisor, child_command
from app.node.inference.vitals import usage_of
from app.research.synthetic.dicom_series import StudyOptions, write_study
from app.settings import load_settings
from tests.builders.whole_patient import STATIONS

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def cold(source: Path, output: Path) -> float:
    """Seconds of one run in a process of its own."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "app.cli.main", "run", "-i", str(source), "-o", str(output)]
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - begun


async def warm(source: Path, output: Path, requests: int) -> list[str]:
    """Lines about the same study in one child."""
    settings = load_settings()
    command = child_command(settings)
    supervisor = Supervisor(command, settings.node.worker)
    begun = time.monotonic()
    await supervisor.start()
    lines = [f"child: ready after {time.monotonic() - begun:.1f} s"]
    for number in range(requests):
        begun = time.monotonic()
        target = output / str(number)
        request = Request(job_id=str(number), source=source, output=target, started=STARTED)
        record = await supervisor.run(request)
        seconds = time.monotonic() - begun
        steps = sum(sum(entry["durations_s"].values()) for entry in record["series"])
        memory = usage_of(supervisor.pid or 0).resident_bytes / 2**20
        lines.append(
            f"child: request {number + 1} took {seconds:.1f} s ({steps:.1f} s in the steps), "
            f"exit code {record['exit_code']}, {memory:.0f} MB resident"
        )
    await supervisor.close()
    return lines


def main() -> None:
    """Command line."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--requests", type=int, default=3)
    options.add_argument("--slices", type=int, default=15)
    options.add_argument("--folder", type=Path)
    options.add_argument("--stations", action="store_true", help="cervical, thoracic and lumbar")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        source = chosen.folder
        if source is None:
            source = scratch / "study"
            phantom = replace(StudyOptions().phantom, slices=chosen.slices)
            stations = STATIONS[:2] if chosen.stations else ()
            write_study(source, 1, options=StudyOptions(phantom=phantom, stations=stations))
        lines = [f"spine-node run: {cold(source, scratch / 'cold'):.1f} s"]
        lines += asyncio.run(warm(source, scratch / "warm", chosen.requests))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
