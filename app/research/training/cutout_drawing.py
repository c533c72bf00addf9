"""Random training cut-outs of label maps for the instance network, spoiled as real input is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.research.synthetic.noise import smooth_noise
from app.research.training.in_plane import InPlane
from app.research.training.supervision import MIRRORED_LABEL
from operators.anatomy.labels import Structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.research.training.cases import Case

    Labels = NDArray[np.uint8]

_LEAST_BODY_VOXELS = 120
_LAST_CLASS = 9

_BLOTCH_MM, _LOST_MM = (8.0, 14.0, 14.0), (5.5, 5.0, 5.0)
"""Size along (R, I, P) of the places where bodies merge or have holes, where parts are lost."""

_SMALLEST_BOX_MM, _LARGEST_BOX_MM = (2.0, 3.0, 3.0), (9.0, 20.0, 20.0)
"""Of the boxes in which everything is another structure, nothing, or the other side's."""


def _channel_table() -> Labels:
    table = np.zeros(256, dtype=np.uint8)
    table[41:50] = np.arange(1, 10)
    return table


CHANNEL_OF_LABEL = _channel_table()
"""41-49 to 1-9, everything else 0: the mapping of the published instance model."""


@dataclass(frozen=True, slots=True)
class CutoutGrid:
    """Size and voxel size of a cut-out along (P, I, R)."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoiling:
    """How label maps are changed before the network sees them: a probability per change.

    Attributes
    ----------
    network_errors : bool
        Merged bodies, holes, lost parts, swapped sides, as a semantic network makes them.
    erosion : float
        One voxel off every structure.
    resampling : float
        Down to half the resolution and up again, nearest neighbour.
    label_drop : float
        One of the nine structures vanishes.
    vertical_crop : float
        The field of view ends above or below the middle vertebra.
    """

    network_errors: bool = True
    erosion: float = 0.0
    resampling: float = 0.0
    label_drop: float = 0.0
    vertical_crop: float = 0.0


@dataclass(frozen=True, slots=True)
class CutoutSample:
    """One sample: ``classes`` 0-9 and ``target`` 0-3 (none, above, centre, below), (P, I, R).

    Where there is no class there is no target: inference asks nowhere else, and what phase 1 has
    not seen phase 2 need not guess.
    """

    classes: Labels
    target: Labels


def _bodies(case: Case) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers and centres (R, I, P, voxels) of the vertebrae with enough body in the field."""
    at = np.flatnonzero(case.labels == Structure.CORPUS)
    number = case.vertebrae.ravel()[at]
    counts = np.bincount(number, minlength=27)
    counts[0] = 0
    numbers = np.flatnonzero(counts >= _LEAST_BODY_VOXELS)
    if not len(numbers):
        return numbers, np.zeros((0, 3))
    sums = [np.bincount(number, axis)[numbers] for axis in np.unravel_index(at, case.labels.shape)]
    return numbers, np.stack(sums, axis=1) / counts[numbers, None]


def _window(
    rng: np.random.Generator, case: Case, centre: NDArray[np.float64], grid: CutoutGrid
) -> tuple[Labels, Labels]:
    """Labels and vertebra numbers around a centre, rotated and zoomed, arrays [R, I, P]."""
    zoom = np.exp(np.clip(rng.normal(0, 0.12), -0.3, 0.3))
    angle = rng.normal(0, 0.12)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    case_mm, grid_mm = np.array(case.spacing_rip_mm), np.array(grid.spacing_mm[::-1])
    matrix = np.diag([grid_mm[0] / case_mm[0] * np.exp(rng.normal(0, 0.06)), 0.0, 0.0])
    matrix[1:, 1:] = turn * (grid_mm[1:] * zoom) / case_mm[1:, None]
    p, i, r = grid.shape
    at = centre + rng.normal(0, (3.0, 3.0, 3.0)) / case_mm
    offset = at - matrix @ (np.array((r, i, p)) / 2)
    labels, numbers = InPlane(matrix, offset, (r, i, p)).nearest(case.labels, case.vertebrae)
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


def _voxels(size_mm: tuple[float, float, float], grid: CutoutGrid) -> tuple[float, float, float]:
    """Size along (R, I, P) in voxels."""
    r, i, p = (mm / d for mm, d in zip(size_mm, grid.spacing_mm[::-1], strict=True))
    return r, i, p


def _exchange_boxes(rng: np.random.Generator, labels: Labels, grid: CutoutGrid) -> None:
    """Make up to five boxes another structure, nothing, or of the other side, in place."""
    least, most = _voxels(_SMALLEST_BOX_MM, grid), _voxels(_LARGEST_BOX_MM, grid)
    for _ in range(rng.integers(0, 6)):
        corner = [int(rng.integers(0, n)) for n in labels.shape]
        size = [max(1, round(rng.uniform(a, b))) for a, b in zip(least, most, strict=True)]
        box = tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))
        kind = int(rng.integers(0, 3))
        if kind == 0:
            labels[box] = int(rng.integers(41, 50))
        elif kind == 1:
            labels[box] = 0
        else:
            part = labels[box]
            labels[box] = np.where(part > 0, MIRRORED_LABEL[part], 0)


def _spoil(rng: np.random.Generator, labels: Labels, grid: CutoutGrid) -> Labels:
    """Errors that a semantic network makes: merged bodies, holes, lost parts, wrong classes."""
    spoiled = labels.copy()
    shape = (labels.shape[0], labels.shape[1], labels.shape[2])
    blotch = smooth_noise(rng, shape, _voxels(_BLOTCH_MM, grid))
    if rng.random() < 0.5:
        grown = np.isin(labels, (Structure.DISC, Structure.ENDPLATE)) & (
            blotch > rng.uniform(0.3, 2.2)
        )
        spoiled[grown] = Structure.CORPUS
    if rng.random() < 0.5:
        spoiled[blotch < -rng.uniform(1.0, 3.0)] = 0
    if rng.random() < 0.4:
        posterior = (spoiled >= Structure.ARCUS) & (spoiled < Structure.CORPUS)
        lost = posterior & (
            smooth_noise(rng, shape, _voxels(_LOST_MM, grid)) > rng.uniform(0.3, 1.8)
        )
        spoiled[lost] = 0
    _exchange_boxes(rng, spoiled, grid)
    if rng.random() < 0.15:
        k = int(rng.integers(1, shape[0]))
        spoiled[k] = spoiled[k - 1] if rng.random() < 0.5 else 0
    return spoiled


def _changed(rng: np.random.Generator, labels: Labels, spoiling: Spoiling) -> Labels:
    """Apply the plain changes: erosion, coarser resolution, a dropped label."""
    changed = labels
    if rng.random() < spoiling.erosion:
        inner = np.ones(labels.shape, dtype=np.bool_)
        for axis in range(3):
            before = np.roll(labels, 1, axis)
            before[(slice(None),) * axis + (0,)] = 0
            same = labels == before
            inner &= same & np.roll(same, -1, axis)
        changed = np.where(inner, changed, 0).astype(np.uint8)
    if rng.random() < spoiling.resampling:
        for axis, n in enumerate(labels.shape):
            changed = changed.take(np.arange(n) // 2 * 2, axis=axis)
    if rng.random() < spoiling.label_drop:
        dropped = int(rng.integers(Structure.ARCUS, Structure.CORPUS + 1))
        changed = np.where(changed == dropped, 0, changed).astype(np.uint8)
    return changed


def _crop_vertically(rng: np.random.Generator, labels: Labels, numbers: Labels) -> None:
    """End the field of view somewhere in the outer third, at one end, in place."""
    n = labels.shape[1]
    cut = int(rng.uniform(0.05, 0.33) * n)
    lost = slice(0, cut) if rng.random() < 0.5 else slice(n - cut, n)
    labels[:, lost] = 0
    numbers[:, lost] = 0


def draw_cutout(
    rng: np.random.Generator, case: Case, grid: CutoutGrid, spoiling: Spoiling
) -> CutoutSample | None:
    """Draw one sample.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    case : Case
        Where from.
    grid : CutoutGrid
        Size and voxel size.
    spoiling : Spoiling
        Changes of the label map.

    Returns
    -------
    CutoutSample or None
        None if the case shows no body.
    """
    numbers, centres = _bodies(case)
    if not len(numbers):
        return None
    chosen = int(rng.integers(len(numbers)))
    labels, vertebrae = _window(rng, case, centres[chosen], grid)
    if spoiling.network_errors:
        _crop_field(rng, labels, vertebrae)
    if rng.random() < spoiling.vertical_crop:
        _crop_vertically(rng, labels, vertebrae)
    own = int(numbers[chosen])
    target = np.zeros_like(vertebrae)
    for place, number in enumerate((own - 1, own, own + 1), start=1):
        if number > 0:
            target[vertebrae == number] = place
    spoiled = _spoil(rng, labels, grid) if spoiling.network_errors else labels
    classes = CHANNEL_OF_LABEL[_changed(rng, spoiled, spoiling)]
    target[classes == 0] = 0
    if rng.random() < 0.5:
        table = np.arange(_LAST_CLASS + 1, dtype=np.uint8)
        table[[3, 4, 5, 6, 7, 8]] = (4, 3, 6, 5, 8, 7)
        classes, target = table[classes[::-1]], target[::-1]
    return CutoutSample(
        np.ascontiguousarray(classes.transpose(2, 1, 0)),
        np.ascontiguousarray(target.transpose(2, 1, 0)),
    )
