from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.research.evaluation.grids import bring_onto
from operators.errors import GeometryError
from operators.imaging.orientation import reorient
from operators.imaging.volume import Grid
from tests.builders.spine_boxes import spine_boxes

ALL_CODES = [
    tuple(pair[sign] for pair, sign in zip(order, signs, strict=True))
    for order in permutations(("LR", "PA", "SI"))
    for signs in product((0, 1), repeat=3)
]


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(ALL_CODES))
def test_any_of_the_48_orientations_comes_back_voxel_for_voxel(codes: tuple[str, str, str]):
    labels = spine_boxes().instances
    back = bring_onto(reorient(labels, codes), labels.grid)
    assert np.array_equal(back.labels_zyx, labels.labels_zyx)


def test_a_smaller_field_of_view_on_the_same_lattice_is_padded():
    labels = spine_boxes().semantic
    affine = labels.affine_lps.copy()
    affine[:3, 3] += 2 * affine[:3, 0]
    cut = replace(labels, labels_zyx=labels.labels_zyx[2:8], affine_lps=affine)
    back = bring_onto(cut, labels.grid)
    assert np.array_equal(back.labels_zyx, labels.labels_zyx)


def test_labels_outside_the_reference_are_refused():
    labels = spine_boxes().semantic
    small = Grid((10, 40, 60), labels.affine_lps)
    with pytest.raises(GeometryError) as caught:
        bring_onto(labels, small)
    assert caught.value.reasons == ("outside_reference",)


@pytest.mark.parametrize(
    ("scale", "shift"), [((1.01, 1, 1), 0.0), ((1, 1, 1), 0.3), ((2, 1, 1), 0.0)]
)
def test_another_spacing_or_a_shift_by_part_of_a_voxel_is_refused_and_not_resampled(
    scale: tuple[float, ...], shift: float
):
    labels = spine_boxes().semantic
    affine = labels.affine_lps.copy()
    affine[:3, :3] *= scale
    affine[:3, 3] += shift * affine[:3, 1]
    with pytest.raises(GeometryError) as caught:
        bring_onto(labels, Grid(labels.grid.shape_zyx, affine))
    assert caught.value.reasons == ("different_grids",)


def test_rounding_of_stored_affines_is_no_difference():
    labels = spine_boxes().semantic
    affine = labels.affine_lps.copy()
    affine[:3] += 1e-5
    rounded = replace(labels, affine_lps=affine)
    assert np.array_equal(bring_onto(rounded, labels.grid).labels_zyx, labels.labels_zyx)
