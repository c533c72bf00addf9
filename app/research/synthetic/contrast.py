"""Brightness of the tissues: one random draw per rendering, in units of bright CSF.

``t2`` covers the spread of T2w protocols; ``t1`` and ``stir`` are only for series that a study
contains besides the T2w one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Weighting = Literal["t2", "t2_plain", "t1", "stir"]

_FIXED: dict[str, dict[str, tuple[float, float]]] = {
    "t2_plain": {
        "csf": (0.92, 0.98),
        "cord": (0.38, 0.42),
        "marrow": (0.34, 0.40),
        "fat": (0.66, 0.72),
        "muscle": (0.10, 0.14),
        "nucleus": (0.55, 0.65),
        "vessel": (0.02, 0.08),
        "posterior": (0.85, 0.95),
    },
    "t1": {
        "csf": (0.18, 0.24),
        "cord": (0.36, 0.42),
        "marrow": (0.50, 0.58),
        "fat": (0.9, 1.0),
        "muscle": (0.30, 0.36),
        "nucleus": (0.28, 0.34),
        "vessel": (0.02, 0.08),
        "posterior": (0.9, 1.0),
    },
    "stir": {
        "csf": (0.95, 1.0),
        "cord": (0.40, 0.46),
        "marrow": (0.10, 0.14),
        "fat": (0.05, 0.09),
        "muscle": (0.18, 0.24),
        "nucleus": (0.50, 0.60),
        "vessel": (0.3, 0.5),
        "posterior": (0.9, 1.0),
    },
}


@dataclass(frozen=True, slots=True)
class Contrast:
    """Brightness per tissue, one number per rendering.

    Attributes
    ----------
    values : dict of str to (N,) float32 ndarray
        Tissue name to brightness.
    """

    values: dict[str, NDArray[np.float32]]

    def __getitem__(self, tissue: str) -> NDArray[np.float32]:
        """Brightness of one tissue, shape (N,)."""
        return self.values[tissue]

    @property
    def count(self) -> int:
        """Number of renderings."""
        return len(self.values["csf"])


def _t2(rng: np.random.Generator) -> dict[str, float]:
    csf = rng.uniform(0.75, 1.05)
    tissue = {
        "csf": csf,
        "cord": csf * rng.uniform(0.18, 0.55),
        "marrow": rng.uniform(0.10, 0.22) if rng.random() < 0.3 else rng.uniform(0.10, 0.55),
        "posterior": rng.uniform(0.65, 1.2),
        "fat": rng.uniform(0.35, 1.0),
        "muscle": rng.uniform(0.04, 0.22),
        "nucleus": rng.uniform(0.25, 0.9),
        "vessel": rng.uniform(0, 0.1) if rng.random() < 0.75 else rng.uniform(0.2, 0.9),
    }
    kind = rng.random()
    if kind < 0.15:  # fat-suppressed
        tissue.update(fat=rng.uniform(0.04, 0.25), marrow=rng.uniform(0.05, 0.25))
    elif kind < 0.27:  # anything goes
        wild = {name: rng.uniform(0.03, 0.9) for name in ("marrow", "muscle", "nucleus", "fat")}
        tissue.update(wild, cord=rng.uniform(0.1, 0.8))
    return tissue


def draw_contrast(rng: np.random.Generator, weighting: Weighting, count: int) -> Contrast:
    """Draw the brightness of every tissue for ``count`` renderings.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    weighting : {"t2", "t2_plain", "t1", "stir"}
        Spread of T2w protocols, one plain T2w, T1w or STIR.
    count : int
        Number of renderings.

    Returns
    -------
    Contrast
        ``posterior`` is relative to ``marrow``, everything else absolute.
    """
    draws = []
    for _ in range(count):
        if weighting == "t2":
            tissue = _t2(rng)
        else:
            tissue = {name: rng.uniform(*span) for name, span in _FIXED[weighting].items()}
        tissue.update(
            cortex=rng.uniform(0, 0.06),
            ligament=rng.uniform(0.01, 0.1),
            annulus=rng.uniform(0.02, 0.15),
            air=rng.uniform(0, 0.015),
        )
        draws.append(tissue)
    return Contrast(
        {name: np.array([d[name] for d in draws], dtype=np.float32) for name in draws[0]}
    )
