"""A number needs a vertebral body."""

from __future__ import annotations

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.errors import GeometryError
from operators.imaging.volume import LabelMap
from operators.spine.bodiless import without_bodiless

# Columns are the steps of k, j, i: j runs down the patient; 2 mm^3 per voxel. Steps of 0.02 mm
# along i keep a body of 900 voxels, all in one row, 18 mm deep, as in the neck.
AFFINE = np.array([[100.0, 0, 0, 0], [0, 0, 0.02, 0], [0, -1.0, 0, 0], [0, 0, 0, 1.0]])

EMPTY = 4
"""Rows of 1 mm that keep the first vertebra away from the upper edge of the image."""


def maps(body_voxels: dict[int, int]) -> tuple[LabelMap, LabelMap]:
    """One row per instance: 300 voxels of arch, then so many of body; below `EMPTY` rows."""
    semantic = np.zeros((1, EMPTY + len(body_voxels), 1500), np.uint8)
    instances = np.zeros_like(semantic, dtype=np.uint16)
    for row, (number, count) in enumerate(body_voxels.items(), start=EMPTY):
        semantic[0, row, :300] = Structure.ARCUS
        semantic[0, row, 300 : 300 + count] = Structure.CORPUS
        instances[0, row, : 300 + count] = number
    return LabelMap(semantic, AFFINE), LabelMap(instances, AFFINE)


def test_100_voxels_of_2_mm3_are_a_body_and_99_are_not() -> None:
    kept, warnings = without_bodiless(*maps({1: 100, 2: 99, 3: 250}))
    assert np.unique(kept.labels_zyx).tolist() == [0, 1, 3]
    assert warnings == ("instances_without_body: 1",)


def test_a_spine_in_which_every_instance_has_a_body_is_untouched() -> None:
    semantic, instances = maps({4: 200, 9: 300})
    kept, warnings = without_bodiless(semantic, instances)
    assert kept is instances
    assert warnings == ()


def test_a_sliver_between_two_bodies_8_times_its_size_is_no_vertebra() -> None:
    kept, warnings = without_bodiless(*maps({1: 820, 2: 101, 3: 815, 4: 110, 5: 830}))
    assert np.unique(kept.labels_zyx).tolist() == [0, 1, 3, 4, 5]
    assert warnings == ("instances_without_body: 1",)


def test_two_slivers_side_by_side_do_not_hide_each_other() -> None:
    kept, _ = without_bodiless(*maps({1: 900, 2: 105, 3: 110, 4: 900}))
    assert np.unique(kept.labels_zyx).tolist() == [0, 1, 4]


def test_a_body_cut_by_the_upper_or_lower_edge_of_the_field_is_kept() -> None:
    semantic, instances = maps({1: 101, 2: 900, 3: 890, 4: 100})
    assert without_bodiless(semantic, instances) == (instances, ())


@pytest.mark.parametrize(
    ("row", "processes", "body", "is_kept"),
    [(0, 2, 900, True), (0, 1, 900, False), (3, 2, 900, False), (0, 2, 1100, False)],
)
def test_an_atlas_keeps_its_number_and_a_scrap_of_arch_below_the_bodies_does_not(
    row: int, processes: int, body: int, *, is_kept: bool
) -> None:
    """Rows run down the patient; the bodiless instance is the first or the last of four.

    Bodies of 1100 voxels are 22 mm deep: no neck, so that both processes make no atlas.
    """
    sizes = dict.fromkeys((1, 2, 3, 4), body) | {row + 1: 0}
    semantic, instances = maps(sizes)
    for side in (Structure.COSTAL_PROCESS_LEFT, Structure.COSTAL_PROCESS_RIGHT)[:processes]:
        place = 10 * int(side == Structure.COSTAL_PROCESS_LEFT)
        semantic.labels_zyx[0, EMPTY + row, place : place + 10] = side
    kept, warnings = without_bodiless(semantic, instances)
    assert ((row + 1) in kept.labels_zyx) is is_kept
    assert bool(warnings) is not is_kept


def test_where_no_instance_has_a_body_nothing_is_decided_here() -> None:
    semantic, instances = maps({1: 0, 2: 5})
    assert without_bodiless(semantic, instances) == (instances, ())


def test_maps_of_different_shape_are_refused() -> None:
    semantic, _ = maps({1: 100})
    _, instances = maps({1: 100, 2: 100})
    with pytest.raises(GeometryError):
        without_bodiless(semantic, instances)
