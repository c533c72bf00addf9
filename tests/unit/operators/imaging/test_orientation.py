from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.errors import GeometryError
from operators.imaging.orientation import Codes, axis_codes, reorient
from operators.imaging.volume import LabelMap, SliceSource, Volume

ALL_CODES = [
    tuple(pair[sign] for pair, sign in zip(order, signs, strict=True))
    for order in permutations(("LR", "PA", "SI"))
    for signs in product((0, 1), repeat=3)
]


def sample() -> Volume:
    """Sagittal, tilted by 12 degrees: i to posterior, j to inferior, k to the left."""
    c, s = np.cos(np.radians(12)), np.sin(np.radians(12))
    affine = np.eye(4)
    affine[:3, 2] = np.array([s, c, 0]) * 0.6
    affine[:3, 1] = np.array([0, 0, -1]) * 0.7
    affine[:3, 0] = np.array([c, -s, 0]) * 3.3
    affine[:3, 3] = (-30, 12, 55)
    voxels = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    source = tuple(SliceSource(None, "1.2", str(n)) for n in range(4))  # type: ignore[arg-type]
    return Volume(voxels, affine, source)


def position_of(volume: Volume, value: int) -> list[float]:
    k, j, i = np.argwhere(volume.voxels_zyx == value)[0]
    return list((volume.affine_lps @ [k, j, i, 1])[:3])


def test_the_codes_of_a_sagittal_scan_are_posterior_inferior_left():
    assert axis_codes(sample().affine_lps) == ("P", "I", "L")


def test_there_are_48_orientations():
    assert len(set(ALL_CODES)) == 48


@given(codes=st.sampled_from(ALL_CODES), value=st.integers(0, 119))
def test_every_voxel_keeps_its_place_in_all_48_orientations(codes: Codes, value: int) -> None:
    volume = sample()
    turned = reorient(volume, codes)
    assert axis_codes(turned.affine_lps) == codes
    assert position_of(turned, value) == pytest.approx(position_of(volume, value))


@given(there=st.sampled_from(ALL_CODES), between=st.sampled_from(ALL_CODES))
def test_the_way_back_ends_where_it_began(there: Codes, between: Codes) -> None:
    volume = sample()
    back = reorient(reorient(reorient(volume, there), between), axis_codes(volume.affine_lps))
    assert np.array_equal(back.voxels_zyx, volume.voxels_zyx)
    assert np.allclose(back.affine_lps, volume.affine_lps)


def test_slices_keep_their_source_when_mirrored_and_lose_it_when_the_slice_axis_changes():
    volume = sample()
    mirrored = reorient(volume, ("P", "I", "R"))
    assert mirrored.source == volume.source[::-1]
    assert reorient(volume, ("L", "P", "S")).source == ()


def test_labels_turn_like_images():
    volume = sample()
    labels = LabelMap(volume.voxels_zyx.astype(np.uint8), volume.affine_lps)
    assert np.array_equal(
        reorient(labels, ("A", "S", "R")).labels_zyx, reorient(volume, ("A", "S", "R")).voxels_zyx
    )


def test_codes_that_name_an_axis_twice_are_refused():
    with pytest.raises(GeometryError):
        reorient(sample(), ("L", "R", "S"))
