"""Results that are wrong in a known way: true masks and their image, spoiled on purpose.

Every spoiling takes one correct result and answers with one that a person should see before it
leaves; None where the result does not allow it (a single vertebra cannot be merged).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import binary_erosion

from operators.anatomy.labels import LEFT_RIGHT_PAIRS, Structure
from operators.anatomy.vertebrae import vertebrae_among
from operators.imaging.volume import LabelMap, Volume
from operators.spine.label_statistics import mapped
from operators.spine.quality.evidence import Evidence

CORPUS, CANAL, CORD, DISC = Structure.CORPUS, Structure.CANAL, Structure.CORD, Structure.DISC


@dataclass(frozen=True, slots=True)
class Result:
    """Final masks and their image, all [R, I, P] on one grid."""

    semantic: LabelMap
    instances: LabelMap
    volume: Volume

    @property
    def parts(self) -> np.ndarray:
        """Copy of the structures."""
        return self.semantic.labels_zyx.copy()

    @property
    def numbers(self) -> np.ndarray:
        """Copy of the instances."""
        return self.instances.labels_zyx.astype(np.uint16)

    @property
    def column(self) -> tuple[int, ...]:
        """Vertebrae whose bodies are seen whole, head to foot; C1 and C2 are left alone."""
        bodies = Evidence.of(self.semantic, self.instances).bodies
        return tuple(body.number for body in bodies if not body.is_cut and body.number > 2)

    def body(self, number: int) -> np.ndarray:
        """Mask of one body."""
        return (self.semantic.labels_zyx == CORPUS) & (self.instances.labels_zyx == number)

    def with_masks(self, parts: np.ndarray, numbers: np.ndarray) -> Result:
        """Other masks under the same image."""
        return replace(
            self,
            semantic=self.semantic.with_labels(parts),
            instances=self.instances.with_labels(numbers),
        )

    def with_voxels(self, voxels: np.ndarray) -> Result:
        """Another image under the same masks."""
        return replace(self, volume=self.volume.with_voxels(voxels.astype(np.float32)))


Spoiler = Callable[[Result, np.random.Generator], Result | None]


def _inner(result: Result, rng: np.random.Generator, last: int = 1) -> tuple[int, ...]:
    """A vertebra that has neighbours on both sides, and the ``last`` ones below it."""
    column = result.column
    if len(column) < 3 + last:
        return ()
    place = int(rng.integers(1, len(column) - last))
    return column[place : place + last + 1]


def _renumbered(numbers: np.ndarray) -> np.ndarray:
    """Vertebrae numbered one after the other, as post-processing leaves them."""
    present = vertebrae_among(np.unique(numbers).tolist())
    new = dict(zip(present, range(present[0], present[0] + len(present)), strict=True))
    table = {offset + n: offset + m for n, m in new.items() for offset in (0, 100, 200)}
    kept = {int(n): int(n) for n in np.unique(numbers) if n}
    return mapped(numbers, kept | {n: m for n, m in table.items() if n in kept})


def removed(result: Result, rng: np.random.Generator, *, joints: bool = False) -> Result | None:
    """Lose a vertebra, with its discs or without."""
    chosen = _inner(result, rng)
    if not chosen:
        return None
    parts, numbers = result.parts, result.numbers
    gone = numbers == chosen[0]
    if joints:
        above = result.column[result.column.index(chosen[0]) - 1]
        gone |= np.isin(numbers, [100 + chosen[0], 200 + chosen[0], 100 + above, 200 + above])
    parts[gone], numbers[gone] = 0, 0
    return result.with_masks(parts, _renumbered(numbers))


def merged(result: Result, rng: np.random.Generator, *, disc_kept: bool) -> Result | None:
    """Give two neighbours one number; the joint between them stays, or becomes bone."""
    chosen = _inner(result, rng)
    if not chosen:
        return None
    upper, lower = chosen
    parts, numbers = result.parts, result.numbers
    if not disc_kept:
        joint = np.isin(numbers, (100 + upper, 200 + upper))
        parts[joint], numbers[joint] = CORPUS, upper
    numbers[numbers == lower] = upper
    return result.with_masks(parts, _renumbered(numbers))


def divided(result: Result, rng: np.random.Generator) -> Result | None:
    """Give the upper and the lower half of a vertebra two numbers."""
    chosen = _inner(result, rng)
    if not chosen:
        return None
    numbers = result.numbers
    rows = np.flatnonzero(result.body(chosen[0]).any(axis=(0, 2)))
    shift = {n: n + 1 for n in result.column if n > chosen[0]}
    table = {int(n): int(n) for n in np.unique(numbers) if n}
    for offset in (0, 100, 200):
        table |= {offset + n: offset + m for n, m in shift.items() if offset + n in table}
    moved = mapped(numbers, table)
    lower = numbers == chosen[0]
    lower[:, : int(rows[0] + rng.uniform(0.4, 0.6) * len(rows))] = False
    moved[lower] = chosen[0] + 1
    return result.with_masks(result.parts, moved)


def shuffled(result: Result, rng: np.random.Generator) -> Result | None:
    """Exchange the numbers of two neighbours."""
    chosen = _inner(result, rng)
    if not chosen:
        return None
    table = {int(n): int(n) for n in np.unique(result.numbers) if n}
    table |= {chosen[0]: chosen[1], chosen[1]: chosen[0]}
    return result.with_masks(result.parts, mapped(result.numbers, table))


def two_bones(result: Result, rng: np.random.Generator) -> Result | None:
    """Let a vertebra have the number of the one after its neighbour."""
    chosen = _inner(result, rng, 2)
    if not chosen:
        return None
    numbers = result.numbers
    numbers[numbers == chosen[2]] = chosen[0]
    return result.with_masks(result.parts, _renumbered(numbers))


def without_disc(result: Result, rng: np.random.Generator, *, fused: bool) -> Result | None:
    """Lose the disc below a vertebra to nothing, or to its bone."""
    chosen = _inner(result, rng)
    if not chosen:
        return None
    parts, numbers = result.parts, result.numbers
    joint = np.isin(numbers, (100 + chosen[0], 200 + chosen[0]))
    if not joint.any():
        return None
    parts[joint], numbers[joint] = (CORPUS, chosen[0]) if fused else (0, 0)
    return result.with_masks(parts, numbers)


def half_body(result: Result, rng: np.random.Generator) -> Result | None:
    """Lose the lower half of a body."""
    chosen = _inner(result, rng)
    if not chosen:
        return None
    parts, numbers = result.parts, result.numbers
    gone = result.body(chosen[0])
    rows = np.flatnonzero(gone.any(axis=(0, 2)))
    gone[:, : int(rows[0] + 0.5 * len(rows))] = False
    parts[gone], numbers[gone] = 0, 0
    return result.with_masks(parts, numbers)


def sides_swapped(result: Result, _rng: np.random.Generator) -> Result | None:
    """Call left what is right."""
    parts = result.parts
    table = {int(n): int(n) for n in np.unique(parts) if n}
    table |= {a: b for pair in LEFT_RIGHT_PAIRS for a, b in (pair, pair[::-1])}
    return result.with_masks(mapped(parts, table).astype(parts.dtype), result.numbers)


def shifted(result: Result, rng: np.random.Generator) -> Result:
    """Move the masks by 6 to 12 mm in the plane of the slices."""
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(6.0, 12.0)
    _, row, column = result.semantic.spacing_zyx_mm
    step = (round(length * np.sin(angle) / row), round(length * np.cos(angle) / column))
    return result.with_masks(
        *(np.roll(labels, step, (1, 2)) for labels in (result.parts, result.numbers))
    )


def shrunk(result: Result, rng: np.random.Generator) -> Result:
    """Wear every structure off by about 2.5 mm all round in the plane."""
    parts, numbers = result.parts, result.numbers
    _, row, _ = result.semantic.spacing_zyx_mm
    rounds = max(round(rng.uniform(2.4, 3.2) / row), 1)
    cross = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], bool)
    kept = np.zeros(parts.shape, bool)
    for n in np.unique(numbers):
        kept |= binary_erosion((numbers == n) & (parts > 0), cross, rounds)
    return result.with_masks(np.where(kept, parts, 0), np.where(kept, numbers, 0))


def scaled(result: Result, factor: float) -> Result:
    """Believe in voxels of another size."""
    affine = result.semantic.affine_lps.copy()
    affine[:3] *= factor
    return Result(
        LabelMap(result.parts, affine),
        LabelMap(result.numbers, affine),
        Volume(result.volume.voxels_zyx, affine),
    )


def _cropped(result: Result, axis: int, kept: slice) -> Result:
    index = tuple(kept if a == axis else slice(None) for a in range(3))
    affine = result.semantic.affine_lps.copy()
    affine[:3, 3] += affine[:3, axis] * (kept.start or 0)
    return Result(
        LabelMap(result.parts[index], affine),
        LabelMap(result.numbers[index], affine),
        Volume(result.volume.voxels_zyx[index], affine),
    )


def cut_in_front(result: Result, rng: np.random.Generator) -> Result | None:
    """End the image within the bodies."""
    columns = np.flatnonzero((result.parts == CORPUS).any(axis=(0, 1)))
    middle = int(np.median(np.nonzero(result.parts == CORPUS)[2]))
    first = int(columns[0] + rng.uniform(0.6, 0.9) * (middle - columns[0]))
    return _cropped(result, 2, slice(first, None))


def cut_at_the_side(result: Result, rng: np.random.Generator) -> Result | None:
    """End the stack of slices at the middle of the canal."""
    middle = int(np.median(np.nonzero(np.isin(result.parts, (CANAL, CORD)))[0]))
    if rng.random() < 0.5:
        return _cropped(result, 0, slice(middle, None))
    return _cropped(result, 0, slice(0, middle + 1))


def without_canal(result: Result, rng: np.random.Generator) -> Result | None:
    """Lose the canal along half of the spine."""
    parts = result.parts
    tube = np.isin(parts, (CANAL, CORD))
    rows = np.flatnonzero(np.isin(parts, (CORPUS,)).any(axis=(0, 2)))
    half = int(rows[0] + 0.5 * len(rows))
    if rng.random() < 0.5:
        tube[:, :half] = False
    else:
        tube[:, half:] = False
    parts[tube] = 0
    return result.with_masks(parts, result.numbers)


def noisy(result: Result, rng: np.random.Generator) -> Result:
    """Add noise of 0.35 to 0.5 of the brightest tissue."""
    image = np.asarray(result.volume.voxels_zyx, np.float32)
    sd = rng.uniform(0.35, 0.5) * np.percentile(image, 99)
    real, imaginary = rng.normal(0, sd, (2, *image.shape))
    return result.with_voxels(np.hypot(image + real, imaginary))


def ghosted(result: Result, rng: np.random.Generator) -> Result:
    """Add a ghost of 0.25 to 0.45 along one axis."""
    image = np.asarray(result.volume.voxels_zyx, np.float32)
    axis = int(rng.integers(1, 3))
    shift = int(image.shape[axis] / rng.integers(2, 6))
    return result.with_voxels(image + rng.uniform(0.25, 0.45) * np.roll(image, shift, axis))


def inverted(result: Result, _rng: np.random.Generator) -> Result:
    """Show bright what is dark."""
    image = np.asarray(result.volume.voxels_zyx, np.float32)
    return result.with_voxels(np.maximum(np.percentile(image, 99.5) - image, 0))


def proton_density(result: Result, rng: np.random.Generator) -> Result:
    """Compress the contrast as a short echo does: fluid little brighter than marrow."""
    image = np.asarray(result.volume.voxels_zyx, np.float32)
    return result.with_voxels(np.maximum(image, 0) ** rng.uniform(0.05, 0.2))


def signal_lost(result: Result, rng: np.random.Generator) -> Result | None:
    """Let a metal artefact of 30 to 45 mm blank part of the column."""
    chosen = _inner(result, rng)
    if not chosen:
        return None
    centre = np.argwhere(result.body(chosen[0])).mean(axis=0)
    index = np.stack(np.indices(result.parts.shape, sparse=False), axis=-1) - centre
    far = np.linalg.norm(index * np.array(result.semantic.spacing_zyx_mm), axis=-1)
    image = np.asarray(result.volume.voxels_zyx, np.float32)
    return result.with_voxels(np.where(far < rng.uniform(15.0, 22.5), 0.02 * image, image))


MASK_SPOILERS: dict[str, Spoiler] = {
    "vertebra lost": removed,
    "vertebra lost with its discs": lambda r, g: removed(r, g, joints=True),
    "two vertebrae merged, disc kept": lambda r, g: merged(r, g, disc_kept=True),
    "two vertebrae merged, disc lost": lambda r, g: merged(r, g, disc_kept=False),
    "vertebra divided": divided,
    "numbers exchanged": shuffled,
    "one number on two bones": two_bones,
    "disc lost": lambda r, g: without_disc(r, g, fused=False),
    "disc called bone": lambda r, g: without_disc(r, g, fused=True),
    "half of a body lost": half_body,
    "left and right exchanged": sides_swapped,
    "masks shrunk": shrunk,
    "half the size": lambda r, _: scaled(r, 0.5),
    "twice the size": lambda r, _: scaled(r, 2.0),
    "cut in front": cut_in_front,
    "cut at the side": cut_at_the_side,
    "half of the canal lost": without_canal,
}
"""Kinds that the masks alone show."""

IMAGE_SPOILERS: dict[str, Spoiler] = {
    "masks shifted": shifted,
    "noise": noisy,
    "ghost": ghosted,
    "brightness inverted": inverted,
    "proton density": proton_density,
    "signal lost about metal": signal_lost,
}
"""Kinds that show in the image under the masks."""
