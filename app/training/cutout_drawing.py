"""Random training cut-outs of label maps for the instance network, spoiled as real input is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from app.synthetic.noise import smooth_noise
from app.training.augmentation import MIRRORED_LABEL
from app.training.cases import SLICE_MM, Case
from operators.anatomy.labels import Structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.uint8]

SPACING_PIR_MM = (1.75, 1.75, 2.75)
"""Grid of the compact instance model; thin enough that small cervical bodies survive the erosion
by two voxels that finds their centres."""

CUTOUT_PIR = (80, 96, 24)
"""140 x 168 x 66 mm: a lumbar vertebra with both neighbours."""

_LEAST_BODY_VOXELS = 120
_LAST_CLASS = 9


def _channel_table() -> Labels:
    table = np.zeros(256, dtype=np.uint8)
    table[41:50] = np.arange(1, 10)
    return table


CHANNEL_OF_LABEL = _channel_table()
"""41-49 to 1-9, everything else 0: the mapping of the published instance model."""


@dataclass(frozen=True, slots=True)
class CutoutSample:
    """One sample: ``classes`` 0-9 and ``target`` 0-3 (none, above, centre, below), (P, I, R)."""

    classes: Labels
    target: Labels


def _bodies(case: Case) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers and centres (R, I, P, voxels) of the vertebrae with enough body in the field."""
    body = np.where(case.labels == Structure.CORPUS, case.vertebrae, 0)
    counts = np.bincount(body.ravel(), minlength=27)
    counts[0] = 0
    numbers = np.flatnonzero(counts >= _LEAST_BODY_VOXELS)
    if not len(numbers):
        return numbers, np.zeros((0, 3))
    return numbers, np.array(ndimage.center_of_mass(body > 0, body, numbers))


def _window(
    rng: np.random.Generator, case: Case, centre: NDArray[np.float64]
) -> tuple[Labels, Labels]:
    """Labels and vertebra numbers around a centre, rotated and zoomed, arrays [R, I, P]."""
    zoom = np.exp(np.clip(rng.normal(0, 0.12), -0.3, 0.3))
    angle = rng.normal(0, 0.12)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[1:, 1:] = turn * (SPACING_PIR_MM[0] / case.in_plane_mm * zoom)
    matrix[0, 0] = SPACING_PIR_MM[2] / SLICE_MM * np.exp(rng.normal(0, 0.06))
    shape = CUTOUT_PIR[::-1]
    jitter_mm = rng.normal(0, (3.0, 3.0, 3.0))
    at = centre + jitter_mm / (SLICE_MM, case.in_plane_mm, case.in_plane_mm)
    offset = at - matrix @ (np.array(shape) / 2)
    labels, numbers = (
        ndimage.affine_transform(x, matrix, offset, shape, order=0, mode="constant")
        for x in (case.labels, case.vertebrae)
    )
    return labels, numbers


def _crop_field(rng: np.random.Generator, labels: Labels, numbers: Labels) -> None:
    """Cut the field of view off on some sides, keeping the middle, in place."""
    for axis, share in ((0, 0.35), (1, 0.4), (2, 0.35)):
        n = labels.shape[axis]
        for end in (0, 1):
            if rng.random() < 0.25:
                cut = int(rng.uniform(0, share) * n)
                index = [slice(None)] * 3
                index[axis] = slice(0, cut) if end == 0 else slice(n - cut, n)
                labels[tuple(index)] = 0
                numbers[tuple(index)] = 0


def _spoil(rng: np.random.Generator, labels: Labels) -> Labels:
    """Errors that a semantic network makes: merged bodies, holes, lost parts, wrong classes."""
    spoiled = labels.copy()
    shape = (labels.shape[0], labels.shape[1], labels.shape[2])
    blotch = smooth_noise(rng, shape, (3, 8, 8))
    if rng.random() < 0.5:
        grown = np.isin(labels, (Structure.DISC, Structure.ENDPLATE)) & (
            blotch > rng.uniform(0.3, 2.2)
        )
        spoiled[grown] = Structure.CORPUS
    if rng.random() < 0.5:
        spoiled[blotch < -rng.uniform(1.0, 3.0)] = 0
    if rng.random() < 0.4:
        posterior = (spoiled >= Structure.ARCUS) & (spoiled < Structure.CORPUS)
        lost = posterior & (smooth_noise(rng, shape, (2, 3, 3)) > rng.uniform(0.3, 1.8))
        spoiled[lost] = 0
    for _ in range(rng.integers(0, 6)):
        corner = [int(rng.integers(0, n)) for n in shape]
        size = (rng.integers(1, 4), rng.integers(2, 12), rng.integers(2, 12))
        box = tuple(slice(c, c + int(s)) for c, s in zip(corner, size, strict=True))
        kind = int(rng.integers(0, 3))
        if kind == 0:
            spoiled[box] = int(rng.integers(41, 50))
        elif kind == 1:
            spoiled[box] = 0
        else:
            part = spoiled[box]
            spoiled[box] = np.where(part > 0, MIRRORED_LABEL[part], 0)
    if rng.random() < 0.15:
        k = int(rng.integers(1, shape[0]))
        spoiled[k] = spoiled[k - 1] if rng.random() < 0.5 else 0
    return spoiled


def draw_cutout(rng: np.random.Generator, case: Case) -> CutoutSample | None:
    """Draw one sample.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    case : Case
        Where from.

    Returns
    -------
    CutoutSample or None
        None if the case shows no body.
    """
    numbers, centres = _bodies(case)
    if not len(numbers):
        return None
    chosen = int(rng.integers(len(numbers)))
    labels, vertebrae = _window(rng, case, centres[chosen])
    _crop_field(rng, labels, vertebrae)
    own = int(numbers[chosen])
    target = np.zeros_like(vertebrae)
    for place, number in enumerate((own - 1, own, own + 1), start=1):
        if number > 0:
            target[vertebrae == number] = place
    classes = CHANNEL_OF_LABEL[_spoil(rng, labels)]
    if rng.random() < 0.5:
        table = np.arange(_LAST_CLASS + 1, dtype=np.uint8)
        table[[3, 4, 5, 6, 7, 8]] = (4, 3, 6, 5, 8, 7)
        classes, target = table[classes[::-1]], target[::-1]
    return CutoutSample(
        np.ascontiguousarray(classes.transpose(2, 1, 0)),
        np.ascontiguousarray(target.transpose(2, 1, 0)),
    )
