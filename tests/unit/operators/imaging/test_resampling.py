import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import affine_transform

from operators.errors import GeometryError
from operators.imaging.orientation import reorient
from operators.imaging.resampling import (
    resample_labels_to_grid,
    resample_labels_to_spacing,
    resample_to_spacing,
)
from operators.imaging.volume import Grid, LabelMap, SliceSource, Volume


def ramp(
    shape: tuple[int, int, int] = (9, 20, 17),
    spacing: tuple[float, float, float] = (3.3, 0.9, 1.0),
    slopes: tuple[float, float, float] = (2.0, -1.0, 0.5),
) -> Volume:
    """Intensity = slopes x position in mm."""
    positions = np.meshgrid(
        *(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij"
    )
    voxels = sum(slope * p for slope, p in zip(slopes, positions, strict=True))
    return Volume(voxels.astype(np.float32), np.diag([*spacing, 1.0]))


def test_a_linear_ramp_stays_the_same_ramp_in_mm_away_from_the_edges():
    fine = resample_to_spacing(ramp(shape=(20, 30, 30)), (1.65, 0.75, 0.8))
    k, j, i = np.meshgrid(*(np.arange(n) for n in fine.voxels_zyx.shape), indexing="ij")
    expected = 2.0 * 1.65 * k - 0.75 * j + 0.5 * 0.8 * i
    # The repeated edge bends the spline; 8 voxels inside less than 0.27**8 of it is left.
    inner = (slice(16, -16), slice(10, -10), slice(10, -10))
    assert np.abs(fine.voxels_zyx[inner] - expected[inner]).max() < 1e-2


def test_18_slices_of_3_3_mm_become_36_of_1_65_mm():
    volume = Volume(np.zeros((18, 10, 10), np.int16), np.diag([3.3, 0.75, 0.75, 1]))
    assert resample_to_spacing(volume, (1.65, 0.75, 0.75)).voxels_zyx.shape == (36, 10, 10)


@pytest.mark.parametrize("spacing", [0.5, 0.9, 1.65, 2.0, 3.3, 4.4])
@pytest.mark.parametrize("slices", [1, 5, 20, 21, 22, 23])
def test_a_covering_grid_has_a_voxel_at_every_centre_and_none_beyond(
    slices: int, spacing: float
) -> None:
    volume = Volume(np.zeros((slices, 10, 10), np.int16), np.diag([spacing, 0.75, 0.75, 1]))
    made = resample_to_spacing(volume, (1.65, 0.75, 0.75), is_covering=True)
    ones = LabelMap(np.ones(made.voxels_zyx.shape, np.uint8), made.affine_lps)
    assert resample_labels_to_grid(ones, volume.grid).labels_zyx.all()
    assert (made.voxels_zyx.shape[0] - 1.5) * 1.65 < (slices - 1) * spacing + 1e-6 or slices == 1


def test_the_rounded_size_may_leave_out_the_last_slice() -> None:
    volume = Volume(np.zeros((21, 10, 10), np.int16), np.diag([0.9, 0.75, 0.75, 1]))
    made = resample_to_spacing(volume, (1.65, 0.75, 0.75))
    ones = LabelMap(np.ones(made.voxels_zyx.shape, np.uint8), made.affine_lps)
    assert not resample_labels_to_grid(ones, volume.grid).labels_zyx[-1].any()


def test_the_centre_of_voxel_0_keeps_its_place():
    volume = ramp()
    affine = volume.affine_lps.copy()
    affine[:3, 3] = (-12.5, 40.0, 7.0)
    moved = resample_to_spacing(Volume(volume.voxels_zyx, affine), (1.0, 1.0, 1.0))
    assert moved.affine_lps[:3, 3].tolist() == [-12.5, 40.0, 7.0]
    assert moved.spacing_zyx_mm == pytest.approx((1.0, 1.0, 1.0))


def test_equals_scipys_cubic_spline_within_a_ten_thousandth():
    rng = np.random.default_rng(1)
    voxels = rng.normal(0, 100, (11, 23, 17)).astype(np.float32)
    ours = resample_to_spacing(Volume(voxels, np.diag([3.3, 0.9, 1.0, 1])), (1.65, 0.75, 1.2))
    theirs = affine_transform(
        voxels.astype(float),
        np.diag([0.5, 0.75 / 0.9, 1.2]),
        output_shape=ours.voxels_zyx.shape,
        order=3,
        mode="nearest",
    )
    assert np.abs(ours.voxels_zyx - theirs).max() < 1e-3


def test_0_0009_mm_of_difference_change_nothing_and_0_002_mm_do():
    volume = ramp()
    same = resample_to_spacing(volume, (3.3009, 0.9, 1.0))
    assert same.voxels_zyx is volume.voxels_zyx
    assert resample_to_spacing(volume, (3.302, 0.9, 1.0)).voxels_zyx is not volume.voxels_zyx


def test_integers_become_float32_and_overshoot_below_0_is_kept():
    voxels = np.zeros((4, 4, 12), np.uint16)
    voxels[:, :, 6:] = 1000
    fine = resample_to_spacing(Volume(voxels, np.eye(4)), (1.0, 1.0, 0.4))
    assert fine.voxels_zyx.dtype == np.float32
    assert fine.voxels_zyx.min() < -20
    assert fine.voxels_zyx.max() > 1020


def test_slices_keep_their_source_only_while_they_stay_the_same_slices():
    source = tuple(SliceSource(None, "1.2", f"1.2.{n}") for n in range(9))  # type: ignore[arg-type]
    volume = Volume(ramp().voxels_zyx, ramp().affine_lps, source)
    assert resample_to_spacing(volume, (3.3, 0.5, 0.5)).source == source
    assert resample_to_spacing(volume, (1.65, 0.5, 0.5)).source == ()


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_a_spacing_that_is_no_length_is_refused(bad: float) -> None:
    with pytest.raises(GeometryError) as caught:
        resample_to_spacing(ramp(), (1.0, bad, 1.0))
    assert caught.value.reasons == ("invalid_spacing",)


@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    old=st.tuples(*[st.floats(0.3, 5)] * 3),
    new=st.tuples(*[st.floats(0.3, 5)] * 3),
)
def test_any_resampling_keeps_voxel_0_and_covers_the_field_of_view_within_half_a_voxel(
    shape: tuple[int, int, int],
    old: tuple[float, float, float],
    new: tuple[float, float, float],
) -> None:
    volume = Volume(np.full(shape, 7.0, np.float32), np.diag([*old, 1.0]))
    out = resample_to_spacing(volume, new)
    assert np.allclose(out.voxels_zyx, 7.0, atol=1e-4)
    assert out.affine_lps[:3, 3].tolist() == [0, 0, 0]
    for n, was, m, now in zip(
        shape, volume.spacing_zyx_mm, out.voxels_zyx.shape, out.spacing_zyx_mm, strict=True
    ):
        assert m == 1 or abs(m * now - n * was) <= now / 2 + 1e-6


def test_labels_at_half_the_spacing_are_each_voxel_twice():
    labels = LabelMap(np.array([[[1, 2, 3]]], np.uint8), np.diag([1, 1, 3.0, 1]))
    fine = resample_labels_to_spacing(labels, (1, 1, 1.0))
    # Positions in old voxels: 0, 1/3, 2/3, 1 ... ; edges are repeated.
    assert fine.labels_zyx.ravel().tolist() == [1, 1, 2, 2, 2, 3, 3, 3, 3]
    assert fine.labels_zyx.dtype == np.uint8


def test_a_position_half_way_between_two_labels_takes_the_higher_index():
    labels = LabelMap(np.array([[[1, 2]]], np.uint8), np.diag([1, 1, 2.0, 1]))
    assert resample_labels_to_spacing(labels, (1, 1, 1.0)).labels_zyx.ravel().tolist() == [
        1, 2, 2, 2,
    ]  # fmt: skip


def test_labels_come_back_to_their_grid_from_another_orientation():
    rng = np.random.default_rng(2)
    labels = LabelMap(rng.integers(0, 9, (4, 5, 6)).astype(np.uint16), np.diag([3, 0.5, 0.7, 1]))
    turned = reorient(labels, ("S", "R", "A"))
    back = resample_labels_to_grid(turned, labels.grid)
    assert np.array_equal(back.labels_zyx, labels.labels_zyx)


def test_outside_the_label_map_is_background():
    labels = LabelMap(np.full((2, 2, 2), 49, np.uint8), np.eye(4))
    affine = np.eye(4)
    affine[:3, 3] = -2
    out = resample_labels_to_grid(labels, Grid((6, 6, 6), affine)).labels_zyx
    assert np.count_nonzero(out) == 8
    assert out[2:4, 2:4, 2:4].all()


def test_a_ball_turned_by_20_degrees_keeps_its_volume_within_3_percent():
    k, j, i = np.mgrid[:31, :31, :31] - 15.0
    ball = LabelMap((k**2 + j**2 + i**2 <= 100).astype(np.uint8), np.eye(4))
    turn = np.eye(4)
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    turn[:2, :2] = [[c, -s], [s, c]]
    centre = np.array([15, 15, 15.0])
    turn[:3, 3] = centre - turn[:3, :3] @ centre
    out = resample_labels_to_grid(ball, Grid((31, 31, 31), turn)).labels_zyx
    assert int(out.sum()) == pytest.approx(int(ball.labels_zyx.sum()), rel=0.03)
    assert out[15, 15, 15] == 1
