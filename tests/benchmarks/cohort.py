"""Cohorts at a larger scale: killed at random and compared, and their pace against a shell loop.

``python -m tests.benchmarks.cohort kills [--subjects 40] [--spoiled 5] [--kills 3] [--seed 1]
[--layout dicom]``: stand-in networks in the real graph, small volumes, three stations per subject
(three images of a BIDS subject, three series of a DICOM study); killed with SIGKILL at random
moments and called again until it is done; every published byte against a cohort that nobody
disturbed.

``python -m tests.benchmarks.cohort pace [--subjects 3] [--slices 9]``: the bundled networks on
small synthetic spines; `spine-node run` once per image, then `spine-node cohort` with 1 and 2
workers. Beside the wall time stands the processor time, which a busy machine changes less.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from app.research.synthetic.cohort import write_subject
from app.research.synthetic.dicom_series import StudyOptions
from tests.builders.cohort_process import CohortProcess
from tests.builders.mr_series import SAGITTAL
from tests.builders.nifti_images import noise, save_image
from tests.builders.stub_models import spine_series

STATIONS = (1, 2, 3)
APART_MM = 300.0
"""From one station to the next: they do not overlap."""
SLICE_LOST = 6
"""Of twelve: a gap, and so a refusal of the series."""
COMMAND = (sys.executable, "-W", "ignore", "-m", "app.cli.main")


def noise_dataset(root: Path, subjects: int, spoiled: int) -> Path:
    """BIDS subjects of three small volumes; of the last ones, one volume is no NIfTI."""
    for n in range(1, subjects + 1):
        for station in STATIONS:
            name = f"sub-{n:04d}"
            path = root / name / "anat" / f"{name}_chunk-{station}_T2w.nii.gz"
            save_image(path, noise(seed=10 * n + station))
        if n > subjects - spoiled:
            path.write_bytes(b"spoiled")
    return root


def dicom_dataset(root: Path, subjects: int, spoiled: int) -> Path:
    """Studies of three series, one below the other; of the last ones, one series lacks a slice."""
    for n in range(1, subjects + 1):
        name = f"sub-{n:04d}"
        for station in STATIONS:
            lost = (SLICE_LOST,) if n > subjects - spoiled and station == STATIONS[-1] else ()
            spine_series(
                root / name / f"station-{station}",
                study=name,
                name=f"{name} {station}",
                orientation=SAGITTAL,
                origin=(31.5, -84.25, 417.75 - APART_MM * station),
                missing=lost,
            )
    return root


def published(output: Path) -> dict[str, str]:
    """Digest of every file of results, and of the table without its seconds."""
    found = {}
    for path in sorted(output.glob("sub-*/**/*")):
        if path.is_file():
            found[str(path.relative_to(output))] = hashlib.sha256(path.read_bytes()).hexdigest()
    measured = (output / "measurements.csv").read_bytes()
    found["measurements.csv"] = hashlib.sha256(measured).hexdigest()
    with (output / "cohort.csv").open() as file:
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
    return found | {"cohort.csv": repr(rows)}


def kills(home: Path, chosen: argparse.Namespace) -> list[str]:
    made = {"bids": noise_dataset, "dicom": dicom_dataset}[chosen.layout]
    data = made(home / "data", chosen.subjects, chosen.spoiled)
    options = {"workers": chosen.workers}
    begun = time.monotonic()
    standing = CohortProcess(data, home / "quiet", options).run(7200)
    took = time.monotonic() - begun
    lines = [f"undisturbed: {standing}, {took:.0f} s"]
    generator = random.Random(chosen.seed)  # noqa: S311 - moments, no secret
    cohort = CohortProcess(data, home / "killed", options)
    for _ in range(chosen.kills):
        wait_s = generator.uniform(0.1, 0.6) * took
        with cohort.start() as process:
            time.sleep(wait_s)
            process.kill()
        done = len(list((home / "killed").glob("sub-*/**/*_cohort.json")))
        lines.append(f"killed after {wait_s:.0f} s: {done} cases published")
    lines.append(f"resumed: {cohort.run(7200)}")
    first, second = published(home / "quiet"), published(home / "killed")
    differing = sorted(name for name in first | second if first.get(name) != second.get(name))
    lines.append(f"{len(first)} files compared, {len(differing)} differ {differing[:5]}")
    return lines


def pace(home: Path, chosen: argparse.Namespace) -> list[str]:
    options = StudyOptions(phantom=replace(StudyOptions().phantom, slices=chosen.slices))
    for n in range(1, chosen.subjects + 1):
        write_subject(home / "data", n, 950_000 + n, options)
    images = sorted((home / "data").glob("sub-*/anat/*_T2w.nii.gz"))
    lines = [f"{len(images)} images, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before"]

    def loop() -> None:
        for image in images:
            arguments = ("run", "-i", str(image), "-o", str(home / "loop"))
            subprocess.run((*COMMAND, *arguments), check=True, capture_output=True)

    def cohort(workers: int) -> None:
        out = str(home / f"cohort-{workers}")
        arguments = ("cohort", str(home / "data"), "-o", out, "--workers", str(workers))
        subprocess.run((*COMMAND, *arguments), check=True, capture_output=True)

    for name, work in (
        ("shell loop of run", loop),
        ("cohort, 1 worker", lambda: cohort(1)),
        ("cohort, 2 workers", lambda: cohort(2)),
    ):
        begun, used = time.monotonic(), processor_s()
        work()
        took, computed = time.monotonic() - begun, processor_s() - used
        lines.append(
            f"{name}: {took:.0f} s, {3600 * len(images) / took:.0f} images per hour, "
            f"{computed:.0f} s of processor, load {os.getloadavg()[0]:.1f}"
        )
    for workers in (1, 2):
        equal = [same(path, home / f"cohort-{workers}") for path in (home / "loop").iterdir()]
        lines.append(
            f"{sum(equal)} of {len(equal)} files of the loop are equal in cohort-{workers}"
        )
    return lines


def same(path: Path, output: Path) -> bool:
    """Whether the cohort published these bytes."""
    return any(other.read_bytes() == path.read_bytes() for other in output.rglob(path.name))


def processor_s() -> float:
    """Processor time of all children that ended, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Command line."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("what", choices=("kills", "pace"))
    options.add_argument("--subjects", type=int)
    options.add_argument("--layout", choices=("bids", "dicom"), default="bids")
    options.add_argument("--spoiled", type=int, default=5)
    options.add_argument("--kills", type=int, default=3)
    options.add_argument("--workers", type=int, default=1)
    options.add_argument("--slices", type=int, default=9)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--keep", type=Path, help="Folder to keep everything in.")
    chosen = options.parse_args()
    chosen.subjects = chosen.subjects or {"kills": 40, "pace": 3}[chosen.what]
    home = chosen.keep or Path(tempfile.mkdtemp())
    try:
        lines = {"kills": kills, "pace": pace}[chosen.what](home, chosen)
    finally:
        if chosen.keep is None:
            shutil.rmtree(home)
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
