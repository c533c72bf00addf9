from __future__ import annotations

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.imaging.curved_view import curved_view, field_of_view

SPACING = (4.0, 1.0, 1.0)


def bent(amplitude: float) -> np.ndarray:
    """Canal of 3 slices around slice 10 + amplitude * sin, bodies before it, 200 rows."""
    semantic = np.zeros((21, 200, 40), dtype=np.uint8)
    for row in range(200):
        middle = round(10 + amplitude * np.sin(row / 60))
        semantic[middle - 4 : middle + 5, row, 5:20] = Structure.CORPUS
        semantic[middle - 1 : middle + 2, row, 22:30] = Structure.CANAL
    return semantic


def test_along_a_bent_spine_every_row_shows_canal_and_bodies():
    semantic = bent(6.0)
    flat = semantic[10]
    assert (flat == Structure.CANAL).any(axis=1).mean() < 0.5  # one slice loses the canal
    view = curved_view(semantic, SPACING)
    assert not view.is_straight
    shown = view.sagittal(semantic)
    assert (shown == Structure.CANAL).any(axis=1).all()
    assert (shown == Structure.CORPUS).any(axis=1).all()


def test_the_surface_follows_the_middle_of_the_canal_to_half_a_slice():
    view = curved_view(bent(6.0), SPACING)
    expected = 10 + 6.0 * np.sin(np.arange(200) / 60)
    assert np.abs(view.middle - expected).max() < 0.75  # rounding 0.5, smoothing at the crest


@pytest.mark.parametrize("amplitude", [0.0, 0.9])
def test_a_spine_within_4_mm_of_one_slice_is_shown_by_that_slice_untouched(amplitude: float):
    semantic = bent(amplitude)
    image = np.arange(semantic.size, dtype=np.float32).reshape(semantic.shape)
    view = curved_view(semantic, (3.0, 1.0, 1.0))
    assert view.is_straight
    assert any(np.array_equal(view.sagittal(image), image[k]) for k in (10, 11))


def test_images_are_interpolated_between_slices_and_labels_are_not():
    semantic = bent(6.0)
    ramp = np.broadcast_to(np.arange(21, dtype=np.float32)[:, None, None], semantic.shape)
    view = curved_view(semantic, SPACING)
    np.testing.assert_allclose(
        view.sagittal(np.ascontiguousarray(ramp))[:, 0], view.middle, atol=1e-5
    )
    assert set(np.unique(view.sagittal(semantic))) <= {0, Structure.CORPUS, Structure.CANAL}


def test_beyond_the_volume_its_last_slice_is_shown():
    semantic = bent(0.0)
    image = np.arange(semantic.size, dtype=np.float32).reshape(semantic.shape)
    view = curved_view(semantic, SPACING)
    np.testing.assert_array_equal(view.sagittal(image, 30), image[20])
    np.testing.assert_array_equal(view.sagittal(image, -30), image[0])


def test_the_lateral_section_is_that_of_the_facets_also_where_the_spine_is_bent():
    semantic = bent(6.0)
    for row in range(40, 160):
        place = round(10 + 6.0 * np.sin(row / 60)) + 3
        semantic[min(place, 20), row, 32:36] = Structure.SUPERIOR_ARTICULAR_RIGHT
    assert curved_view(semantic, SPACING).lateral_offset == 3


@pytest.mark.parametrize(
    ("labels", "step_mm", "middle", "offset"),
    [
        ({3: 49, 4: 49, 5: 49}, 4.0, 4, -4),  # no canal: middle of the bodies, then 15 mm aside
        ({3: 26}, 1.0, 3, 7),  # 15 mm would be outside on both sides: the last slice
        ({}, 4.0, 5, -4),
    ],
)
def test_sections_are_found_where_structures_are_missing(
    labels: dict[int, int], step_mm: float, middle: int, offset: int
):
    semantic = np.zeros((11, 8, 8), dtype=np.uint8)
    for k, label in labels.items():
        semantic[k, 2:5, 2:5] = label
    view = curved_view(semantic, (step_mm, 1.0, 1.0))
    assert set(view.middle) == {middle}
    assert view.lateral_offset == offset


def test_the_coronal_section_follows_the_bodies_and_shows_the_right_side_on_the_left():
    semantic = np.zeros((9, 120, 80), dtype=np.uint8)
    for row in range(120):  # lordosis: bodies between column 10 and 50
        front = round(30 + 20 * np.sin(row / 40))
        semantic[2:6, row, front - 6 : front + 7] = Structure.CORPUS
    view = curved_view(semantic, SPACING)
    shown = view.coronal(semantic)
    assert shown.shape == (120, 9)
    assert (shown == Structure.CORPUS).any(axis=1).all()
    columns = np.flatnonzero((shown == Structure.CORPUS).any(axis=0))
    assert columns.tolist() == [3, 4, 5, 6]  # slices 5 to 2, the right one first


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
