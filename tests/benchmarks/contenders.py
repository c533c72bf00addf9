"""Run SPINEPS and this product on the same input with the same weights, each in a fresh process.

SPINEPS is run by the runners under ``tools/spineps_peer`` of the shared data, in its own
environment; here are only the command lines and what to read from their results.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.benchmarks.published_width import write_published_width

PUBLISHED_SPACING_PIR_MM = [0.75, 0.75, 1.65]
PUBLISHED_CUTOUT_PIR = [248, 304, 64]

_REPOSITORY = Path(__file__).resolve().parents[2]
_KIB_PER_MB = 1024
_PHASES_OF_SPINEPS = {
    "segment_semantic": ("Preprocess input", "Predict semantic"),
    "segment_instances": ("Predict instance",),
    "postprocess": ("Post Postprocess",),
}
"""Our step -> what SPINEPS' own timing calls it."""

_OUR_COMMAND = """
import operators.postprocess as step
from app.cli.main import main

step.require_spine = lambda semantic, instances: None
main()
"""
"""``spine-node run`` without the question whether a spine was found: the oracle's networks, given
the published geometry, mark too little of the column, and SPINEPS does not ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What both contenders get.

    Attributes
    ----------
    image : Path
        NIfTI image.
    mask : Path or None
        Semantic mask to start phase 2 from; None runs both phases.
    semantic, instance : Path
        Model folders.
    threads : int
        Threads of both.
    precision : str
        ``inference.precision`` of this product.
    """

    image: Path
    mask: Path | None
    semantic: Path
    instance: Path
    threads: int
    precision: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One process from its start to its end.

    Attributes
    ----------
    wall_s, cpu_s : float
        Elapsed time; user and system time.
    peak_mb : float
        Largest resident memory.
    phases_s : dict
        Wall time per step inside the process, models loaded.
    instances, semantic : Path
        Final masks on the image's grid.
    model_grid_mask : Path or None
        The semantic mask that phase 2 of SPINEPS began with.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    phases_s: dict[str, float]
    instances: Path
    semantic: Path
    model_grid_mask: Path | None = None


def published_size(models: Path, folder: Path) -> tuple[Path, Path]:
    """Copy the oracle's models and give them the size, hence the cost, of the published ones.

    Phase 2 has the published network already; phase 1 becomes a part of it
    (`tests.benchmarks.published_width`).

    Returns
    -------
    tuple of 2 Paths
        Semantic and instance model folder.
    """
    semantic = write_published_width(models / "t2w_tiny", folder / "t2w_published_size")
    instance = folder / "instance_published_size"
    shutil.copytree(models / "instance_tiny", instance, copy_function=shutil.copyfile)
    instance.chmod(0o755)
    _change(
        instance / "inference_config.json",
        resolution_range=PUBLISHED_SPACING_PIR_MM,
        cutout_size=PUBLISHED_CUTOUT_PIR,
    )
    return semantic, instance


def run_spineps(work: Workload, tools: Path, venv: Path, folder: Path) -> Outcome:
    """SPINEPS' own command line, through the shared runners, which measure it."""
    if work.mask is None:
        runner = ["run.sh", str(work.image), str(folder), str(work.semantic), str(work.instance)]
    else:
        runner = [
            "run_from_semantic.sh",
            *(str(path) for path in (work.image, work.mask, folder, work.instance)),
        ]
    environment = {**os.environ, "PEER_VENV": str(venv), "THREADS": str(work.threads)}
    _checked(["bash", str(tools / runner[0]), *runner[1:]], environment, folder)
    timing = json.loads((folder / "timing.json").read_text())
    phases = {
        ours: sum(timing["phases"][name] for name in theirs)
        for ours, theirs in _PHASES_OF_SPINEPS.items()
        if all(name in timing["phases"] for name in theirs)
    }
    masks = folder / "derivatives_seg"
    return Outcome(
        wall_s=timing["wall_s"],
        cpu_s=timing["user_s"] + timing["sys_s"],
        peak_mb=timing["peak_rss_mb"],
        phases_s=phases,
        instances=_only(masks, "*seg-vert_msk.nii.gz"),
        semantic=_only(masks, "*seg-spine_msk.nii.gz"),
        model_grid_mask=_only(masks, "*seg-spine-raw_msk.nii.gz"),
    )


def run_ours(work: Workload, folder: Path) -> Outcome:
    """``spine-node run`` in a fresh process."""
    folder.mkdir(parents=True)
    report = folder / "report.json"
    command = [sys.executable, "-c", _OUR_COMMAND, "run"]
    command += ["-i", str(work.image), "-o", str(folder / "out"), "--report", str(report)]
    command += ["--semantic", str(work.semantic), "--instance", str(work.instance)]
    if work.mask is not None:
        command += ["--semantic-mask", str(work.mask)]
    settings = yaml.safe_load((_REPOSITORY / "app.yaml").read_text())
    settings["inference"] = settings.get("inference", {}) | {"precision": work.precision}
    (folder / "app.yaml").write_text(yaml.safe_dump(settings))
    command += ["--config", str(folder / "app.yaml")]
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"),
        str(work.threads),
    )
    wall_s, cpu_s, peak_mb = _checked(command, {**os.environ, **threads}, folder)
    (series,) = json.loads(report.read_text())["series"]
    return Outcome(
        wall_s=wall_s,
        cpu_s=cpu_s,
        peak_mb=peak_mb,
        phases_s=series["durations_s"],
        instances=_only(folder / "out", "*seg-vert_msk.nii.gz"),
        semantic=_only(folder / "out", "*seg-spine_msk.nii.gz"),
    )


def _checked(
    command: list[str], environment: dict[str, str], folder: Path
) -> tuple[float, float, float]:
    """Run to the end; wall seconds, CPU seconds and peak memory of this one process tree."""
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=_REPOSITORY
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = (folder / "log.txt").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{tail}")
    return (
        time.perf_counter() - start,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / _KIB_PER_MB,
    )


def _change(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def _only(folder: Path, pattern: str) -> Path:
    (found,) = folder.rglob(pattern)
    return found
