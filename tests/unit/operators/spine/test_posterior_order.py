"""Arches that phase 2 gave to each other's vertebrae change places, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest

from operators.anatomy.labels import POSTERIOR_ELEMENTS, Structure
from operators.spine.posterior_order import order_posterior_parts
from operators.spine.postprocessing import PostprocessSettings, postprocess
from tests.builders.spine_phantom import SPACING_MM, pir_map, spine_of

SPACING = (SPACING_MM,) * 3


def exchanged(
    one: int, other: int, labels: tuple[int, ...] = POSTERIOR_ELEMENTS
) -> tuple[np.ndarray, np.ndarray]:
    """A spine in which two vertebrae hold each other's parts."""
    spine = spine_of(4)
    parts, vertebrae = spine.parts, spine.vertebrae
    is_behind = np.isin(parts, labels)
    for mine, theirs in ((one, other), (other, one)):
        vertebrae[is_behind & (spine.vertebrae == mine)] = theirs
    return parts, vertebrae


@pytest.mark.parametrize("pair", [(1, 2), (2, 3), (3, 4)])
@pytest.mark.parametrize(
    "labels", [POSTERIOR_ELEMENTS, (Structure.ARCUS, Structure.SPINOUS_PROCESS)]
)
def test_neighbours_get_their_own_parts_back(
    pair: tuple[int, int], labels: tuple[int, ...]
) -> None:
    parts, vertebrae = exchanged(*pair, labels)
    assert not np.array_equal(vertebrae, spine_of(4).vertebrae)
    (warning,) = order_posterior_parts(parts, vertebrae, SPACING)
    assert np.array_equal(vertebrae, spine_of(4).vertebrae)
    assert warning.startswith("posterior_parts_exchanged: ")


def test_the_whole_of_post_processing_gives_the_spine_that_was_never_exchanged() -> None:
    whole = spine_of(4)
    expected, found = (
        postprocess(pir_map(parts), pir_map(vertebrae), PostprocessSettings())
        for parts, vertebrae in ((whole.parts, whole.vertebrae), exchanged(2, 3))
    )
    assert np.array_equal(found.instances.labels_zyx, expected.instances.labels_zyx)
    assert set(found.warnings) - set(expected.warnings)


def test_an_ordered_spine_and_one_without_arches_stay_as_they_are() -> None:
    spine = spine_of(4)
    bare = np.where(np.isin(spine.parts, POSTERIOR_ELEMENTS), 0, spine.parts)
    for parts in (spine.parts, bare):
        vertebrae = np.where(parts > 0, spine.vertebrae, 0)
        before = vertebrae.copy()
        assert order_posterior_parts(parts, vertebrae, SPACING) == ()
        assert np.array_equal(vertebrae, before)


def test_a_fragment_in_the_wrong_place_exchanges_nothing() -> None:
    spine = spine_of(4)
    parts, vertebrae = spine.parts, spine.vertebrae
    arch = np.argwhere((parts == Structure.ARCUS) & (vertebrae == 3))
    vertebrae[(parts == Structure.ARCUS) & (vertebrae == 2)] = 0
    few = tuple(arch[arch[:, 1].argmax()])
    vertebrae[few] = 2
    before = vertebrae.copy()
    assert order_posterior_parts(parts, vertebrae, SPACING) == ()
    assert np.array_equal(vertebrae, before)
