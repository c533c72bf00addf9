"""What is to be trained, and whether that can work, before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import distributions
from importlib.util import find_spec
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Literal

from app.errors import ConfigurationError, OutputUnwritableError
from app.research.synthetic.devices import require_device
from app.research.training.formats import holds_weights
from app.research.training.presets import SEMANTIC_PRESETS
from app.research.training.semantic import require_fold
from app.research.training.sources import HELD_OUT_FIRST_SEED, SYNTHETIC
from operators.errors import UnreadableInputError
from operators.networks.instances import weights_file
from operators.networks.semantic import load_semantic_model

if TYPE_CHECKING:
    from pathlib import Path

    from app.research.training.sources import DatasetSource


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
    spines, first_spine : int
        Synthetic spines to make, and the seed of the first: those that a model to start from has
        seen need not be the same again.
    datasets : tuple of DatasetSource
        Annotated images, each collection under its own name.
    mix : dict of str to float
        How often each source is drawn: ``synthetic`` and the names of the data sets.
    steps : int or None
        Length of the schedule; None = the preset's epochs.
    start : Path or None
        Model folder to begin with, at half the preset's learning rate; None = random weights.
    predicted_by : Path or None
        Phase 2 only: semantic model folder. Half of what is drawn of every source are then its
        predictions (`app.research.training.predicted`) instead of true label maps.
    fold : int or None
        Only this fold; None = all of them.
    folds : int or None
        Networks to train, each with other subjects held out (phase 1); None = the preset's.
    hold_out : frozenset of str
        Subjects of the data sets to hold out of a training of one network; empty = every fifth.
    seed : int
        Of weights and samples.
    device : str
        A torch device.
    stop_after_seconds : float or None
        Of training, over all folds of this call; the same call goes on.
    workers : int or None
        Threads that draw samples ahead; None = `drawing_ahead.default_workers`.
    engine : {"own", "nnunet"}
        Phase 1 only: the loop of `app.research.training.loop`, or nnU-Net v2 itself.
    gpus : int
        GPUs of one fold's training; more than one only by nnU-Net.
    """

    phase: Literal["semantic", "instance"]
    preset: str
    output: Path
    work: Path
    spines: int = 1000
    first_spine: int = 0
    datasets: tuple[DatasetSource, ...] = ()
    mix: dict[str, float] = field(default_factory=lambda: {SYNTHETIC: 1.0})
    steps: int | None = None
    start: Path | None = None
    predicted_by: Path | None = None
    fold: int | None = None
    folds: int | None = None
    hold_out: frozenset[str] = frozenset()
    seed: int = 2026
    device: str = "cpu"
    stop_after_seconds: float | None = None
    workers: int | None = None
    engine: Literal["own", "nnunet"] = "own"
    gpus: int = 1

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
    def seeds(self) -> range:
        """Seeds of the synthetic spines."""
        return range(self.first_spine, self.first_spine + self.spines)

    def state_of(self, fold: int) -> Path:
        """Where what is needed to go on with a fold is kept."""
        if self.engine == "nnunet":
            return self.nnunet_home / "prepared.json"
        return self.work / f"{self.name_of(fold)}.pt"

    def name_of(self, fold: int) -> str:
        """Name of a fold's files in the work folder."""
        by = "" if self.engine == "own" else f"-{self.engine}"
        return f"{self.phase}-{self.preset}{by}-fold{fold}"

    @property
    def nnunet_home(self) -> Path:
        """Where nnU-Net keeps its data and states."""
        return self.work / f"nnunet-{self.preset}"

    @property
    def identity(self) -> dict[str, Any]:
        """What makes it another training; the number of spines and of steps may grow."""
        return {
            "seed": self.seed,
            "folds": self.count_of_folds,
            "hold_out": sorted(self.hold_out),
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
        ``no_such_fold``, ``several_folds`` with named subjects, ``no_such_device``, with nnU-Net
        ``nnunet_missing``, ``start_with_nnunet``, ``partial_labels`` or ``several_devices``,
        ``predictions_in_phase_1``, ``held_out_seeds`` where the spines reach into those kept for
        validation and evaluation, ``other_model`` where the model folder holds a model that this
        work folder knows nothing of.
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
    _require_nnunet(request)
    _require_monai(request)
    folds = request.count_of_folds
    if request.fold is not None and not 0 <= request.fold < folds:
        raise ConfigurationError(
            f"there is no fold {request.fold}: this training has folds 0 to {folds - 1}",
            reasons=("no_such_fold",),
        )
    if request.hold_out and folds > 1:
        raise ConfigurationError(
            "subjects are held out by name of one network; of several folds, each holds out others",
            reasons=("several_folds",),
        )
    if request.seeds.stop > HELD_OUT_FIRST_SEED:
        raise ConfigurationError(
            f"seeds from {HELD_OUT_FIRST_SEED} on are kept for validation and evaluation",
            reasons=("held_out_seeds",),
        )
    require_device(request.device)
    _require_no_other_model(request)
    _require_start(request)
    _require_predictor(request)
    for folder in (request.output, request.work):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):  # now, not at the first checkpoint
                pass
        except OSError as error:
            raise OutputUnwritableError(f"{folder} cannot be written: {error.strerror}") from error


def _require_nnunet(request: Request) -> None:
    """Refuse what nnU-Net cannot do."""
    if request.engine != "nnunet":
        return
    refusals = {
        "nnunet_missing": (
            find_spec("nnunetv2") is None,
            "nnU-Net is not installed: pip install 'spine-node[train]'",
        ),
        "start_with_nnunet": (
            request.start is not None,
            "nnU-Net would run the code in a model to start from; --start is for the own engine",
        ),
        "partial_labels": (
            any(source.kind == "spider" for source in request.datasets),
            "SPIDER does not say which part of a vertebra a voxel is of, and nnU-Net knows no sets",
        ),
        "several_devices": (
            request.gpus > 1 and not request.device.startswith("cuda"),
            "several GPUs need --device cuda",
        ),
    }
    for reason, (is_so, message) in refusals.items():
        if is_so:
            raise ConfigurationError(message, reasons=(reason,))


def _require_monai(request: Request) -> None:
    if request.phase == "instance" and not list(distributions(name="monai")):
        message = "phase 2 is trained with MONAI's loss: pip install 'spine-node[train]'"
        raise ConfigurationError(message, reasons=("monai_missing",))


def _require_no_other_model(request: Request) -> None:
    """Weights of hours or days are not replaced by those of a first checkpoint."""
    for fold in request.wanted_folds:
        written = None if request.phase == "instance" else fold
        if holds_weights(request.output, fold=written) and not request.state_of(fold).exists():
            raise ConfigurationError(
                f"{request.output} holds a model, but {request.work} nothing to go on with from "
                "it; take another folder for the new one (--output), or remove the old one",
                reasons=("other_model",),
            )


def _require_start(request: Request) -> None:
    """Refuse a model to begin with that lacks weights for a network that is wanted."""
    if request.start is None:
        return
    if request.phase == "instance":
        weights_file(request.start)
        return
    for fold in request.wanted_folds:
        require_fold(request.start, fold)


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
