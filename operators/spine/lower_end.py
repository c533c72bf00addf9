"""The lower end: a part of S1 called a vertebra joins the sacrum, a split lowest one becomes one.

Networks draw the border between the lowest vertebra and the sacrum where the spine changes least:
part of S1 gets a number of its own, or the lowest vertebra two. Shape and continuity decide here,
no level: a true vertebra has an arch of its own and a joint below it. Every condition has to hold,
so that a vertebra which has lost one of its marks (a fused or unseen disc, an arch outside of the
slab) keeps its number: a part of S1 too many is a lesser error than a vertebra too few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import POSTERIOR_ELEMENTS, Structure
from operators.imaging.components import components
from operators.spine.discs import ENDPLATES
from operators.spine.label_statistics import HEIGHT_AXIS, centres_of, from_the_top, is_one_of
from operators.spine.surroundings import Look, first_met

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from operators.spine.thresholds import Spacing

JOINT = (Structure.DISC, *ENDPLATES)

NEXT_MM = 4.0
"""What lies this close below a body counts as its neighbour: endplate and disc begin there, and
gaps between structures that the networks leave are up to three voxels wide."""

BEHIND_MM = 60.0
"""How far behind a body's front half its arch or the sacral crest may lie: 35 mm of body, 25 mm of
canal."""

MOST_BODY_SHARE = 0.8
MOST_ARCH_SHARE = 0.05
MOST_JOINT_BELOW = 0.4
MOST_BODY_ABOVE = 0.3
LEAST_SACRUM_BEHIND = 0.4
LEAST_SACRUM_LOWER_MM = 10.0

MOST_PIECE_SHARE = 0.7
PAIR_SHARE = (0.6, 1.5)
LEAST_CONTACT = 0.5
MOST_JOINT_BETWEEN = 0.1


@dataclass(frozen=True, slots=True)
class LowestBody:
    """What tells a vertebra from a part of the sacrum; shares of 1.

    Attributes
    ----------
    body_share : float
        Its body's volume beside that of the body above.
    arch_share : float
        Its posterior elements' volume beside that of the body above.
    joint_below, body_above : float
        Part of its lower surface that faces a disc or an endplate, and of its upper surface that
        faces another body, within `NEXT_MM`.
    sacrum_behind : float
        Part of its back surface behind which the sacrum is met before any arch.
    sacrum_lower_mm : float
        How far the sacrum goes on below its lowest row.
    """

    body_share: float
    arch_share: float
    joint_below: float
    body_above: float
    sacrum_behind: float
    sacrum_lower_mm: float

    @property
    def is_sacral(self) -> bool:
        """All conditions hold."""
        return (
            self.body_share <= MOST_BODY_SHARE
            and self.arch_share <= MOST_ARCH_SHARE
            and self.joint_below <= MOST_JOINT_BELOW
            and self.body_above <= MOST_BODY_ABOVE
            and self.sacrum_behind >= LEAST_SACRUM_BEHIND
            and self.sacrum_lower_mm >= LEAST_SACRUM_LOWER_MM
        )


@dataclass(frozen=True, slots=True)
class Column:
    """Bodies of a pair of maps.

    Attributes
    ----------
    parts, vertebrae : (R, I, P) ndarray
        On one grid.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.
    centres_mm : dict
        Vertebra number to the centre of its body, top to bottom.
    """

    parts: NDArray[np.unsignedinteger]
    vertebrae: NDArray[np.unsignedinteger]
    spacing_zyx_mm: Spacing
    centres_mm: dict[int, NDArray[np.float64]]

    @classmethod
    def of(
        cls,
        parts: NDArray[np.unsignedinteger],
        vertebrae: NDArray[np.unsignedinteger],
        spacing_zyx_mm: Spacing,
    ) -> Column:
        """Find the bodies."""
        centres = centres_of(np.where(parts == Structure.CORPUS, vertebrae, 0))
        scale = np.asarray(spacing_zyx_mm)
        ordered = {n: np.asarray(centres[n]) * scale for n in from_the_top(centres)}
        return cls(parts, vertebrae, spacing_zyx_mm, ordered)

    def body(self, number: int) -> NDArray[np.bool_]:
        """Voxels of one body."""
        return np.asarray((self.parts == Structure.CORPUS) & (self.vertebrae == number))

    def direction(self, start: int, end: int) -> NDArray[np.float64]:
        """Unit vector from one body to another."""
        way = self.centres_mm[end] - self.centres_mm[start]
        return np.asarray(way / np.linalg.norm(way))

    def faced(self, number: int, look: Look) -> NDArray[np.unsignedinteger]:
        """`first_met` from one body."""
        return first_met(self.parts, self.body(number), look, self.spacing_zyx_mm)


def _share(met: NDArray[np.unsignedinteger], labels: Sequence[int]) -> float:
    return float(is_one_of(met, labels).mean()) if met.size else 0.0


def measure_lowest(column: Column, sacrum_labels: Sequence[int]) -> LowestBody:
    """Measure the lowest of at least two bodies.

    Parameters
    ----------
    column : Column
        Of maps with a sacrum.
    sacrum_labels : sequence of int
        Semantic labels of the sacrum.
    """
    above, lowest = list(column.centres_mm)[-2:]
    own, other = column.body(lowest), column.body(above)
    arch = is_one_of(column.parts, POSTERIOR_ELEMENTS) & (column.vertebrae == lowest)
    size = np.count_nonzero(other)
    down = column.direction(above, lowest)
    back = np.array([0.0, -down[2], down[1]])  # across the column, in the sagittal plane
    back /= np.linalg.norm(back)
    below = column.faced(lowest, Look(down, NEXT_MM, (*JOINT, *sacrum_labels)))
    overhead = column.faced(lowest, Look(-down, NEXT_MM, (*JOINT, Structure.CORPUS)))
    behind = column.faced(lowest, Look(back, BEHIND_MM, (*POSTERIOR_ELEMENTS, *sacrum_labels)))
    is_sacrum = is_one_of(column.parts, sacrum_labels)
    last_rows = [np.flatnonzero(mask.any(axis=(0, 2)))[-1] for mask in (own, is_sacrum)]
    return LowestBody(
        body_share=np.count_nonzero(own) / size,
        arch_share=np.count_nonzero(arch) / size,
        joint_below=_share(below, JOINT),
        body_above=_share(overhead, (Structure.CORPUS,)),
        sacrum_behind=_share(behind, sacrum_labels),
        sacrum_lower_mm=float(last_rows[1] - last_rows[0]) * column.spacing_zyx_mm[HEIGHT_AXIS],
    )


def join_sacral_part(
    parts: NDArray[np.unsignedinteger],
    vertebrae: NDArray[np.unsignedinteger],
    spacing_zyx_mm: Spacing,
    sacrum_labels: Sequence[int] = (Structure.SACRUM,),
) -> tuple[str, ...]:
    """Make the lowest vertebra sacrum if it is a part of S1.

    What of discs and endplates lies below it is sacrum too, as between all sacral levels.

    Parameters
    ----------
    parts, vertebrae : (R, I, P) ndarray
        Both changed.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.
    sacrum_labels : sequence of int
        Semantic labels of the sacrum; the first is given.

    Returns
    -------
    tuple of str
        ``sacral_part_joined_to_sacrum: 1`` if it happened.
    """
    column = Column.of(parts, vertebrae, spacing_zyx_mm)
    if len(column.centres_mm) < 2 or not is_one_of(parts, sacrum_labels).any():  # noqa: PLR2004
        return ()
    if not measure_lowest(column, sacrum_labels).is_sacral:
        return ()
    above, lowest = list(column.centres_mm)[-2:]
    down, centre = column.direction(above, lowest), column.centres_mm[lowest]
    joints = components(is_one_of(parts, JOINT), 26)
    places_mm = joints.centres_zyx.reshape(-1, 3) * np.asarray(spacing_zyx_mm)
    is_lower = np.concatenate([[False], (places_mm - centre) @ down > 0])
    is_part = vertebrae == lowest
    parts[is_part | is_lower[joints.labels_zyx]] = sacrum_labels[0]
    vertebrae[is_part] = 0
    return ("sacral_part_joined_to_sacrum: 1",)


def join_split_lowest(
    parts: NDArray[np.unsignedinteger],
    vertebrae: NDArray[np.unsignedinteger],
    spacing_zyx_mm: Spacing,
) -> tuple[str, ...]:
    """Make the two lowest vertebrae one if they are pieces of one.

    Parameters
    ----------
    parts : (R, I, P) ndarray
        Read only.
    vertebrae : (R, I, P) ndarray
        Changed.
    spacing_zyx_mm : tuple of 3 floats
        Of the arrays.

    Returns
    -------
    tuple of str
        ``split_lowest_vertebra_joined: 1`` if it happened.
    """
    column = Column.of(parts, vertebrae, spacing_zyx_mm)
    if len(column.centres_mm) < 3:  # noqa: PLR2004  # a pair, and one to compare it with
        return ()
    model, upper, lower = list(column.centres_mm)[-3:]
    whole, *pieces = (np.count_nonzero(column.body(n)) for n in (model, upper, lower))
    least, most = PAIR_SHARE
    if max(pieces) > MOST_PIECE_SHARE * whole or not least * whole <= sum(pieces) <= most * whole:
        return ()
    look = Look(column.direction(upper, lower), NEXT_MM, (*JOINT, Structure.CORPUS))
    between = column.faced(upper, look)
    if _share(between, (Structure.CORPUS,)) < LEAST_CONTACT:
        return ()
    if _share(between, JOINT) > MOST_JOINT_BETWEEN:
        return ()
    vertebrae[vertebrae == lower] = upper
    return ("split_lowest_vertebra_joined: 1",)
