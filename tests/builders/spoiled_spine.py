"""Synthetic lumbar spines whose true label maps are spoiled at the lower end on purpose.

What networks get wrong there: a part of S1 that is called a vertebra, a lowest vertebra with two
numbers, one that has lost its disc, its arch or its sacrum, or that the image cuts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from app.research.synthetic.acquisition import Scanner
from app.research.synthetic.phantom import PhantomSettings, generate
from operators.anatomy.labels import POSTERIOR_ELEMENTS, VERTEBRA_PARTS, Structure

PIECE = 60
"""Number of the instance that is none."""
LUMBAR = PhantomSettings(
    region_odds=(0, 0, 0.6, 0.4), no_spine=0.0, weightings=("t2",), scanner=Scanner(sub_slices=1)
)
LEAST_MM3 = 250.0

BODY, SACRUM, DISC = Structure.CORPUS, Structure.SACRUM, Structure.DISC


@dataclass(frozen=True, slots=True)
class Spine:
    """True parts and vertebrae [R, I, P] of one case and what the spoiling needs to know."""

    parts: np.ndarray
    vertebrae: np.ndarray
    discs: np.ndarray
    affine: np.ndarray
    spacing: np.ndarray
    column: tuple[int, ...]

    def body(self, place: int) -> np.ndarray:
        """Body of the vertebra at a place of the column, -1 = lowest."""
        return (self.parts == BODY) & (self.vertebrae == self.column[place])

    def arch(self, place: int) -> np.ndarray:
        """Posterior elements of one vertebra."""
        own = self.vertebrae == self.column[place]
        return np.isin(self.parts, POSTERIOR_ELEMENTS) & own

    def joint_below(self, place: int) -> np.ndarray:
        """Disc below a vertebra with its endplates."""
        return np.isin(self.discs, (100 + self.column[place], 200 + self.column[place]))

    def mm3(self, mask: np.ndarray) -> float:
        """Volume."""
        return float(np.count_nonzero(mask) * self.spacing.prod())


@dataclass(frozen=True, slots=True)
class Spoiled:
    """One case: what phase 1 and 2 are made to answer."""

    parts: np.ndarray
    vertebrae: np.ndarray
    piece: np.ndarray
    spine: Spine


def spine_of(seed: int, rng: np.random.Generator) -> Spine | None:
    """Draw a spine with at least three bodies; None where the field shows fewer."""
    case = generate(seed, LUMBAR)
    parts, numbers = case.semantic.labels_zyx, case.instances.labels_zyx.astype(np.uint16)
    affine = case.semantic.affine_lps.copy()
    if rng.random() < 0.5:
        canal = np.flatnonzero((parts == Structure.CANAL).any(axis=(1, 2)))
        middle = int(canal.mean()) if canal.size else len(parts) // 2
        first = max(0, middle - int(rng.integers(2, 5)))
        cut = slice(first, first + int(rng.integers(4, 9)))
        parts, numbers = parts[cut], numbers[cut]
    vertebrae = np.where(np.isin(parts, VERTEBRA_PARTS), numbers, 0)
    is_body = parts == BODY
    found = [int(n) for n in np.unique(vertebrae[is_body]) if n]
    height = {n: np.argwhere(is_body & (vertebrae == n))[:, 1].mean() for n in found}
    column = tuple(sorted(found, key=lambda n: height[n]))
    spacing = np.array(case.semantic.spacing_zyx_mm)
    spine = Spine(parts, vertebrae, numbers, affine, spacing, column)
    least = [spine.mm3(spine.body(n)) for n in range(-min(3, len(column)), 0)]
    return spine if len(column) > 2 and min(least) > LEAST_MM3 else None


def _axes(spine: Spine, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre (mm), downward normal and the two transverse axes of a flat part."""
    mm = np.argwhere(mask) * spine.spacing
    down = np.linalg.eigh(np.cov(mm.T))[1][:, 0]
    down = down * np.sign(down[1])
    side = np.array([1.0, 0.0, 0.0]) - down[0] * down
    side /= np.linalg.norm(side)
    return mm.mean(axis=0), down, np.stack([side, np.cross(down, side)])


def _bumpy(rng: np.random.Generator, flat: np.ndarray, mm: float) -> np.ndarray:
    """A wave of this height over two transverse coordinates."""
    phase, length = rng.uniform(0, 2 * np.pi, 2), rng.uniform(12, 30, 2)
    return mm * np.sin(flat * (2 * np.pi / length) + phase).mean(axis=1)


def _part_of_s1(
    spine: Spine, rng: np.random.Generator, thickness_mm: float, *, remnant: bool
) -> Spoiled | None:
    """Call the upper part of S1's body a vertebra; a gap below it in some, a disc in others."""
    joint = spine.discs == 100 + spine.column[-1]
    if np.count_nonzero(joint) < 30:
        return None
    centre, down, across = _axes(spine, joint)
    extent = np.percentile(np.abs((np.argwhere(joint) * spine.spacing - centre) @ across.T), 97, 0)
    at = np.argwhere(spine.parts == SACRUM)
    mm = at * spine.spacing - centre
    depth, flat = mm @ down, mm @ across.T
    inside = ((flat / (extent * rng.uniform(0.85, 1.1))) ** 2).sum(axis=1) < 1
    if not inside.any():
        return None
    depth = depth - np.percentile(depth[inside & (depth > 0)], 1) if (depth > 0).any() else depth
    tilt = np.tan(np.radians(rng.normal(0, 8, 2)))
    depth = depth + flat @ tilt + _bumpy(rng, flat, rng.uniform(0, 1.5))
    gap = rng.uniform(1, 6) if rng.random() < 0.5 else 0.0
    parts, vertebrae = spine.parts.copy(), spine.vertebrae.copy()
    piece = np.zeros(parts.shape, bool)
    piece[tuple(at[inside & (depth < thickness_mm)].T)] = True
    below = inside & (depth >= thickness_mm) & (depth < thickness_mm + (gap or 3.0))
    if gap and not remnant:
        parts[tuple(at[below].T)] = 0
    if remnant:
        core = ((flat / (extent * rng.uniform(0.4, 0.7))) ** 2).sum(axis=1) < 1
        parts[tuple(at[below & core].T)] = DISC
    parts[piece], vertebrae[piece] = BODY, PIECE
    if rng.random() < 0.3:  # a scrap of the sacral crest is called its arch
        side, back = flat.T
        crest = (np.abs(side) < 6) & (back * np.sign(across[1, 2]) > extent[1] + 15)
        crest &= np.abs(depth - rng.uniform(-10, 10)) < rng.uniform(1, 4)
        scrap = tuple(at[crest].T)
        parts[scrap], vertebrae[scrap] = Structure.ARCUS, PIECE
    left = spine.mm3(parts == SACRUM) > 1000 and spine.mm3(piece) > LEAST_MM3
    return Spoiled(parts, vertebrae, piece, spine) if left else None


def _without_disc(spine: Spine, rng: np.random.Generator, place: int = -1) -> Spoiled | None:
    """Let the joint below a vertebra become bone: half of it each neighbour's."""
    del rng
    joint = spine.joint_below(place)
    if not joint.any() or (place == -1 and not (spine.parts == SACRUM).any()):
        return None
    centre, down, _ = _axes(spine, joint)
    parts, vertebrae = spine.parts.copy(), spine.vertebrae.copy()
    at = np.argwhere(joint)
    is_upper = (at * spine.spacing - centre) @ down < 0
    upper, lower = tuple(at[is_upper].T), tuple(at[~is_upper].T)
    parts[upper], vertebrae[upper] = BODY, spine.column[place]
    parts[lower] = SACRUM if place == -1 else BODY
    vertebrae[lower] = 0 if place == -1 else spine.column[place + 1]
    return Spoiled(parts, vertebrae, spine.body(-1), spine)


def _unspoiled(spine: Spine, rng: np.random.Generator) -> Spoiled | None:
    del rng
    has_sacrum = (spine.parts == SACRUM).any()
    return Spoiled(spine.parts, spine.vertebrae, spine.body(-1), spine) if has_sacrum else None


def _disc_lost(spine: Spine, rng: np.random.Generator) -> Spoiled | None:
    """Leave the lowest joint without any label."""
    case = _unspoiled(spine, rng)
    return case and replace(case, parts=np.where(spine.joint_below(-1), 0, spine.parts))


def _no_joint(spine: Spine, rng: np.random.Generator) -> Spoiled | None:
    return _without_disc(spine, rng) if rng.random() < 0.5 else _disc_lost(spine, rng)


def _arch_worn(spine: Spine, rng: np.random.Generator) -> Spoiled | None:
    """No disc, and a random share of the arch is missing or called sacrum."""
    case = _no_joint(spine, rng)
    if case is None:
        return None
    at = np.argwhere(spine.arch(-1))
    along = at @ rng.normal(0, 1, 3) if len(at) else np.zeros(0)
    gone = tuple(at[along >= np.quantile(along, rng.uniform(0, 1))].T) if len(at) else ()
    parts, vertebrae = case.parts.copy(), case.vertebrae.copy()
    if gone:
        parts[gone], vertebrae[gone] = rng.choice([0, int(SACRUM)]), 0
    return replace(case, parts=parts, vertebrae=vertebrae)


def _arch_of_next(spine: Spine, rng: np.random.Generator) -> Spoiled | None:
    """No disc, and the arch has the number of the vertebra above."""
    case = _no_joint(spine, rng)
    arch = spine.arch(-1)
    return case and replace(case, vertebrae=np.where(arch, spine.column[-2], case.vertebrae))


def _no_arch(spine: Spine, rng: np.random.Generator) -> Spoiled | None:
    """No disc, and nothing of the arch is found."""
    case = _no_joint(spine, rng)
    return case and replace(case, parts=np.where(spine.arch(-1), 0, case.parts))


def _sacrum_rises(spine: Spine, rng: np.random.Generator) -> Spoiled | None:
    """No disc, and the sacrum takes up to two fifths of the body's height."""
    case = _without_disc(spine, rng)
    if case is None:
        return None
    at = np.argwhere(spine.body(-1))
    _, down, _ = _axes(spine, spine.joint_below(-1))
    depth = at * spine.spacing @ down
    low, high = np.percentile(depth, [2, 98])
    taken = tuple(at[depth > high - rng.uniform(0, 0.4) * (high - low)].T)
    parts, vertebrae = case.parts.copy(), case.vertebrae.copy()
    parts[taken], vertebrae[taken] = SACRUM, 0
    return replace(case, parts=parts, vertebrae=vertebrae)


def _cut_below(spine: Spine, rng: np.random.Generator) -> Spoiled | None:
    """End the image within the lowest body."""
    rows = np.flatnonzero(spine.body(-1).any(axis=(0, 2)))
    end = int(rows[0] + rng.uniform(0.2, 0.95) * len(rows)) + 1
    arrays = (spine.parts, spine.vertebrae, spine.discs)
    parts, vertebrae, discs = (array[:, :end] for array in arrays)
    cut = replace(spine, parts=parts, vertebrae=vertebrae, discs=discs)
    return Spoiled(parts, vertebrae, cut.body(-1), cut)


def _pair_cut_below(spine: Spine, rng: np.random.Generator) -> Spoiled | None:
    """End the image within the lowest body, with no disc above it."""
    case = _without_disc(spine, rng, -2)
    if case is None:
        return None
    fused = replace(spine, parts=case.parts, vertebrae=case.vertebrae)
    return _cut_below(fused, rng)


def _no_sacrum(spine: Spine, rng: np.random.Generator) -> Spoiled | None:
    """Say nothing about the sacrum and, in some, nothing about the disc."""
    parts = np.where(spine.parts == SACRUM, 0, spine.parts)
    if rng.random() < 0.5:
        parts = np.where(spine.joint_below(-1), 0, parts)
    return Spoiled(parts, spine.vertebrae, spine.body(-1), spine)


def _split(spine: Spine, rng: np.random.Generator, most_degrees: float) -> Spoiled | None:
    """Give the lowest vertebra two numbers, divided by a plane through its body."""
    at = np.argwhere(spine.vertebrae == spine.column[-1])
    body, above = (np.argwhere(spine.body(n)) * spine.spacing for n in (-1, -2))
    down = body.mean(axis=0) - above.mean(axis=0)
    down /= np.linalg.norm(down)
    tilt = np.radians(rng.uniform(0, most_degrees))
    aside = np.cross(down, rng.normal(0, 1, 3))
    normal = np.cos(tilt) * down + np.sin(tilt) * aside / np.linalg.norm(aside)
    plane = np.quantile(body @ normal, rng.uniform(0.3, 0.7))
    lower = tuple(at[at * spine.spacing @ normal > plane].T)
    vertebrae = spine.vertebrae.copy()
    vertebrae[lower] = PIECE
    piece = spine.body(-1) & (vertebrae == PIECE)
    return Spoiled(spine.parts, vertebrae, piece, spine)


def _front_called_sacrum(spine: Spine, rng: np.random.Generator) -> Spoiled | None:
    """Call the front of the lowest body sacrum, as phase 1 does with a wedged or slipped L5."""
    if not (spine.parts == SACRUM).any() or not spine.joint_below(-1).any():
        return None
    at = np.argwhere(spine.body(-1))
    tilt = np.radians(rng.normal(0, 25))
    backwards = at * spine.spacing @ [0.0, np.sin(tilt), np.cos(tilt)]
    taken = tuple(at[backwards < np.quantile(backwards, rng.uniform(0.15, 0.55))].T)
    parts, vertebrae = spine.parts.copy(), spine.vertebrae.copy()
    parts[taken], vertebrae[taken] = SACRUM, 0
    piece = np.zeros(parts.shape, bool)
    piece[taken] = True
    return Spoiled(parts, vertebrae, piece, spine)


def _s1(low: float, high: float, *, remnant: bool = False) -> Spoiler:
    return lambda spine, rng: _part_of_s1(spine, rng, rng.uniform(low, high), remnant=remnant)


Spoiler = Callable[[Spine, np.random.Generator], Spoiled | None]
TO_SACRUM, TO_VERTEBRA, KEPT = "sacrum", "one vertebra", "kept"
KINDS: dict[str, tuple[str, Spoiler]] = {
    "S1 part of 4-8 mm": (TO_SACRUM, _s1(4, 8)),
    "S1 part of 8-12 mm": (TO_SACRUM, _s1(8, 12)),
    "S1 part of 12-16 mm": (TO_SACRUM, _s1(12, 16)),
    "S1 part of 16-20 mm": (TO_SACRUM, _s1(16, 20)),
    "S1 part, disc S1/S2 below": (TO_SACRUM, _s1(8, 20, remnant=True)),
    "L5 split across": (TO_VERTEBRA, lambda s, r: _split(s, r, 25)),
    "L5 split, any plane": (TO_VERTEBRA, lambda s, r: _split(s, r, 90)),
    "lowest, nothing spoiled": (KEPT, _unspoiled),
    "lowest, disc erased": (KEPT, _without_disc),
    "lowest, disc unlabelled": (KEPT, _disc_lost),
    "lowest, no disc, arch worn": (KEPT, _arch_worn),
    "lowest, no disc, arch to next": (KEPT, _arch_of_next),
    "lowest, no disc, no arch": (KEPT, _no_arch),
    "lowest, sacrum rises into it": (KEPT, _sacrum_rises),
    "lowest, cut by the image": (KEPT, _cut_below),
    "lowest, no sacrum": (KEPT, _no_sacrum),
    "two lowest without disc": (KEPT, lambda s, r: _without_disc(s, r, -2)),
    "two lowest, cut by the image": (KEPT, _pair_cut_below),
    "front of L5 called sacrum": (TO_VERTEBRA, _front_called_sacrum),
}


def cases_of(seed: int) -> Iterator[tuple[str, Spoiled]]:
    """One spine, spoiled in every way that it allows."""
    rng = np.random.default_rng(seed)
    spine = spine_of(seed, rng)
    if spine is None:
        return
    for kind, (_, spoiler) in KINDS.items():
        case = spoiler(spine, rng)
        if case is not None:
            yield kind, case
