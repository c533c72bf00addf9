"""What a MAP run needs: seconds to the first inference, seconds in all, peak memory.

``python -m tests.benchmarks.map_resources [--published] [--slice-mm MM] [--field-mm MM]``

One run of ``python -m app`` over a synthetic lumbar study, as a host starts it; ``--slice-mm``
has as much of the patient in slices of another distance, as three-dimensional acquisitions do, and
``--field-mm`` a square field of another size.
``--published`` takes networks of the published architecture instead of the bundled ones (nnU-Net
with 32 to 320 features and patches of 64 x 256 x 256, Unet3D with 16 features and cutouts of
248 x 304 x 64 at 0.75 x 0.75 x 1.65 mm) with random weights: their masks mean nothing, their cost
is real. The figures under ``resources`` in app.yaml come from here.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from app.research.synthetic.dicom_series import STUDY_PHANTOM, StudyOptions, write_study
from tests.builders.nnunet_folder import write_published_size
from tests.builders.unet3d_checkpoint import random_unet3d, write_instance_model

ROOT = Path(__file__).resolve().parents[2]
FIRST_INFERENCE = "Assemble the volume: done"
"""The last line before the networks, which are loaded by then, see the image."""


@dataclass
class Course:
    """One run, watched."""

    start: float = field(default_factory=time.perf_counter)
    steps: dict[str, float] = field(default_factory=dict)
    peak_bytes: int = 0

    def listen(self, process: subprocess.Popen[str]) -> None:
        """Note when each line of standard error came."""
        for line in process.stderr or ():
            step = line.strip().partition(": ")[2] or line.strip()
            self.steps.setdefault(step, time.perf_counter() - self.start)

    def watch(self, process: subprocess.Popen[str], limit_s: float) -> None:
        """Sample the resident memory until the end, or stop the run at the limit."""
        seen = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                self.peak_bytes = max(self.peak_bytes, seen.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            if time.perf_counter() - self.start > limit_s:
                process.kill()
            time.sleep(0.05)


def run_map(source: Path, config: Path | None, output: Path, limit_s: float) -> Course:
    """Run the MAP once as a host does."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HOLOSCAN_")}
    environment |= {"HOLOSCAN_INPUT_PATH": str(source), "HOLOSCAN_OUTPUT_PATH": str(output)}
    if config is not None:
        environment["HOLOSCAN_CONFIG_PATH"] = str(config)
    course = Course()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "app"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    listener = threading.Thread(target=course.listen, args=(process,))
    listener.start()
    course.watch(process, limit_s)
    listener.join()
    code = process.wait()
    ended = "stopped at the limit" if code < 0 else f"exit code {code}"
    course.steps[ended] = time.perf_counter() - course.start
    return course


def published_config(folder: Path, folds: int) -> Path:
    """app.yaml with networks of the published size."""
    models = folder / "models"
    write_published_size(models / "semantic", folds=folds)
    write_instance_model(
        models / "instance",
        random_unet3d(dim=16),
        spacing_pir_mm=(0.75, 0.75, 1.65),
        cutout_size=(248, 304, 64),
    )
    text = (ROOT / "app.yaml").read_text(encoding="utf-8")
    text = text.replace("directory: models", f"directory: {models}")
    text = text.replace("spine_t2w_compact", str(models / "semantic"))
    text = text.replace("vertebra_instance_compact", str(models / "instance"))
    config = folder / "app.yaml"
    config.write_text(text, encoding="utf-8")
    return config


def acquired(slice_mm: float, field_mm: float | None) -> StudyOptions:
    """Give the study's width of the patient in other slices, perhaps in another square field."""
    native_mm, row_mm, column_mm = STUDY_PHANTOM.spacing
    count = round(STUDY_PHANTOM.slices * native_mm / slice_mm)
    phantom = replace(STUDY_PHANTOM, slices=count, spacing=(slice_mm, row_mm, column_mm))
    if field_mm is not None:
        phantom = replace(phantom, in_plane=(round(field_mm / row_mm), round(field_mm / column_mm)))
    return StudyOptions(phantom=phantom)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--published", action="store_true")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slice-mm", type=float, default=STUDY_PHANTOM.spacing[0])
    parser.add_argument("--field-mm", type=float)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_study(
            folder / "in", options.seed, options=acquired(options.slice_mm, options.field_mm)
        )
        config = published_config(folder, options.folds) if options.published else None
        course = run_map(folder / "in", config, folder / "out", options.limit)
    lines = [f"{seconds:8.1f} s  {step}" for step, seconds in course.steps.items()]
    lines.append(f"{course.peak_bytes / 2**20:8.0f} MB peak resident memory")
    lines.append(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
