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
from operators.spine.column import Column
from operators.spine.discs import ENDPLATES
from operators.spine.label_statistics import HEIGHT_AXIS, is_one_of
from operators.spine.surroundings import Look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from operators.spine.thresholds import Spacing

JOINT = (Structure.DISC, *ENDPLATES)

NEXT_MM = 4.0
"""What lies this close to a body is its neighbour: the endplates of the bundled models are about
1 mm thick, and two or three of their voxels (1.25 mm) may stay unlabelled between structures."""

BEHIND_MM = 60.0
"""From the back of a body over the canal, at most 25 mm deep, to the tip of a spinous process."""

# The limits below were chosen on spoiled true maps of synthetic spines and proven on others
# (`tests.benchmarks.lower_end`); "as a rule" is 19 of 20 there. "Seen" are parts of S1 and true
# lowest vertebrae in answers of the bundled networks, and of an earlier pair, to real images.

MOST_ARCH_SHARE = 0.03
"""Parts of S1: 0.02 or less as a rule, a scrap of the sacral crest; seen: 0.01. True vertebrae: 0.2
or more as a rule; less where the arch lies outside of the image or went to a neighbour."""

LEAST_ARCH_IN_VIEW = 0.3
"""Seen: 0.38 or more. Less where the slab of a scoliotic spine passes beside the arches."""

MOST_BODY_SHARE = 0.8
"""Parts of S1 up to 16 mm thick: 0.81 or less; seen: 0.73. True ones: 0.56 or more as a rule."""

MOST_JOINT_BELOW = 0.4
"""Parts of S1: none, or a rudimentary disc S1/S2, 0.27 in the middle; seen: 0.33. True vertebrae:
seen 0.46 to 0.87, none where the disc is fused or not found."""

MOST_BODY_ABOVE = 0.3
"""The lower piece of a split body faces the upper one with 0.38 or more of its surface; a body
below a disc faces one with 0.21 or less."""

LEAST_SACRUM_BEHIND = 0.45
"""Parts of S1: 0.75 or more in three of four; seen: 0.48 to 1. True vertebrae: 0.43 or less as a
rule; seen: 0.02 to 0.66, the highest where the sacrum lies flat."""

LEAST_SACRUM_LOWER_MM = 5.0
"""Less where the image ends within the vertebra, so that its joint and arch may lie outside."""

LEAST_SACRUM_HIGHER = 0.5
"""A body below more than half of the sacrum is a sacral or coccygeal one; seen: 1 for a coccyx, at
most 0.35 for parts of S1, 0.02 or less for true vertebrae."""

MOST_PIECE_SHARE = 0.85
"""The bigger piece, of the body above: 0.84 or less as a rule. Of two true neighbours without a
disc the bigger one has 0.94 or more as a rule."""

MOST_PAIR_SHARE = 1.35
"""Both pieces: 1.37 or less as a rule. True neighbours without a disc: 1.45 or more as a rule."""

MOST_PAIR_DISTANCE = 0.65
"""Distance of the two centres beside that from the upper one to the body above: 0.57 or less as a
rule for the pieces of one body, 0.69 or more for two bodies with a disc between them."""

LEAST_CONTACT = 0.5
"""Of the upper piece's surface towards the lower one: 0.6 or more as a rule; 0.21 or less where a
disc lies between."""


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
    sacrum_higher : float
        Part of the sacrum that lies above its highest row.
    arch_in_view : float
        Part of the next body's back surface behind which an arch is met: where the image shows
        none, none is missing.
    """

    body_share: float
    arch_share: float
    joint_below: float
    body_above: float
    sacrum_behind: float
    sacrum_lower_mm: float
    sacrum_higher: float
    arch_in_view: float

    @property
    def is_sacral(self) -> bool:
        """Without an arch, and beyond the sacrum or a part of its upper end."""
        is_beyond = self.sacrum_higher >= LEAST_SACRUM_HIGHER
        return self.arch_share <= MOST_ARCH_SHARE and (is_beyond or self._is_upper_end)

    @property
    def _is_upper_end(self) -> bool:
        return (
            self.body_share <= MOST_BODY_SHARE
            and self.joint_below <= MOST_JOINT_BELOW
            and self.body_above <= MOST_BODY_ABOVE
            and self.sacrum_behind >= LEAST_SACRUM_BEHIND
            and self.sacrum_lower_mm >= LEAST_SACRUM_LOWER_MM
            and self.arch_in_view >= LEAST_ARCH_IN_VIEW
        )


def backwards_of(down: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn a direction along the column into the one across it, in the sagittal plane."""
    flat = down[1:]
    length = float(np.linalg.norm(flat))
    if length == 0:  # two pieces side by side
        return np.array([0.0, 0.0, 1.0])
    return np.array([0.0, -flat[1] / length, flat[0] / length])


def _share(met: NDArray[np.unsignedinteger], labels: Sequence[int]) -> float:
    return float(is_one_of(met, labels).mean()) if met.size else 0.0


def joint_below(column: Column, sacrum_labels: Sequence[int]) -> float:
    """Part of the lowest body's lower surface that faces a disc or an end plate, 0 to 1."""
    above, lowest = list(column.centres_mm)[-2:]
    look = Look(column.direction(above, lowest), NEXT_MM, (*JOINT, *sacrum_labels))
    return _share(column.faced(column.body(lowest), look), JOINT)


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
    back = backwards_of(down)
    overhead = column.faced(own, Look(-down, NEXT_MM, (*JOINT, Structure.CORPUS)))
    backwards = Look(back, BEHIND_MM, (*POSTERIOR_ELEMENTS, *sacrum_labels))
    behind, behind_next = column.faced(own, backwards), column.faced(other, backwards)
    is_sacrum = is_one_of(column.parts, sacrum_labels)
    rows = np.flatnonzero(own.any(axis=(0, 2)))
    sacrum_rows = np.count_nonzero(is_sacrum, axis=(0, 2))
    step_mm = column.spacing_zyx_mm[HEIGHT_AXIS]
    return LowestBody(
        body_share=np.count_nonzero(own) / size,
        arch_share=np.count_nonzero(arch) / size,
        joint_below=joint_below(column, sacrum_labels),
        body_above=_share(overhead, (Structure.CORPUS,)),
        sacrum_behind=_share(behind, sacrum_labels),
        sacrum_lower_mm=float(np.flatnonzero(sacrum_rows)[-1] - rows[-1]) * step_mm,
        sacrum_higher=float(sacrum_rows[: rows[0]].sum() / sacrum_rows.sum()),
        arch_in_view=_share(behind_next, POSTERIOR_ELEMENTS),
    )


def join_sacral_part(
    parts: NDArray[np.unsignedinteger],
    vertebrae: NDArray[np.unsignedinteger],
    spacing_zyx_mm: Spacing,
    sacrum_labels: Sequence[int] = (Structure.SACRUM,),
) -> tuple[str, ...]:
    """Make lowest vertebrae sacrum that are parts of S1 or lie beyond the sacrum.

    What of discs and endplates lies below such a part is sacrum too, as between sacral levels.

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
        ``sacral_part_joined_to_sacrum: n`` where n > 0.
    """
    joined = 0
    while is_one_of(parts, sacrum_labels).any():
        column = Column.of(parts, vertebrae, spacing_zyx_mm)
        if len(column.centres_mm) < 2:  # noqa: PLR2004  # one, and one to compare it with
            break
        if not measure_lowest(column, sacrum_labels).is_sacral:
            break
        _make_sacrum(column, sacrum_labels[0])
        joined += 1
    return (f"sacral_part_joined_to_sacrum: {joined}",) if joined else ()


def _make_sacrum(column: Column, sacrum_label: int) -> None:
    above, lowest = list(column.centres_mm)[-2:]
    down, centre = column.direction(above, lowest), column.centres_mm[lowest]
    joints = components(is_one_of(column.parts, JOINT), 26)
    places_mm = joints.centres_zyx.reshape(-1, 3) * np.asarray(column.spacing_zyx_mm)
    is_lower = np.concatenate([[False], (places_mm - centre) @ down > 0])
    is_part = column.vertebrae == lowest
    column.parts[is_part | is_lower[joints.labels_zyx]] = sacrum_label
    column.vertebrae[is_part] = 0


def join_split_lowest(
    parts: NDArray[np.unsignedinteger],
    vertebrae: NDArray[np.unsignedinteger],
    spacing_zyx_mm: Spacing,
) -> tuple[str, ...]:
    """Make the two lowest vertebrae one if they are pieces of one that the image does not cut.

    Parameters
    ----------
    parts : (R, I, P) ndarray
        Read only; its last row is the image's, or empty.
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
    if len(column.centres_mm) < 3 or not _is_split(column):  # noqa: PLR2004  # one to compare with
        return ()
    upper, lower = list(column.centres_mm)[-2:]
    vertebrae[vertebrae == lower] = upper
    return ("split_lowest_vertebra_joined: 1",)


def _is_split(column: Column) -> bool:
    model, upper, lower = list(column.centres_mm)[-3:]
    bodies = [column.body(n) for n in (model, upper, lower)]
    whole, *pieces = (np.count_nonzero(body) for body in bodies)
    most_distance = MOST_PAIR_DISTANCE * column.distance(model, upper)
    if (
        bodies[2][:, -1].any()  # cut by the image: its size says nothing
        or max(pieces) > MOST_PIECE_SHARE * whole
        or sum(pieces) > MOST_PAIR_SHARE * whole
        or column.distance(upper, lower) > most_distance
    ):
        return False
    look = Look(column.direction(upper, lower), NEXT_MM, (*JOINT, Structure.CORPUS))
    return _share(column.faced(bodies[1], look), (Structure.CORPUS,)) >= LEAST_CONTACT
