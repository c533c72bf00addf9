"""Train phase 1 with nnU-Net v2 and put what it made into a model folder.

nnU-Net keeps its raw data, its preprocessed data and its states in ``WORK/nnunet-PRESET``. Killed
at any moment, the same command goes on from the last finished epoch.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.errors import TrainingFailedError
from app.research.training.formats import architecture, write_inference_config
from app.research.training.nnunet.dataset import DATASET, export, splits
from app.research.training.own_state import other_training
from app.research.training.presets import SEMANTIC_PRESETS, STEPS_PER_EPOCH
from operators.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.research.training.presets import SemanticPreset
    from app.research.training.request import Request
    from app.research.training.semantic import TrainingData
    from app.research.training.sources import Listener

_TRAINERS: Final = Path(__file__).parent / "trainers"
_RESULTS: Final = "SpineTrainer__nnUNetPlans__3d_fullres"
_FINAL, _LATEST = "checkpoint_final.pth", "checkpoint_latest.pth"
_POLL_S: Final = 0.5


def train_with_nnunet(
    request: Request,
    folds: dict[int, TrainingData],
    listener: Listener,
    stop: Callable[[], bool],
) -> list[Path]:
    """Export, prepare, train the wanted folds, and write the model folder.

    Parameters
    ----------
    request : Request
        What to train.
    folds : dict of int to TrainingData
        Cases of every fold of the model, also of those that are not wanted now.
    listener : Listener
        Told how far it is.
    stop : callable
        Asked twice a second.

    Returns
    -------
    list of Path
        Reports of the folds that are done.

    Raises
    ------
    ConfigurationError
        ``other_training``: the work folder holds another training of nnU-Net's.
    TrainingFailedError
        nnU-Net ended by itself; its log is named.
    InterruptedRunError
        Stopped before a fold was done.
    """
    home = _Home(request, listener, stop)
    home.prepare(folds)
    reports: list[Path] = []
    for fold in request.wanted_folds:
        if not home.train(fold):
            break
        reports.append(home.publish(fold, has_c1=folds[fold].has_c1))
    if not reports and stop():
        raise InterruptedRunError("stopped; the same command goes on from the last epoch")
    return reports


@dataclass(slots=True)
class _Home:
    """One training's folder of nnU-Net's."""

    request: Request
    listener: Listener
    stop: Callable[[], bool]
    deadline: float = math.inf

    def __post_init__(self) -> None:
        limit = self.request.stop_after_seconds
        if limit is not None:
            self.deadline = time.monotonic() + limit

    @property
    def folder(self) -> Path:
        return self.request.nnunet_home

    @property
    def preset(self) -> SemanticPreset:
        return SEMANTIC_PRESETS[self.request.preset]

    @property
    def schedule(self) -> dict[str, int]:
        """Epochs and batches per epoch, for the trainer."""
        steps = self.request.steps or self.preset.epochs * STEPS_PER_EPOCH
        batches = min(STEPS_PER_EPOCH, steps)
        return {"epochs": math.ceil(steps / batches), "batches": batches}

    @property
    def preprocessed(self) -> Path:
        return self.folder / "preprocessed" / DATASET

    def results_of(self, fold: int) -> Path:
        return self.folder / "results" / DATASET / _RESULTS / f"fold_{fold}"

    def prepare(self, folds: dict[int, TrainingData]) -> None:
        """Bring the data to where nnU-Net trains on it, once."""
        done = self.folder / "prepared.json"
        identity = {
            **self.request.identity,
            "spines": [self.request.seeds.start, self.request.seeds.stop],
            **self.schedule,
        }
        if done.exists():
            known = json.loads(done.read_text(encoding="utf-8"))
            if known != json.loads(json.dumps(identity)):
                differing = [name for name in identity if known.get(name) != identity[name]]
                raise other_training(self.folder, f"other {', '.join(differing)}")
            return
        data = [folds[number] for number in sorted(folds)]
        exported = export(
            self.folder / "raw", data, lambda n, of: self.listener.data("images for nnU-Net", n, of)
        )
        if exported.ignored:
            self.listener.note(
                f"{exported.ignored:.1%} of the voxels are not annotated, or annotated as one of "
                "several structures; nnU-Net leaves them out of its loss"
            )
        self.preprocessed.mkdir(parents=True, exist_ok=True)
        listed = json.dumps(splits(data, exported.images), indent=1)
        (self.preprocessed / "splits_final.json").write_text(listed, encoding="utf-8")
        if not self._child("prepare", self._wanted_plans(), "prepare.log"):
            raise InterruptedRunError("stopped while nnU-Net prepared the data; call again")
        done.write_text(json.dumps(identity), encoding="utf-8")

    def _wanted_plans(self) -> dict[str, Any]:
        preset = self.preset
        return {
            "preprocessed": str(self.folder / "preprocessed"),
            "spacing": list(preset.grid.spacing_mm),
            "processes": max(1, self._workers),
            "configuration": {
                "patch_size": list(preset.grid.shape),
                "batch_size": preset.batch,
                "architecture": architecture(preset.design),
            },
            "training": self.schedule,
        }

    def train(self, fold: int) -> bool:
        """Train a fold to its end; False where it was stopped before."""
        results = self.results_of(fold)
        if (results / _FINAL).exists():
            return True
        wanted = {
            "preprocessed": str(self.folder / "preprocessed"),
            "fold": fold,
            "gpus": self.request.gpus,
            "device": self.request.device.split(":")[0],
            "resume": (results / _LATEST).exists(),
        }

        def tell() -> None:
            told = results / "progress.json"
            if told.exists():
                said = json.loads(told.read_text(encoding="utf-8"))
                self.listener.data(f"fold {fold}, epochs", said["epoch"], said["epochs"])

        return self._child("fold", wanted, f"fold{fold}.log", tell)

    def publish(self, fold: int, *, has_c1: bool) -> Path:
        """Copy a fold into the model folder and write its report."""
        request, results = self.request, self.results_of(fold)
        place = request.output / f"fold_{fold}"
        place.mkdir(parents=True, exist_ok=True)
        for name in ("plans.json", "dataset.json"):
            shutil.copyfile(results.parent / name, request.output / name)
        partial = place / f"{_FINAL}.part"
        shutil.copyfile(results / _FINAL, partial)
        partial.replace(place / _FINAL)
        # Only an image whose sides are exchanged with its labels could be averaged; nnU-Net
        # trains without mirroring.
        write_inference_config(request.output, self.preset, has_c1=has_c1, is_mirrored=False)
        return self._report(fold)

    def _report(self, fold: int) -> Path:
        request, results = self.request, self.results_of(fold)
        name = request.name_of(fold)
        summary = json.loads((results / "validation" / "summary.json").read_text("utf-8"))
        facts = {
            "phase": request.phase,
            "preset": request.preset,
            "engine": f"nnunetv2 {version('nnunetv2')}",
            "fold": fold,
            **request.identity,
            **self.schedule,
            "held_out_dice": summary["foreground_mean"]["Dice"],
        }
        report = request.work / f"{name}-report.json"
        report.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        shutil.copyfile(results / "progress.png", request.work / f"{name}-curves.png")
        return report

    @property
    def _workers(self) -> int:
        return self.request.workers or max(1, (os.cpu_count() or 2) - 1)

    def _child(
        self,
        what: str,
        wanted: dict[str, Any],
        log: str,
        tell: Callable[[], None] = lambda: None,
    ) -> bool:
        """Run nnU-Net in a session of its own; False where it was stopped.

        Stopping kills it: its states are replaced whole, and it ends its helpers no faster itself.
        """
        workers = self._workers
        environment = {
            "nnUNet_raw": self.folder / "raw",
            "nnUNet_preprocessed": self.folder / "preprocessed",
            "nnUNet_results": self.folder / "results",
            "nnUNet_extTrainer": _TRAINERS,
            "nnUNet_def_n_proc": workers,
            # Beside a CPU that trains, processes that draw samples only take its time. The
            # planner counts its threads by this, too.
            "nnUNet_n_proc_DA": 0 if what == "fold" and self.request.device == "cpu" else workers,
        }
        module = "app.research.training.nnunet.child"
        settings = [f"{name}={value}" for name, value in environment.items()]
        command = ["env", *settings, sys.executable, "-W", "ignore", "-m", module, what]
        with (self.folder / log).open("ab") as file:
            process = subprocess.Popen(  # noqa: S603 - our own module
                [*command, json.dumps(wanted)],
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                is_done = self._wait(process, tell)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        tell()
        if is_done and process.returncode != 0:
            raise TrainingFailedError(
                f"nnU-Net ended with code {process.returncode}; its log: {self.folder / log}"
            )
        return is_done

    def _wait(self, process: subprocess.Popen[bytes], tell: Callable[[], None]) -> bool:
        while not self.stop() and time.monotonic() < self.deadline:
            try:
                process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                tell()
            else:
                return True
        return False
