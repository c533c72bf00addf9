"""Where a training's cases come from: synthetic spines, data sets, and which fold may see which.

Synthetic spines are made, data sets imported, each once; a fold's training and held-out cases are
selections of them. All cases of a subject are on one side, also where two data sets hold it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.research.training.cases import fill
from app.research.training.datasets import ImportListener, import_dataset
from app.research.training.semantic import TrainingData
from app.research.training.shelf import CaseShelf, JoinedShelves, Mix, fold_of, subject_of
from operators.errors import InterruptedRunError, UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.research.training.dataset_layouts import Kind
    from app.research.training.datasets import ImportSettings

HELD_OUT_FIRST_SEED = 900_000
"""Seeds from here on are never trained on: they serve validation and evaluation."""

HELD_OUT_SPINES = 12
SYNTHETIC = "synthetic"
"""Name of the generator in a mix."""

_ONE_FOLD_HOLDS_OUT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSource:
    """A user's own data: folder, layout, and the name that the mix calls it."""

    folder: Path
    kind: Kind
    name: str = "real"


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told.

    Attributes
    ----------
    data : callable
        Told (what, done, in all).
    step : callable
        Told (fold, step, steps, cross-entropy, Dice loss).
    note : callable
        Told what a person should know about the data.
    """

    data: Callable[[str, int, int], None]
    step: Callable[[int, int, int, float, float], None]
    note: Callable[[str], None] = lambda _text: None


@dataclass(frozen=True, slots=True, kw_only=True)
class RealCases:
    """Imported cases of one data set, and how often they are drawn."""

    folder: Path
    names: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCases:
    """Everything that has been made or imported.

    Attributes
    ----------
    synthetic, held_out : Path
        Folders of synthetic cases, to train on and held out.
    spines : range
        Seeds of the synthetic cases that are trained on, whatever else lies there.
    synthetic_weight : float
        How often they are drawn.
    real : tuple of RealCases
        Data sets with a weight.
    predicted : Path or None
        Folder of `app.research.training.predicted.predict_maps`, with a folder of each source's
        name.
    hold_out : frozenset of str
        Subjects that are not trained on; without any, every fifth or a fold's share of them.
    """

    synthetic: Path
    held_out: Path
    spines: range = range(0)
    synthetic_weight: float = 0.0
    real: tuple[RealCases, ...] = field(default_factory=tuple)
    predicted: Path | None = None
    hold_out: frozenset[str] = frozenset()

    def of_fold(self, fold: int, folds: int) -> TrainingData:
        """Select the cases of a fold.

        Parameters
        ----------
        fold, folds : int
            Which of how many. With one fold, the named subjects or a fifth of them are held out.

        Returns
        -------
        TrainingData
            Held out are the fold's own subjects; without any, synthetic spines of other seeds. A
            data set of one subject is trained on in every fold. Where label maps have been
            predicted, half of a source's weight is theirs; what is held out are true ones.
        """
        parts = []
        if self.synthetic_weight > 0:
            parts += self._halves(
                self.synthetic,
                lambda name: int(name.split(".")[0]) in self.spines,
                self.synthetic_weight,
            )
        names = [name for source in self.real for name in source.names]
        out = self.hold_out or _share(names, fold, folds if folds > 1 else _ONE_FOLD_HOLDS_OUT)
        trained: set[str] = set()
        for source in self.real:
            kept = {n for n in source.names if subject_of(n) not in out} or set(source.names)
            parts += self._halves(source.folder, kept.__contains__, source.weight)
            trained |= {subject_of(name) for name in kept}
        left = {name for name in names if subject_of(name) not in trained}
        held = [
            CaseShelf(source.folder, left.intersection(source.names).__contains__)
            for source in self.real
            if left.intersection(source.names)
        ]
        has_c1 = self.synthetic_weight > 0
        if held:
            return TrainingData(training=Mix(parts), held_out=JoinedShelves(held), has_c1=has_c1)
        spare = CaseShelf(self.held_out) if self.synthetic_weight > 0 else None
        return TrainingData(training=Mix(parts), held_out=spare, has_c1=has_c1)

    def _halves(
        self, folder: Path, wanted: Callable[[str], bool], weight: float
    ) -> list[tuple[CaseShelf, float]]:
        """Share the weight between true and predicted maps of the same cases, if there are any."""
        true = CaseShelf(folder, wanted)
        if self.predicted is None:
            return [(true, weight)]
        predicted = CaseShelf(self.predicted / folder.name, wanted)
        if not predicted.names:
            return [(true, weight)]
        return [(true, weight / 2), (predicted, weight / 2)]


def _share(names: list[str], fold: int, folds: int) -> frozenset[str]:
    """Subjects of one fold."""
    place = fold_of(names, folds)
    return frozenset(subject_of(name) for name in names if place[name] == fold)


def require_subjects(real: tuple[RealCases, ...], hold_out: frozenset[str]) -> None:
    """Refuse a wish to hold out subjects that are not there, or all that are.

    Parameters
    ----------
    real : tuple of RealCases
        Data sets of the training.
    hold_out : frozenset of str
        Subjects by name.

    Raises
    ------
    UnreadableInputError
        ``no_such_subject``, or ``no_training_cases`` where a data set has no other subject.
    """
    subjects = [{subject_of(name) for name in source.names} for source in real]
    missing = hold_out.difference(*subjects)
    if missing:
        raise UnreadableInputError(
            f"{len(missing)} of the {len(hold_out)} subjects to hold out are in no data set",
            reasons=("no_such_subject",),
        )
    if hold_out and any(known <= hold_out for known in subjects):
        raise UnreadableInputError(
            "all subjects of a data set are held out, so none is left to train on",
            reasons=("no_training_cases",),
        )


def make_spines(
    home: Path,
    spines: range,
    grid_rip_mm: tuple[float, float, float],
    listener: Listener,
    stop: Callable[[], bool],
    *,
    device: str = "cpu",
) -> None:
    """Make the missing synthetic cases, to train on and held out.

    Parameters
    ----------
    home : Path
        Receives the folders ``synthetic`` and ``held-out``.
    spines : range
        Seeds to train on.
    grid_rip_mm : tuple of 3 floats
        Grid of the network.
    listener : Listener
        Told how far it is.
    stop : callable
        Asked after every spine.
    device : str
        Where the phantoms are painted.

    Raises
    ------
    InterruptedRunError
        If it is to stop; what has been made is kept.
    """
    held_out = range(HELD_OUT_FIRST_SEED, HELD_OUT_FIRST_SEED + HELD_OUT_SPINES)
    for folder, seeds in ((SYNTHETIC, spines), ("held-out", held_out)):
        for done, seed in enumerate(seeds, start=1):
            fill(home / folder, range(seed, seed + 1), grid_rip_mm=grid_rip_mm, device=device)
            listener.data(f"{folder} spines", done, len(seeds))
            if stop():
                raise InterruptedRunError("stopped while making spines; the same command goes on")


def import_source(
    source: DatasetSource,
    home: Path,
    settings: ImportSettings,
    listener: Listener,
) -> tuple[str, ...]:
    """Import one data set; return the names of its cases in ``home / source.name``."""

    def tell(done: int, total: int) -> None:
        listener.data(f"annotated images, {source.name}", done, total)

    told = ImportListener(tell, listener.note)
    return tuple(import_dataset(source.folder, source.kind, home / source.name, settings, told))
