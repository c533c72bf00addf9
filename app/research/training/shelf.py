"""Cases to draw from: growing folders, held-out parts, several sources mixed by weight."""

from __future__ import annotations

from itertools import zip_longest
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from app.research.training.cases import load
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from app.research.training.cases import Case


class CaseShelf:
    """The cases of one folder, kept in memory once read; the folder may grow or shrink meanwhile.

    Several threads may read and draw at once. What is drawn depends on the list of the last
    `refresh` and on the files that are still there, not on what other threads have met.

    Parameters
    ----------
    folder : Path
        Holds ``*.npz`` files of `app.research.training.cases.store`.
    wanted : callable or None
        Says by file name which cases belong to this shelf; None = all.
    """

    def __init__(self, folder: Path, wanted: Callable[[str], bool] | None = None) -> None:
        self._folder = folder
        self._wanted = wanted
        self._cases: dict[str, Case] = {}
        self._reading: dict[str, Lock] = {}
        self.names: list[str] = []
        self.refresh()

    def refresh(self) -> int:
        """Look for new and vanished files; return the number of cases."""
        self.names = self._listed()
        return len(self.names)

    @property
    def files(self) -> list[Path]:
        """Paths of the cases."""
        return [self.path_of(name) for name in self.names]

    def path_of(self, name: str) -> Path:
        """Path of a case file."""
        return self._folder / name

    def _listed(self) -> list[str]:
        found = sorted(p.name for p in self._folder.glob("*.npz") if ".part" not in p.name)
        return [name for name in found if self._wanted is None or self._wanted(name)]

    def read(self, name: str) -> Case:
        """Get one case by its file name; threads that want the same one read it once."""
        if name not in self._cases:
            # One lock per case (setdefault is atomic): others can be read meanwhile.
            with self._reading.setdefault(name, Lock()):
                if name not in self._cases:
                    self._cases[name] = load(self.path_of(name))
        return self._cases[name]

    def draw(self, rng: np.random.Generator) -> Case:
        """Draw a random case; one whose file has been deleted meanwhile is passed over.

        Raises
        ------
        UnreadableInputError
            If the folder holds no case (any more).
        """
        names = self.names
        while names:
            name = names[int(rng.integers(len(names)))]
            try:
                return self.read(name)
            except FileNotFoundError:
                names = self._listed()  # for this draw only: other threads draw from `names` too
        raise UnreadableInputError("there is no training case", reasons=("no_training_cases",))


class Mix:
    """Several shelves, each drawn from as often as its weight says.

    Parameters
    ----------
    parts : sequence of (CaseShelf, float)
        Shelves and weights; the weights need not add up to 1.
    """

    def __init__(self, parts: Sequence[tuple[CaseShelf, float]]) -> None:
        self._shelves = [shelf for shelf, weight in parts if weight > 0]
        weights = np.array([weight for _, weight in parts if weight > 0])
        self._share = weights / max(float(weights.sum()), 1e-12)

    @property
    def parts(self) -> list[tuple[CaseShelf, float]]:
        """Shelves and their shares, which add up to 1."""
        return [
            (shelf, float(share)) for shelf, share in zip(self._shelves, self._share, strict=True)
        ]

    def refresh(self) -> None:
        """Look for new files in every folder."""
        for shelf in self._shelves:
            shelf.refresh()

    def draw(self, rng: np.random.Generator) -> Case:
        """Draw a shelf by weight, then a case."""
        return self._shelves[int(rng.choice(len(self._shelves), p=self._share))].draw(rng)


class JoinedShelves:
    """Held-out cases of several sources as one list, a case of each source in turn.

    Parameters
    ----------
    shelves : sequence of CaseShelf
        In the order in which they take turns.
    """

    def __init__(self, shelves: Sequence[CaseShelf]) -> None:
        self._shelves = shelves
        self._places: dict[str, tuple[CaseShelf, str]] = {}
        self.refresh()

    @property
    def names(self) -> list[str]:
        """Number of the source and file name, ``0/sub-01.npz``."""
        return list(self._places)

    def refresh(self) -> int:
        """Look for new and vanished files; return the number of cases."""
        for shelf in self._shelves:
            shelf.refresh()
        turns = zip_longest(*(shelf.names for shelf in self._shelves))
        self._places = {
            f"{number}/{name}": (shelf, name)
            for turn in turns
            for number, (shelf, name) in enumerate(zip(self._shelves, turn, strict=True))
            if name is not None
        }
        return len(self._places)

    @property
    def files(self) -> list[Path]:
        """Paths of the cases, in the order of `names`."""
        return [shelf.path_of(file) for shelf, file in self._places.values()]

    def read(self, name: str) -> Case:
        """Get one case by its name in `names`."""
        shelf, file = self._places[name]
        return shelf.read(file)


def subject_of(name: str) -> str:
    """Subject of a case file: up to the first underscore or point."""
    return name.split(".", 1)[0].split("_", 1)[0]


def fold_of(names: Sequence[str], folds: int) -> dict[str, int]:
    """Assign case files to folds; all cases of one subject (``sub-X_...``) share a fold.

    Parameters
    ----------
    names : sequence of str
        File names.
    folds : int
        Number of folds.

    Returns
    -------
    dict of str to int
        Name to fold, 0 to ``folds`` - 1.
    """
    subjects = sorted({subject_of(name) for name in names})
    place = {subject: number % folds for number, subject in enumerate(subjects)}
    return {name: place[subject_of(name)] for name in names}
