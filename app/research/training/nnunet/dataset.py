"""A training's cases as an nnU-Net v2 raw data set, and which fold trains on which of them.

Every rendering of a case is an image of its own. Images lie as phase 1 gets them: axes (P, I, R)
in the file, so that nnU-Net's arrays are [R, I, P] like those of `app.research.training.cases`.
nnU-Net knows classes and "not annotated", but no sets of classes: what an annotator left open
(`app.research.training.supervision`) becomes not annotated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import SimpleITK

from app.research.training.cases import load
from app.research.training.formats import CLASS_NAMES
from app.research.training.supervision import CLASSES, CODE_OF_LABEL
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from app.research.training.semantic import TrainingData

DATASET_ID: Final = 1
DATASET: Final = "Dataset001_Spine"
ENDING: Final = ".nii.gz"
IGNORED: Final = CLASSES
"""Label of voxels that are not annotated; nnU-Net wants it to be the highest."""

_PIR_IN_LPS: Final = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""Direction cosines, row by row, of an image whose axes point posterior, inferior, right."""

_MOST_REPEATS: Final = 20
"""How often one case stands in a fold's list at most; a list of millions would be of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What lies in the raw data set.

    Attributes
    ----------
    images : dict of Path to tuple of str
        Case file to the identifiers of its renderings.
    ignored : float
        Share of voxels that are not annotated.
    """

    images: dict[Path, tuple[str, ...]]
    ignored: float


def export(raw: Path, folds: Sequence[TrainingData], told: Callable[[int, int], None]) -> Exported:
    """Write every case of any fold; what is there already is kept.

    Parameters
    ----------
    raw : Path
        nnU-Net's folder of raw data sets.
    folds : sequence of TrainingData
        What each fold trains on and holds out.
    told : callable
        Told (done, in all).

    Returns
    -------
    Exported
        Identifiers by case file.

    Raises
    ------
    UnreadableInputError
        ``no_training_cases``: there is none.
    """
    files = sorted({file for fold in folds for file in (*_trained(fold), *_held_out(fold))})
    if not files:
        raise UnreadableInputError("there is no training case", reasons=("no_training_cases",))
    home = raw / DATASET
    for folder in ("imagesTr", "labelsTr"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    images, ignored, voxels = {}, 0, 0
    for done, file in enumerate(files, start=1):
        images[file], left, count = _export_case(home, file)
        ignored, voxels = ignored + left, voxels + count
        told(done, len(files))
    share = ignored / max(1, voxels)
    count = sum(len(names) for names in images.values())
    content = json.dumps(description(count, has_ignored=ignored > 0), indent=1)
    (home / "dataset.json").write_text(content + "\n", encoding="utf-8")
    return Exported(images=images, ignored=share)


def description(images: int, *, has_ignored: bool) -> dict[str, Any]:
    """Content of ``dataset.json``."""
    labels = {name: number for number, name in enumerate(("background", *CLASS_NAMES))}
    return {
        "channel_names": {"0": "T2w"},
        "labels": labels | ({"ignore": IGNORED} if has_ignored else {}),
        "numTraining": images,
        "file_ending": ENDING,
        "name": DATASET,
    }


def splits(
    folds: Sequence[TrainingData], images: dict[Path, tuple[str, ...]]
) -> list[dict[str, list[str]]]:
    """Content of ``splits_final.json``.

    Parameters
    ----------
    folds : sequence of TrainingData
        In order.
    images : dict of Path to tuple of str
        `Exported.images`.

    Returns
    -------
    list of dict
        ``train`` and ``val`` of each fold. nnU-Net draws every entry of a list alike, so a case
        stands there as often as the weight of its source asks for, rounded. Where nothing is held
        out, nnU-Net validates on what it trains.
    """
    result = []
    for fold in folds:
        repeats = _repeats(fold)
        train = [
            name for file, count in repeats.items() for name in images[file] for _ in range(count)
        ]
        held_out = [name for file in _held_out(fold) for name in images[file]]
        result.append({"train": train, "val": held_out or sorted(set(train))})
    return result


def _trained(fold: TrainingData) -> list[Path]:
    return [file for shelf, _ in fold.training.parts for file in shelf.files]


def _held_out(fold: TrainingData) -> list[Path]:
    return [] if fold.held_out is None else fold.held_out.files


def _repeats(fold: TrainingData) -> dict[Path, int]:
    """How often each case of a fold is listed."""
    weights = {
        file: share / len(shelf.files)
        for shelf, share in fold.training.parts
        for file in shelf.files
    }
    least = min(weights.values(), default=1.0)
    return {file: min(_MOST_REPEATS, round(weight / least)) for file, weight in weights.items()}


def _export_case(home: Path, file: Path) -> tuple[tuple[str, ...], int, int]:
    """Write a case; its identifiers, and how many of how many voxels are not annotated."""
    case = load(file)
    codes = CODE_OF_LABEL[case.labels]
    classes = np.where(codes < CLASSES, codes, IGNORED).astype(np.uint8)
    name = f"{file.parent.name}-{file.stem}"
    names = tuple(f"{name}-{number}" for number in range(len(case.images)))
    for one, image in zip(names, case.images, strict=True):
        label = home / "labelsTr" / f"{one}{ENDING}"
        if not label.exists():
            shown = home / "imagesTr" / f"{one}_0000{ENDING}"
            _write(shown, image.astype(np.float32), case.spacing_rip_mm)
            _write(label, classes, case.spacing_rip_mm)
    return names, int((classes == IGNORED).sum()), classes.size


def _write(path: Path, array_rip: NDArray[Any], spacing_rip_mm: tuple[float, ...]) -> None:
    """Write an image, the file whole or not at all."""
    image = SimpleITK.GetImageFromArray(array_rip)
    image.SetSpacing(spacing_rip_mm[::-1])
    image.SetDirection(_PIR_IN_LPS)
    partial = path.with_name(f"part-{path.name}")
    SimpleITK.WriteImage(image, str(partial), useCompression=True)
    partial.replace(path)
