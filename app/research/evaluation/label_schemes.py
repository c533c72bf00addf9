"""Masks of other programs: what their numbers mean, stated and never guessed.

A scheme says of every number which structure and which instance it is (``scheme_files`` reads
one). A mask with a number that its scheme does not have is refused: it is of another scheme.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from app.research.evaluation.measures import Masks
from app.research.evaluation.structures import STRUCTURES, SUBSTRUCTURES
from operators.anatomy.labels import MODEL_STRUCTURES, VERTEBRA_INSTANCES, Structure
from operators.anatomy.vertebrae import LEVEL_NAMES
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap

Numbers = Literal["levels", "running"]

WHOLE_VERTEBRA: Final = 40
"""Number of a vertebra whose parts are not told apart (``Vertebra_Full`` of TPTBox)."""

_SHOWN: Final = 8
GROUPS: Final[dict[str, tuple[int, ...]]] = {
    name: tuple(map(int, labels)) for name, labels in (STRUCTURES | SUBSTRUCTURES).items()
}
"""Structures by the names that tables and schemes use."""
_SAME_AS: Final = {
    int(Structure.CORPUS_DENSE): int(Structure.CORPUS),
    int(Structure.ENDPLATE_SUPERIOR): int(Structure.ENDPLATE),
    int(Structure.ENDPLATE_INFERIOR): int(Structure.ENDPLATE),
}
"""Labels that scoring joins with another one."""


@dataclass(frozen=True, slots=True)
class LabelScheme:
    """What the numbers of a mask mean.

    Attributes
    ----------
    name : str
        For errors and the report.
    structures : mapping of int to str
        Number to a structure of ``STRUCTURES`` or ``SUBSTRUCTURES``, or of the SPINEPS scheme.
    instances : mapping of int to int
        Number to label of an instance map: X, 100 + X, 200 + X, 26.
    known : frozenset of int
        Every number that a mask may hold; those without a meaning here are not scored.
    numbers : {"levels", "running"}
        Whether the instances' labels name levels.
    """

    name: str
    structures: Mapping[int, str]
    instances: Mapping[int, int]
    known: frozenset[int]
    numbers: Numbers

    @property
    def tells(self) -> frozenset[str]:
        """Structures that this scheme can say, neither more nor less.

        Where a scheme has one number for canal and cord, neither can be compared alone; where it
        knows bodies only, the whole vertebra cannot.
        """
        told = [labels_of(name) for name in set(self.structures.values())]
        return frozenset(name for name, labels in GROUPS.items() if _can_say(labels, told))

    def read(self, mask: LabelMap) -> Masks:
        """Translate a mask.

        Parameters
        ----------
        mask : LabelMap
            As its program wrote it.

        Returns
        -------
        Masks
            A semantic map where the scheme has structures, an instance map where it has
            instances, names of the vertebrae where its numbers are levels.

        Raises
        ------
        UnreadableInputError
            ``foreign_labels``.
        """
        present = set(np.unique(mask.labels_zyx).tolist())
        require_known(present, self.known, self.name)
        semantic = {number: _first_label(name) for number, name in self.structures.items()}
        named = sorted({self.instances[n] for n in present & self.instances.keys()})
        return Masks(
            semantic=_translated(mask, semantic) if semantic else None,
            instances=_translated(mask, self.instances) if self.instances else None,
            names={n: LEVEL_NAMES[n] for n in named if n in VERTEBRA_INSTANCES}
            if self.numbers == "levels"
            else {},
            tells=self.tells,
            numbers_are_levels=self.numbers == "levels",
        )


def require_known(present: set[int], known: frozenset[int], scheme: str) -> None:
    """Refuse a mask with numbers that its scheme does not have.

    Parameters
    ----------
    present : set of int
        Numbers of the mask.
    known : frozenset of int
        Numbers of the scheme; 0 is always known.
    scheme : str
        What it is called.

    Raises
    ------
    UnreadableInputError
        ``foreign_labels``.
    """
    foreign = sorted(present - known - {0})
    if foreign:
        shown = ", ".join(map(str, foreign[:_SHOWN])) + (" ..." if len(foreign) > _SHOWN else "")
        raise UnreadableInputError(
            f"the mask holds {shown}, which the label scheme '{scheme}' does not have; say which "
            "scheme it follows: --labels (of predictions), --reference-labels",
            reasons=("foreign_labels",),
        )


def labels_of(structure: str) -> frozenset[int]:
    """Labels of the SPINEPS scheme that a name, or a number of that scheme, stands for.

    Parameters
    ----------
    structure : str
        One of `GROUPS`, or digits.

    Returns
    -------
    frozenset of int
        Empty where it stands for nothing.
    """
    if structure == str(WHOLE_VERTEBRA):
        return frozenset(GROUPS["vertebra"])
    if structure.isdigit():
        return frozenset({int(structure)} & {int(s) for s in Structure})
    return frozenset(GROUPS.get(structure, ()))


def _first_label(structure: str) -> int:
    return min(labels_of(structure) & {WHOLE_VERTEBRA, *MODEL_STRUCTURES} or labels_of(structure))


def _can_say(wanted: tuple[int, ...], told: list[frozenset[int]]) -> bool:
    group = frozenset(wanted)
    inside = [each for each in told if each <= group]
    said = {_SAME_AS.get(label, label) for each in inside for label in each}
    return (
        bool(inside)
        and said >= group & set(MODEL_STRUCTURES)
        and not any(each & group for each in told if not each <= group)
    )


def _translated(mask: LabelMap, meaning: Mapping[int, int]) -> LabelMap:
    table: NDArray[np.uint16] = np.zeros(int(mask.labels_zyx.max(initial=0)) + 1, np.uint16)
    for number, label in meaning.items():
        if number < len(table):
            table[number] = label
    return mask.with_labels(table[mask.labels_zyx])
