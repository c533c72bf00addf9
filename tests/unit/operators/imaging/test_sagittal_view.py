from __future__ import annotations

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.imaging.sagittal_view import display_slices, field_of_view


def test_the_middle_goes_through_the_canal_and_the_side_through_the_facets():
    semantic = np.zeros((15, 60, 50), dtype=np.uint8)
    semantic[4:11, 10:30, 5:25] = Structure.CORPUS
    semantic[6:9, :, 27:33] = Structure.CANAL
    semantic[10:12, 15:25, 34:40] = Structure.SUPERIOR_ARTICULAR_RIGHT
    assert display_slices(semantic, 4.0) == (7, 10)


@pytest.mark.parametrize(
    ("labels", "step_mm", "expected"),
    [
        ({3: 49, 4: 49, 5: 49}, 4.0, (4, 0)),  # no canal: middle of the bodies, then 15 mm aside
        ({3: 26}, 1.0, (3, 10)),  # 15 mm would be outside on both sides: the last slice
        ({}, 4.0, (5, 1)),
    ],
)
def test_slices_are_found_where_structures_are_missing(
    labels: dict[int, int], step_mm: float, expected: tuple[int, int]
):
    semantic = np.zeros((11, 8, 8), dtype=np.uint8)
    for k, label in labels.items():
        semantic[k, 2:5, 2:5] = label
    assert display_slices(semantic, step_mm) == expected


def test_a_large_field_is_cut_40_mm_around_what_was_found():
    found = np.zeros((5, 300, 200), dtype=bool)
    found[2, 100:201, 90:111] = True
    slices, rows, columns = field_of_view(found, (4.0, 0.8, 2.0))
    assert found[slices].shape[0] == 5
    assert (rows.start, rows.stop) == (50, 251)
    assert (columns.start, columns.stop) == (70, 131)


def test_a_small_field_and_an_empty_one_are_shown_whole():
    found = np.zeros((3, 20, 30), dtype=bool)
    assert found[field_of_view(found, (4.0, 1.0, 1.0))].shape == (3, 20, 30)
    found[1, 5, 5] = True
    assert found[field_of_view(found, (4.0, 1.0, 1.0))].shape == (3, 20, 30)
