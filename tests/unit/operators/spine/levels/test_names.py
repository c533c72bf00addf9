"""Masks in, names out."""

from __future__ import annotations

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.anatomy.levels import UNCERTAIN
from operators.imaging.volume import LabelMap
from operators.spine.levels.names import name_levels
from tests.builders.spine_boxes import affine_rip, spine_boxes

SACRUM = "sacrum below the lowest vertebra"


LARGE = 1.6
"""The boxes in the size of lumbar bodies: 19 mm high, 32 mm deep."""


def maps_of(count: int, *, sacrum: bool) -> tuple[LabelMap, LabelMap]:
    masks = spine_boxes(tuple(range(2, 2 + count)))
    assert masks.semantic is not None
    assert masks.instances is not None
    semantic, instances = masks.semantic.labels_zyx.copy(), masks.instances.labels_zyx.copy()
    if sacrum:
        semantic[1:9, -8:, 10:30], instances[1:9, -8:, 10:30] = Structure.SACRUM, 26
    affine = masks.semantic.affine_lps @ np.diag([LARGE, LARGE, LARGE, 1.0])
    return LabelMap(semantic, affine), LabelMap(instances, affine)


def test_every_vertebra_has_an_entry_in_order() -> None:
    names = name_levels(*maps_of(5, sacrum=True))
    assert list(names) == [2, 3, 4, 5, 6]
    levels = [name.level for name in names.values()]
    assert levels == list(range(levels[0], levels[0] + 5))
    assert all(0 < name.confidence <= 1 for name in names.values())


def test_the_sacrum_is_named_as_evidence_where_it_decides() -> None:
    above_it = name_levels(*maps_of(4, sacrum=True))
    alone = name_levels(*maps_of(4, sacrum=False))
    assert all(SACRUM in name.evidence for name in above_it.values())
    assert not any(SACRUM in name.evidence for name in alone.values())


def test_a_gap_is_told() -> None:
    semantic, instances = maps_of(5, sacrum=True)
    labels = instances.labels_zyx.copy()
    labels[labels == 4] = 0
    names = name_levels(semantic, instances.with_labels(labels))
    assert [name.level - names[2].level for name in names.values()] == [0, 1, 3, 4]
    assert all("a gap of a vertebra" in name.evidence for name in names.values())


def test_a_vertebra_as_high_as_two_is_told_and_names_beside_it_are_said_with_a_reserve() -> None:
    semantic, instances = maps_of(6, sacrum=True)
    labels = instances.labels_zyx.copy()
    labels[labels == 5] = 4
    names = name_levels(semantic, instances.with_labels(labels))
    assert [name.level - names[2].level for name in names.values()] == [0, 1, 2, 4, 5]
    assert all("a vertebra as high as two" in name.evidence for name in names.values())
    assert not any(name.is_certain for name in names.values())


def test_one_vertebra_alone_is_uncertain() -> None:
    (name,) = name_levels(*maps_of(1, sacrum=False)).values()
    assert name.text == UNCERTAIN


def test_nothing_has_no_names() -> None:
    nothing = LabelMap(np.zeros((4, 5, 6), np.uint16), affine_rip())
    assert name_levels(nothing, nothing) == {}


@pytest.mark.parametrize("seed", range(6))
def test_any_labels_are_measured_without_a_fault(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(3, 14, 3))
    parts = rng.choice([0, 41, 42, 43, 44, 45, 46, 47, 48, 49, 60, 61, 100, 26], shape)
    owners = rng.integers(0, 5, shape)
    affine = affine_rip((3.0, 1.0, 1.0))
    maps = LabelMap(parts.astype(np.uint8), affine), LabelMap(owners.astype(np.uint16), affine)
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        names = name_levels(*maps)
    assert set(names) == set(np.unique(owners).tolist()) - {0}
    assert all(np.isfinite(name.confidence) for name in names.values())


def test_a_spine_that_lies_and_flat_bodies_have_axes() -> None:
    parts, owners = np.zeros((6, 12, 40), np.uint8), np.zeros((6, 12, 40), np.uint16)
    for n, column in enumerate((4, 20)):
        parts[1:5, 5, column : column + 10] = Structure.CORPUS
        owners[1:5, 5, column : column + 10] = n + 2
    affine = affine_rip((3.0, 1.0, 1.0))
    with np.errstate(divide="raise", invalid="raise"):
        names = name_levels(LabelMap(parts, affine), LabelMap(owners, affine))
    assert list(names) == [2, 3]
