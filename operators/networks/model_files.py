"""Which files of a model folder are used, wherever they lie in it, and their digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from operators.errors import ModelUnusableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
"""In order of preference; some published folds hold only the second."""

_CHUNK = 2**20


def plans_folder(config: Path, folder: Path) -> Path:
    """Find the folder that holds plans.json.

    Parameters
    ----------
    config : Path
        The model's inference_config.json.
    folder : Path
        The model folder as given.

    Returns
    -------
    Path
        The config's own folder if plans.json lies there, else the only other one.

    Raises
    ------
    ModelUnusableError
        ``plans_missing`` or ``several_plans``.
    """
    if (config.parent / "plans.json").is_file():
        return config.parent
    found = sorted(path for path in folder.rglob("plans.json") if path.is_file())
    if len(found) == 1:
        return found[0].parent
    if found:
        message = f"the model folder holds {len(found)} plans.json instead of one"
        raise ModelUnusableError(message, reasons=("several_plans",))
    raise ModelUnusableError("the model folder holds no plans.json", reasons=("plans_missing",))


def fold_checkpoints(folder: Path, folds: Sequence[str]) -> tuple[Path, ...]:
    """Find the weights of every fold.

    Parameters
    ----------
    folder : Path
        Holds ``fold_0`` ... or ``fold_all``.
    folds : sequence of str
        Names of the folds; where not one of them exists, ``all`` is taken.

    Returns
    -------
    tuple of Path
        ``checkpoint_final.pth``, or ``checkpoint_best.pth`` where that is missing.

    Raises
    ------
    ModelUnusableError
        ``fold_missing``.
    """
    names = list(folds)
    if not any((folder / f"fold_{name}").is_dir() for name in names):
        names = ["all"]
    found = []
    for name in names:
        candidates = [folder / f"fold_{name}" / file for file in _CHECKPOINTS]
        present = [path for path in candidates if path.is_file()]
        if not present:
            message = f"the model folder holds no checkpoint of fold {name}"
            raise ModelUnusableError(message, reasons=("fold_missing",))
        found.append(present[0])
    return tuple(found)


def digest_of(files: Iterable[Path], folder: Path) -> str:
    """Identify a model by the content of the files it was made from.

    Parameters
    ----------
    files : iterable of Path
        Inside ``folder``; order does not matter.
    folder : Path
        Names are taken relative to it, so that the digest does not depend on the place.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    whole = hashlib.sha256()
    for path in sorted(set(files)):
        one = hashlib.sha256()
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                one.update(chunk)
        whole.update(f"{path.relative_to(folder).as_posix()}\0{one.hexdigest()}\n".encode())
    return whole.hexdigest()
