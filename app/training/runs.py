"""One training run from start to end: data, folds, loop, report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from app.training.cases import fill
from app.training.datasets import ImportSettings, import_dataset
from app.training.instance import InstancePhase
from app.training.loop import LoopOptions, Training
from app.training.presets import INSTANCE_PRESETS, SEMANTIC_PRESETS, STEPS_PER_EPOCH
from app.training.report import write_report
from app.training.semantic import SemanticPhase, TrainingData
from app.training.shelf import CaseShelf, Mix, fold_of
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.training.datasets import Kind
    from app.training.presets import InstancePreset, SemanticPreset

HELD_OUT_FIRST_SEED = 900_000
"""Seeds from here on are never trained on: they serve validation and evaluation."""

HELD_OUT_SPINES = 12
_ONE_FOLD_HOLDS_OUT = 5
_SHARE_FROM_A_START = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSource:
    """A user's own data: folder and layout."""

    folder: Path
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to train.

    Attributes
    ----------
    phase : {"semantic", "instance"}
        Which network.
    preset : str
        ``compact`` or ``paper``.
    output, work : Path
        Model folder; folder of cases, states and reports.
    spines : int
        Synthetic spines to make.
    dataset : DatasetSource or None
        Annotated images.
    mix : dict of str to float
        Weights of ``real`` and ``synthetic``.
    steps : int or None
        Length of the schedule; None = the preset's epochs.
    start : Path or None
        Phase 1 only: model folder to begin with, at half the preset's learning rate; None = random
        weights.
    fold : int or None
        Only this fold; None = all of the preset.
    seed : int
        Of weights and samples.
    device : str
        A torch device.
    stop_after_seconds : float or None
        Stop early; the same call goes on.
    """

    phase: Literal["semantic", "instance"]
    preset: str
    output: Path
    work: Path
    spines: int = 400
    dataset: DatasetSource | None = None
    mix: dict[str, float] = field(default_factory=lambda: {"synthetic": 1.0})
    steps: int | None = None
    start: Path | None = None
    fold: int | None = None
    seed: int = 2026
    device: str = "cpu"
    stop_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told: ``data`` (what, done, in all), ``step`` (fold, step, steps, both losses)."""

    data: Callable[[str, int, int], None]
    step: Callable[[int, int, int, float, float], None]


def train(request: Request, listener: Listener) -> list[Path]:
    """Prepare the data and train every wanted fold.

    Parameters
    ----------
    request : Request
        What to train; the same request resumes a run that was stopped.
    listener : Listener
        Told about progress.

    Returns
    -------
    list of Path
        Reports, one per fold.

    Raises
    ------
    UnreadableInputError
        If the data cannot be used: nothing annotated, or SPIDER for phase 2.
    """
    if request.phase == "instance" and request.dataset and request.dataset.kind == "spider":
        raise UnreadableInputError(
            "SPIDER has no parts of vertebrae, which phase 2 gets as its input; train phase 1 on "
            "it, or give phase 2 a data set with seg-spine and seg-vert masks",
            reasons=("no_vertebra_parts",),
        )
    shelves = _prepare(request, listener)
    folds = SEMANTIC_PRESETS[request.preset].folds if request.phase == "semantic" else 1
    wanted = range(folds) if request.fold is None else [request.fold]
    return [_train_fold(request, fold, shelves.of_fold(fold, folds), listener) for fold in wanted]


@dataclass(frozen=True, slots=True)
class _Shelves:
    """Folders of prepared cases with their weights, and the synthetic cases held out."""

    synthetic: Path
    synthetic_weight: float
    held_out: Path
    real: Path
    real_names: tuple[str, ...]
    real_weight: float

    def of_fold(self, fold: int, folds: int) -> TrainingData:
        """Training and held-out cases of a fold; with one fold, a fifth of the subjects is held."""
        parts = []
        if self.synthetic_weight > 0:
            parts.append((CaseShelf(self.synthetic), self.synthetic_weight))
        held = CaseShelf(self.held_out) if self.synthetic_weight > 0 else None
        if self.real_weight > 0:
            place = fold_of(self.real_names, max(folds, 1) if folds > 1 else _ONE_FOLD_HOLDS_OUT)
            kept = {name for name in self.real_names if place[name] != fold}
            if not kept:  # a single subject can't be held out
                kept = set(self.real_names)
            parts.append((CaseShelf(self.real, kept.__contains__), self.real_weight))
            left = set(self.real_names) - kept
            held = CaseShelf(self.real, left.__contains__) if left else held
        return TrainingData(training=Mix(parts), held_out=held)


def _prepare(request: Request, listener: Listener) -> _Shelves:
    """Make and import the cases that the mix asks for; what exists is kept."""
    preset = SEMANTIC_PRESETS[request.preset]
    grid = preset.grid.spacing_mm
    home = request.work / f"cases-{request.preset}"
    weights = {name: request.mix.get(name, 0.0) for name in ("real", "synthetic")}
    if weights["real"] > 0 and request.dataset is None:
        raise UnreadableInputError(
            "the mix asks for real images but no data set is given", reasons=("no_dataset",)
        )
    names: list[str] = []
    if weights["synthetic"] > 0:
        for folder, seeds in (
            ("synthetic", range(request.spines)),
            ("held-out", range(HELD_OUT_FIRST_SEED, HELD_OUT_FIRST_SEED + HELD_OUT_SPINES)),
        ):
            for done, seed in enumerate(seeds, start=1):
                fill(home / folder, range(seed, seed + 1), grid_rip_mm=grid)
                listener.data(f"{folder} spines", done, len(seeds))
    if weights["real"] > 0 and request.dataset is not None:
        settings = ImportSettings(
            spacing_rip_mm=grid, correct_bias=preset.correct_bias, margin_mm=preset.margin_mm
        )
        names = import_dataset(
            request.dataset.folder,
            request.dataset.kind,
            home / "real",
            settings,
            lambda done, total: listener.data("annotated images", done, total),
        )
    return _Shelves(
        home / "synthetic",
        weights["synthetic"],
        home / "held-out",
        home / "real",
        tuple(names),
        weights["real"],
    )


def _train_fold(request: Request, fold: int, data: TrainingData, listener: Listener) -> Path:
    phase: SemanticPhase | InstancePhase
    if request.phase == "semantic":
        semantic = SEMANTIC_PRESETS[request.preset]
        preset: SemanticPreset | InstancePreset = semantic
        phase = SemanticPhase(semantic, data, request.output, seed=request.seed, fold=fold)
        if request.start is not None:
            phase.start_from(request.start)
    else:
        preset = INSTANCE_PRESETS[request.preset]
        phase = InstancePhase(preset, data, request.output, seed=request.seed)
    schedule = preset.schedule
    if request.start is not None:
        schedule = replace(schedule, peak=schedule.peak * _SHARE_FROM_A_START)
    name = f"{request.phase}-{request.preset}-fold{fold}"
    steps = request.steps or preset.epochs * STEPS_PER_EPOCH
    options = LoopOptions(
        state=request.work / f"{name}.pt",
        steps=steps,
        schedule=schedule,
        optimizer=preset.optimizer,
        batch=preset.batch,
        seed=request.seed,
        device=request.device,
        stop_after_seconds=request.stop_after_seconds,
    )
    training: Training[Any] = Training(phase, options)
    training.run(lambda *told: listener.step(fold, *told))
    facts = {
        "phase": request.phase,
        "preset": request.preset,
        "fold": fold,
        "seed": request.seed,
        "steps": training.step,
        "schedule_steps": steps,
        "mix": request.mix,
        "synthetic_spines": request.spines if request.mix.get("synthetic", 0.0) > 0 else 0,
        "parameters": sum(p.numel() for p in phase.network.parameters()),
    }
    return write_report(request.work, name, training.history, facts)
