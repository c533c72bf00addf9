"""What is to be trained, and whether that can work, before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Literal

from app.errors import ConfigurationError, OutputUnwritableError
from app.synthetic.devices import require_device
from app.training.presets import SEMANTIC_PRESETS
from app.training.semantic import require_fold
from app.training.sources import SYNTHETIC
from operators.errors import UnreadableInputError
from operators.networks.semantic import load_semantic_model

if TYPE_CHECKING:
    from pathlib import Path

    from app.training.sources import DatasetSource


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
    datasets : tuple of DatasetSource
        Annotated images, each collection under its own name.
    mix : dict of str to float
        How often each source is drawn: ``synthetic`` and the names of the data sets.
    steps : int or None
        Length of the schedule; None = the preset's epochs.
    start : Path or None
        Phase 1 only: model folder to begin with, at half the preset's learning rate; None = random
        weights.
    predicted_by : Path or None
        Phase 2 only: semantic model folder. Half of what is drawn of every source are then its
        predictions (`app.training.predicted`) instead of true label maps.
    fold : int or None
        Only this fold; None = all of them.
    folds : int or None
        Networks to train, each with other subjects held out (phase 1); None = the preset's.
    seed : int
        Of weights and samples.
    device : str
        A torch device.
    stop_after_seconds : float or None
        Of training, over all folds of this call; the same call goes on.
    workers : int or None
        Threads that draw samples ahead; None = `drawing_ahead.default_workers`.
    """

    phase: Literal["semantic", "instance"]
    preset: str
    output: Path
    work: Path
    spines: int = 1000
    datasets: tuple[DatasetSource, ...] = ()
    mix: dict[str, float] = field(default_factory=lambda: {SYNTHETIC: 1.0})
    steps: int | None = None
    start: Path | None = None
    predicted_by: Path | None = None
    fold: int | None = None
    folds: int | None = None
    seed: int = 2026
    device: str = "cpu"
    stop_after_seconds: float | None = None
    workers: int | None = None

    @property
    def count_of_folds(self) -> int:
        """Networks of the finished model."""
        if self.phase == "instance":
            return 1
        return self.folds or SEMANTIC_PRESETS[self.preset].folds

    @property
    def drawn(self) -> dict[str, float]:
        """Sources with a weight, by name."""
        return {name: weight for name, weight in sorted(self.mix.items()) if weight > 0}

    @property
    def identity(self) -> dict[str, Any]:
        """What makes it another training; the number of spines and of steps may grow."""
        return {
            "seed": self.seed,
            "folds": self.count_of_folds,
            "mix": self.drawn,
            "datasets": [
                [source.name, source.kind, str(source.folder.resolve())]
                for source in self.datasets
                if source.name in self.drawn
            ],
            "start": None if self.start is None else str(self.start.resolve()),
            "predicted_by": (
                None if self.predicted_by is None else str(self.predicted_by.resolve())
            ),
        }

    @property
    def wanted_folds(self) -> range:
        """Folds of this call."""
        if self.fold is None:
            return range(self.count_of_folds)
        return range(self.fold, self.fold + 1)


def require_usable(request: Request) -> None:
    """Refuse what cannot work, and make the folders.

    Parameters
    ----------
    request : Request
        As asked.

    Raises
    ------
    ConfigurationError
        ``no_such_fold``, ``no_such_device``, ``predictions_in_phase_1``.
    UnreadableInputError
        ``no_dataset`` where the mix names none that is there, ``no_vertebra_parts`` for SPIDER in
        phase 2.
    ModelUnusableError
        ``fold_missing`` where the model to start from lacks a fold; whatever is wrong with the
        model that is to predict label maps.
    OutputUnwritableError
        If a folder cannot be made or written.
    """
    _require_sources(request)
    folds = request.count_of_folds
    if request.fold is not None and not 0 <= request.fold < folds:
        raise ConfigurationError(
            f"there is no fold {request.fold}: this training has folds 0 to {folds - 1}",
            reasons=("no_such_fold",),
        )
    require_device(request.device)
    if request.start is not None:
        for fold in request.wanted_folds:
            require_fold(request.start, fold)
    _require_predictor(request)
    for folder in (request.output, request.work):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):  # now, not at the first checkpoint
                pass
        except OSError as error:
            raise OutputUnwritableError(f"{folder} cannot be written: {error.strerror}") from error


def _require_predictor(request: Request) -> None:
    if request.predicted_by is None:
        return
    if request.phase != "instance":
        raise ConfigurationError(
            "phase 1 learns from images; predicted label maps are for phase 2",
            reasons=("predictions_in_phase_1",),
        )
    load_semantic_model(request.predicted_by)  # now, not after an hour of spines


def _require_sources(request: Request) -> None:
    if request.phase == "instance" and any(s.kind == "spider" for s in request.datasets):
        raise UnreadableInputError(
            "SPIDER has no parts of vertebrae, which phase 2 gets as its input; train phase 1 on "
            "it, or give phase 2 a data set with seg-spine and seg-vert masks",
            reasons=("no_vertebra_parts",),
        )
    missing = set(request.drawn) - {SYNTHETIC, *(source.name for source in request.datasets)}
    if missing:
        raise UnreadableInputError(
            f"the mix asks for {', '.join(sorted(missing))}, but no data set is called so",
            reasons=("no_dataset",),
        )
