"""Label maps as phase 1 really draws them, with true vertebra numbers, to train phase 2 on.

Imitated errors (`app.research.training.cutout_drawing.Spoiling`) come near what phase 2 gets in the
pipeline; predictions are it. Best made by a model that was not trained on the same images: on those
it errs too little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from app.research.synthetic.phantom import grid_affine
from app.research.training.cases import Case, load, store
from operators.anatomy.labels import Structure
from operators.errors import IntensityError, InterruptedRunError
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import Volume
from operators.networks.semantic import load_semantic_model
from operators.spine.semantic_cleanup import clean_semantic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from app.research.training.sources import Listener
    from operators.networks.semantic import SemanticModel

_EVERY = 5
"""One synthetic spine of so many is predicted: that takes as long as painting several."""

_DIGITS = 12

REACH_MM = 4.0
"""So far outside of a vertebra a voxel that phase 1 takes for one has the number of the nearest.
Phase 1's border is off by 0.5 mm on average (ASSD of vertebrae in `tests.benchmarks.
paper_comparison`); what lies farther off than this is no border, and stays without a number."""


def predicted_spines(spines: range) -> tuple[str, ...]:
    """File names of the synthetic cases that are predicted: every fifth seed."""
    return tuple(f"{seed:07d}.npz" for seed in spines[::_EVERY])


def predict_maps(
    model: Path,
    home: Path,
    sources: Mapping[str, Sequence[str]],
    listener: Listener,
    stop: Callable[[], bool],
    *,
    device: str = "cpu",
) -> Path:
    """Predict the label maps that are missing or older than their case.

    Parameters
    ----------
    model : Path
        Folder of a semantic model.
    home : Path
        Holds the cases, ``<source>/<file>``.
    sources : mapping of str to sequence of str
        Source name to the file names of the cases to predict. Cases without a numbered vertebra,
        and images that phase 1 refuses, are left out.
    listener : Listener
        Told how far it is.
    stop : callable
        Asked after every case.
    device : str
        Where the network runs.

    Returns
    -------
    Path
        Holds ``<source>/<file>``, cases whose ``labels`` are the predicted ones on the grid of the
        true ``vertebrae``; their images are cut to one voxel. Another model has another folder.

    Raises
    ------
    ModelUnusableError
        Whatever is wrong with the model folder.
    InterruptedRunError
        If it is to stop; what has been predicted is kept.
    """
    network = load_semantic_model(model, device=device)
    folder = home / "predicted" / network.digest[:_DIGITS]
    total, done, refused = sum(map(len, sources.values())), 0, 0
    for source, names in sources.items():
        for number, name in enumerate(names):
            path = folder / source / name
            try:
                if not _is_of(home / source / name, path):
                    _predict(network, home / source / name, path, number)
            except IntensityError:
                refused += 1
            done += 1
            listener.data("predicted maps", done, total)
            if stop():
                raise InterruptedRunError(
                    "stopped while predicting label maps; the same command goes on"
                )
    if refused:
        listener.note(f"{refused} images cannot be segmented: only their true maps are trained on")
    return folder


def _is_of(case: Path, predicted: Path) -> bool:
    """Say whether there is a prediction that is not older than its case."""
    return predicted.exists() and predicted.stat().st_mtime_ns >= case.stat().st_mtime_ns


def _predict(network: SemanticModel, source: Path, path: Path, number: int) -> None:
    """Predict one case from one of its renderings, each taking its turn."""
    case = load(source)
    if not case.vertebrae.any():
        return
    image = case.images[number % len(case.images)].astype(np.float32)
    volume = Volume(image, grid_affine(case.spacing_rip_mm, image.shape))
    found = clean_semantic(network.segment(volume).labels)
    labels = resample_labels_to_grid(found, volume.grid).labels_zyx
    plates = np.isin(labels, (Structure.ENDPLATE_SUPERIOR, Structure.ENDPLATE_INFERIOR))
    labels = np.where(plates, Structure.ENDPLATE, labels).astype(np.uint8)
    vertebrae = numbers_of(labels, case)
    store(Case(case.images[:1, :1, :1, :1], labels, vertebrae, case.spacing_rip_mm), path)


def numbers_of(labels: NDArray[np.uint8], case: Case) -> NDArray[np.uint8]:
    """Vertebra numbers for a predicted map: the true ones, and the nearest within `REACH_MM`.

    Without them phase 2 would learn to leave out what phase 1 draws beyond a vertebra's border,
    and the pipeline would have to find an owner for it.

    Parameters
    ----------
    labels : (R, I, P) uint8 ndarray
        Predicted structures.
    case : Case
        The true numbers, on the same grid.

    Returns
    -------
    (R, I, P) uint8 ndarray
        Also the true numbers where phase 1 sees nothing.
    """
    true = case.vertebrae
    is_beyond = (labels >= Structure.ARCUS) & (labels <= Structure.CORPUS) & (true == 0)
    away, nearest = ndimage.distance_transform_edt(
        true == 0, sampling=case.spacing_rip_mm, return_indices=True
    )
    numbers: NDArray[np.uint8] = np.where(
        is_beyond & (away <= REACH_MM), true[tuple(nearest)], true
    ).astype(np.uint8)
    return numbers
