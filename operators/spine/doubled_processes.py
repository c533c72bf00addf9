"""Spinous processes that phase 2 gave to the vertebra below, beside its own.

Where a stack is so narrow that no pedicle is in it, nothing joins an arch to its body. Phase 2 then
may give a vertebra two spinous processes, its own and that of the vertebra above, and often does so
with several vertebrae in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import Structure
from operators.imaging.components import components
from operators.spine.column import Column
from operators.spine.label_statistics import is_one_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from operators.spine.thresholds import Spacing

_LAMINAR: Final = (
    Structure.ARCUS,
    Structure.SPINOUS_PROCESS,
    Structure.INFERIOR_ARTICULAR_LEFT,
    Structure.INFERIOR_ARTICULAR_RIGHT,
)
"""What lies beside and below a body. Superior articular processes lie above it, as they should."""

HIGH: Final = 0.35
"""How far above the centre of its body a spinous process lies that is not its own, of the distance
to the next body up. Of 1,000 pieces of true ones in 24 synthetic spines, whole and in stacks of
15 mm, a hundredth lies further above it than 0.25."""

LEAST_STEP: Final = 0.5
"""How far such a piece lies above the vertebra's own process, of the same distance."""

LEAST_MM3: Final = 100.0
"""Of spinous process in a piece that is given back."""

LEAST_OWN_MM3: Final = 300.0
"""Of spinous process in the piece that stays (`operators.spine.posterior_order.LEAST_MM3`)."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Connected laminar parts of one vertebra.

    Attributes
    ----------
    places : (N, 3) ndarray of int
        Its voxels.
    height : float
        Of its centre over that of the body, of the distance to the next body up.
    spinous_mm3, spinous_height : float
        Of its spinous process alone; the latter is minus infinity where there is none.
    """

    places: NDArray[np.intp]
    height: float
    spinous_mm3: float
    spinous_height: float

    def is_of_the_next_one_up(self, others: list[_Piece]) -> bool:
        """Tell whether its spinous process is one too many and lies too high."""
        return (
            self.spinous_mm3 >= LEAST_MM3
            and HIGH < self.spinous_height < 1 + HIGH
            and any(
                other.spinous_mm3 >= LEAST_OWN_MM3
                and self.spinous_height - other.spinous_height >= LEAST_STEP
                for other in others
            )
        )


def give_back_processes(
    parts: NDArray[np.unsignedinteger],
    vertebrae: NDArray[np.unsignedinteger],
    spacing_zyx_mm: Spacing,
) -> tuple[str, ...]:
    """Give a vertebra's spinous process back that the next one down has beside its own.

    Pieces of its arch and of its inferior articular processes that lie as high go with it. From
    the lowest pair up, because what a vertebra gets back may be what makes its own second process
    one too many.

    Parameters
    ----------
    parts, vertebrae : (R, I, P) ndarray
        The latter is changed.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.

    Returns
    -------
    tuple of str
        ``spinous_processes_given_back: n`` where there were any; n is how many vertebrae gave
        something back.
    """
    column = Column.of(parts, vertebrae, spacing_zyx_mm)
    laminar = np.argwhere(is_one_of(parts, _LAMINAR))
    given_back = 0
    for above, below in reversed([*pairwise(column.centres_mm)]):
        owners = vertebrae[tuple(laminar.T)]
        pieces = [*_pieces(laminar[owners == below], column, (above, below))]
        wrong = [piece for piece in pieces if piece.is_of_the_next_one_up(pieces)]
        if not wrong:
            continue
        wrong += [
            piece for piece in pieces if piece.spinous_mm3 < LEAST_MM3 and piece.height > HIGH
        ]
        for piece in wrong:
            vertebrae[tuple(piece.places.T)] = above
        given_back += 1
    return (f"spinous_processes_given_back: {given_back}",) if given_back else ()


def _pieces(places: NDArray[np.intp], column: Column, pair: tuple[int, int]) -> Iterator[_Piece]:
    """Part some voxels of the lower one of a pair into connected pieces."""
    above, below = pair
    if not len(places) or column.distance(above, below) == 0:
        return
    spacing = np.asarray(column.spacing_zyx_mm)
    upwards = -column.direction(above, below) / column.distance(above, below)

    def height_of(voxels: NDArray[np.intp]) -> float:
        if not len(voxels):
            return -np.inf
        return float((voxels.mean(axis=0) * spacing - column.centres_mm[below]) @ upwards)

    corner = places.min(axis=0)
    dense = np.zeros(places.max(axis=0) - corner + 1, np.bool_)
    dense[tuple((places - corner).T)] = True
    number = components(dense, 26).labels_zyx[tuple((places - corner).T)]
    is_spinous = column.parts[tuple(places.T)] == Structure.SPINOUS_PROCESS
    for piece in range(1, int(number.max()) + 1):
        mine = number == piece
        spinous = places[mine & is_spinous]
        volume = len(spinous) * float(np.prod(spacing))
        yield _Piece(places[mine], height_of(places[mine]), volume, height_of(spinous))
