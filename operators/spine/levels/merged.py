"""One vertebra of the masks that is two: fused bones, or two that a network took for one.

It takes two places in the row of bones, else every name beyond it would be one too low or too high.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from operators.spine.levels.figures import is_tall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Figures = Sequence[Mapping[str, float]]

TWO_HIGH, TWO_DEEP = 1.6, 1.3
"""So many times as high as a neighbour, and as deep itself, is a body that is two (2.0 to 2.4, 1.5
to 2.7 times, as single ones 1.2 times at most; seeds from 970000). The first alone may be a healthy
one beside a collapsed one, the second one of which a side of the field leaves an edge."""

TWO_WITH_DENS: Final = 3.15
"""So many times as high as the next body is high, and is deep, is C2 with C3; 3.35 times and more,
C2 alone 2.3 to 3.06 times (the same seeds)."""

PIECE_SHARE: Final = 0.75
"""Of the depth of the body below: neighbours are as deep as each other to a tenth, the front arch
of C1 is half as deep as C2."""


def holds_two(figures: Figures, n: int) -> bool:
    """Say whether a vertebra of the masks is two: see this module.

    Parameters
    ----------
    figures : sequence of mapping of str to float
        Of the vertebrae, head to foot (`operators.spine.levels.figures.figures_of`).
    n : int
        Which of them.

    Returns
    -------
    bool
        Its body is so high as no single one is. C2's, with its dens, may be the first one or stand
        below a piece of C1 that is taken for a body: that has a limit of its own.
    """
    height, depth = (figures[n].get(name, -np.inf) for name in ("height", "depth"))
    if not _may_be_axis(figures, n):
        beside = (*figures[max(n - 1, 0) : n], *figures[n + 1 : n + 2])
        least = min((one["height"] for one in beside if "height" in one), default=np.inf)
        return bool(height > least + np.log(TWO_HIGH) and height > depth + np.log(TWO_DEEP))
    below = figures[n + 1] if n + 1 < len(figures) else {}
    most = max(below.get(name, np.inf) for name in ("height", "depth"))
    return bool(height > most + np.log(TWO_WITH_DENS))


def _may_be_axis(figures: Figures, n: int) -> bool:
    if n != 1:
        return n == 0
    above, own = figures[0], figures[1]
    is_body = above.get("depth", -np.inf) - own.get("depth", np.inf) > np.log(PIECE_SHARE)
    return not (is_body or is_tall(above))
