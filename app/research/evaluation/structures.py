"""What is scored: groups of semantic labels, and kinds of instances.

The tables follow the paper: whole structures (Tables 2 and 3), substructures of the vertebra, and
instances of vertebrae, discs and endplates. Two sub-labels that not every map has are joined on
both sides first: the inside of the body belongs to the body, and an endplate is an endplate
whether it is split into superior and inferior or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import (
    DISC_OFFSET,
    ENDPLATE_OFFSET,
    POSTERIOR_ELEMENTS,
    SACRUM_INSTANCE,
    VERTEBRA_INSTANCES,
    VERTEBRA_PARTS,
    Structure,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENDPLATES = (Structure.ENDPLATE, Structure.ENDPLATE_SUPERIOR, Structure.ENDPLATE_INFERIOR)
_BODY = (Structure.CORPUS, Structure.CORPUS_DENSE)

STRUCTURES: dict[str, tuple[int, ...]] = {
    "vertebra": VERTEBRA_PARTS,
    "disc": (Structure.DISC,),
    "endplate": _ENDPLATES,
    "canal": (Structure.CANAL,),
    "cord": (Structure.CORD,),
    "canal and cord": (Structure.CANAL, Structure.CORD),
    "sacrum": (Structure.SACRUM,),
}
"""Whole structures of the semantic map and the labels that make them up."""

SUBSTRUCTURES: dict[str, tuple[int, ...]] = {
    "corpus": _BODY,
    "posterior elements": POSTERIOR_ELEMENTS,
    "arcus": (Structure.ARCUS,),
    "spinous process": (Structure.SPINOUS_PROCESS,),
    "costal process left": (Structure.COSTAL_PROCESS_LEFT,),
    "costal process right": (Structure.COSTAL_PROCESS_RIGHT,),
    "costal processes": (Structure.COSTAL_PROCESS_LEFT, Structure.COSTAL_PROCESS_RIGHT),
    "superior articular left": (Structure.SUPERIOR_ARTICULAR_LEFT,),
    "superior articular right": (Structure.SUPERIOR_ARTICULAR_RIGHT,),
    "superior articulars": (
        Structure.SUPERIOR_ARTICULAR_LEFT,
        Structure.SUPERIOR_ARTICULAR_RIGHT,
    ),
    "inferior articular left": (Structure.INFERIOR_ARTICULAR_LEFT,),
    "inferior articular right": (Structure.INFERIOR_ARTICULAR_RIGHT,),
    "inferior articulars": (
        Structure.INFERIOR_ARTICULAR_LEFT,
        Structure.INFERIOR_ARTICULAR_RIGHT,
    ),
}
"""Parts of the vertebra, each side by itself and both together."""

LATERAL = "lateral parts"
"""Costal and articular processes of both sides, for the agreement of left and right."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of instance.

    Attributes
    ----------
    name : str
        As in the tables.
    offset : int
        Labels are ``offset`` + vertebra id.
    parts : tuple of int
        Only voxels of these semantic labels count; empty = all voxels of the instance.
    """

    name: str
    offset: int
    parts: tuple[int, ...] = ()


KINDS: tuple[Kind, ...] = (
    Kind("vertebra", 0),
    Kind("corpus", 0, _BODY),
    Kind("disc", DISC_OFFSET),
    Kind("endplate", ENDPLATE_OFFSET),
)
"""Instances of the paper's Table 2, and the bodies alone, which need both maps."""

_OWNERS = np.array(sorted({*VERTEBRA_INSTANCES, SACRUM_INSTANCE}))


def instances_of(
    kind: Kind, instances: NDArray[np.integer], semantic: NDArray[np.integer] | None
) -> NDArray[np.integer] | None:
    """Keep one kind of a map's instances, with their labels.

    Parameters
    ----------
    kind : Kind
        Which.
    instances : ndarray of int
        Instance map: X, 100 + X, 200 + X, sacrum 26.
    semantic : ndarray of int or None
        Semantic map on the same grid, for kinds that are parts of a vertebra.

    Returns
    -------
    ndarray of int or None
        0 elsewhere; None where the kind needs a semantic map and there is none. The sacrum is one
        structure and no instance; the disc and the endplate above it may carry its number.
    """
    wanted = _OWNERS + kind.offset if kind.offset else np.array(sorted(VERTEBRA_INSTANCES))
    keep = np.isin(instances, wanted)
    if kind.parts:
        if semantic is None:
            return None
        keep &= np.isin(semantic, kind.parts)
    return np.where(keep, instances, 0)
