"""One training run from start to end: checks, data, folds, loop, report."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from app.research.training.datasets import ImportSettings
from app.research.training.instance import InstancePhase
from app.research.training.loop import LoopOptions, Training
from app.research.training.nnunet.engine import train_with_nnunet
from app.research.training.own_state import read_own_state
from app.research.training.predicted import predict_maps, predicted_spines
from app.research.training.presets import INSTANCE_PRESETS, SEMANTIC_PRESETS, STEPS_PER_EPOCH
from app.research.training.report import write_report
from app.research.training.request import require_usable
from app.research.training.semantic import SemanticPhase
from app.research.training.sources import (
    SYNTHETIC,
    PreparedCases,
    RealCases,
    import_source,
    make_spines,
    require_subjects,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.research.training.presets import InstancePreset, SemanticPreset
    from app.research.training.request import Request
    from app.research.training.semantic import TrainingData
    from app.research.training.sources import Listener

_SHARE_FROM_A_START = 0.5
_EXAMPLES = 4
_NOBODY_HELD_OUT = (
    "no subject is held out, so nothing is validated; more subjects, or synthetic spines in the "
    "--mix, would be"
)


def train(
    request: Request, listener: Listener, stop: Callable[[], bool] = lambda: False
) -> list[Path]:
    """Prepare the data and train every wanted fold.

    Parameters
    ----------
    request : Request
        What to train; the same request resumes a run that was stopped.
    listener : Listener
        Told about progress.
    stop : callable
        Asked between two steps whether to stop early, with a checkpoint.

    Returns
    -------
    list of Path
        Reports, one per fold that was worked on.

    Raises
    ------
    SpineError
        Of `require_usable`, `import_dataset`, `require_subjects`, `predict_maps`, `Training` or
        `train_with_nnunet`,
        by name, before the first step.
    InterruptedRunError
        If it is stopped before the first step.
    """
    require_usable(request)
    if request.engine == "own":
        for fold in request.wanted_folds:
            read_own_state(request.state_of(fold), request.identity)
    prepared = _prepare(request, listener, stop)
    folds = request.count_of_folds
    if request.engine == "nnunet":
        every = {fold: prepared.of_fold(fold, folds) for fold in range(folds)}
        return train_with_nnunet(request, every, listener, stop)
    limit = request.stop_after_seconds
    deadline = None if limit is None else time.monotonic() + limit
    reports = []
    for fold in request.wanted_folds:
        work = _Fold(request, fold, listener, stop, deadline)
        data = prepared.of_fold(fold, folds)
        if not data.held_out_cases:
            listener.note(f"fold {fold}: {_NOBODY_HELD_OUT}")
        report, is_done = work.train(data)
        reports.append(report)
        if not is_done:
            break
    return reports


def _prepare(request: Request, listener: Listener, stop: Callable[[], bool]) -> PreparedCases:
    """Make and import the cases that the mix asks for; what exists is kept."""
    preset = SEMANTIC_PRESETS[request.preset]
    grid = preset.grid.spacing_mm
    home = request.work / ("cases-" + "x".join(f"{mm:g}" for mm in grid))
    settings = ImportSettings(
        spacing_rip_mm=grid,
        correct_bias=preset.correct_bias,
        margin_mm=preset.margin_mm,
        border_voxels=preset.border_voxels,
    )
    real = tuple(
        RealCases(
            folder=home / source.name,
            names=import_source(source, home, settings, listener),
            weight=request.drawn[source.name],
        )
        for source in request.datasets
        if source.name in request.drawn
    )
    require_subjects(real, request.hold_out)
    # After the data sets: an hour of spines is no good way to learn of a wrong folder.
    if SYNTHETIC in request.drawn:
        make_spines(home, request.seeds, grid, listener, stop, device=request.device)
    predicted = None
    if request.predicted_by is not None:
        wanted = {source.folder.name: source.names for source in real}
        if SYNTHETIC in request.drawn:
            wanted[SYNTHETIC] = predicted_spines(request.seeds)
        predicted = predict_maps(
            request.predicted_by, home, wanted, listener, stop, device=request.device
        )
    return PreparedCases(
        synthetic=home / SYNTHETIC,
        held_out=home / "held-out",
        spines=request.seeds,
        synthetic_weight=request.drawn.get(SYNTHETIC, 0.0),
        real=real,
        predicted=predicted,
        hold_out=request.hold_out,
    )


@dataclass(frozen=True, slots=True)
class _Fold:
    """One network of a run."""

    request: Request
    fold: int
    listener: Listener
    stop: Callable[[], bool]
    deadline: float | None = None

    def train(self, data: TrainingData) -> tuple[Path, bool]:
        """Train it as far as the time allows; return its report and whether it is done."""
        request = self.request
        phase, options = self._phase(data), self._options
        training: Training[Any] = Training(phase, options)
        training.run(lambda *told: self.listener.step(self.fold, *told), self.stop)
        facts = {
            "phase": request.phase,
            "preset": request.preset,
            "fold": self.fold,
            **request.identity,
            "steps": training.step,
            "schedule_steps": options.steps,
            "precision": training.precision,
            "synthetic_spines": request.spines if SYNTHETIC in request.drawn else 0,
            "first_spine": request.first_spine,
            "held_out_cases": data.held_out_cases,
            "parameters": sum(p.numel() for p in phase.network.parameters()),
        }
        with torch.no_grad():
            examples = [] if self.stop() else phase.examples(training.average, _EXAMPLES)
        name = request.name_of(self.fold)
        report = write_report(request.work, name, training.history, facts, examples)
        return report, training.step >= options.steps

    @property
    def _preset(self) -> SemanticPreset | InstancePreset:
        presets = INSTANCE_PRESETS if self.request.phase == "instance" else SEMANTIC_PRESETS
        return presets[self.request.preset]

    def _phase(self, data: TrainingData) -> SemanticPhase | InstancePhase:
        request = self.request
        phase: SemanticPhase | InstancePhase
        if request.phase == "instance":
            instance = INSTANCE_PRESETS[request.preset]
            phase = InstancePhase(instance, data, request.output, seed=request.seed)
        else:
            semantic = SEMANTIC_PRESETS[request.preset]
            phase = SemanticPhase(semantic, data, request.output, seed=request.seed, fold=self.fold)
        if request.start is not None:
            phase.start_from(request.start)
        return phase

    @property
    def _options(self) -> LoopOptions:
        """How it is trained, in the time that is left."""
        request, preset = self.request, self._preset
        schedule = preset.schedule
        if request.start is not None:
            schedule = replace(schedule, peak=schedule.peak * _SHARE_FROM_A_START)
        left = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        return LoopOptions(
            state=request.state_of(self.fold),
            steps=request.steps or preset.epochs * STEPS_PER_EPOCH,
            schedule=schedule,
            optimizer=preset.optimizer,
            batch=preset.batch,
            seed=request.seed,
            device=request.device,
            stop_after_seconds=left,
            workers=request.workers,
            identity=request.identity,
        )
