"""What the numbers in the label maps mean (SPINEPS scheme, Möller et al. 2024).

Two maps exist: the semantic map (subregions) and the instance map (vertebra X, its disc 100 + X,
its endplate 200 + X, sacrum 26). Names for people and codes for DICOM stand in ``codes``.
"""

from __future__ import annotations

from enum import IntEnum


class Structure(IntEnum):
    """Labels of the semantic map."""

    SACRUM = 26
    ARCUS = 41
    SPINOUS_PROCESS = 42
    COSTAL_PROCESS_LEFT = 43
    COSTAL_PROCESS_RIGHT = 44
    SUPERIOR_ARTICULAR_LEFT = 45
    SUPERIOR_ARTICULAR_RIGHT = 46
    INFERIOR_ARTICULAR_LEFT = 47
    INFERIOR_ARTICULAR_RIGHT = 48
    CORPUS = 49
    """Vertebral body (SPINEPS: corpus border)."""
    CORPUS_DENSE = 50
    """Inside of the body in some models; becomes 49 in the result."""
    DENS = 51
    ENDPLATE_SUPERIOR = 52
    ENDPLATE_INFERIOR = 53
    CORD = 60
    CANAL = 61
    ENDPLATE = 62
    """Endplate before it is split into 52 and 53."""
    DISC = 100


LEFT_RIGHT_PAIRS: tuple[tuple[int, int], ...] = ((43, 44), (45, 46), (47, 48))
"""Labels exchanged by a left/right mirror."""

POSTERIOR_ELEMENTS: tuple[int, ...] = (41, 42, 43, 44, 45, 46, 47, 48)

VERTEBRA_PARTS: tuple[int, ...] = tuple(range(40, 52))
"""Semantic labels that belong to a vertebra (40-51)."""

MODEL_STRUCTURES: tuple[int, ...] = (41, 42, 43, 44, 45, 46, 47, 48, 49, 60, 61, 62, 100, 26)
"""The 14 structures that a semantic T2w model predicts."""

DISC_OFFSET = 100
ENDPLATE_OFFSET = 200
SACRUM_INSTANCE = 26
T13_INSTANCE = 28
L6_INSTANCE = 25
VERTEBRA_INSTANCES: frozenset[int] = frozenset((*range(1, 26), T13_INSTANCE))
"""Ids a vertebra may have in the instance map: 1-25, and 28 for T13."""
