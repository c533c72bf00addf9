import numpy as np
import pytest
from numpy.typing import NDArray

from operators.errors import IntensityError
from operators.imaging.intensity import (
    cap_hot_voxels_in_place,
    prepare,
    scale_in_place,
)
from operators.imaging.usable_image import replace_non_finite
from operators.imaging.volume import Volume

AFFINE = np.diag([3.3, 0.9, 0.9, 1.0])


def tissue(highest: float = 1200.0) -> NDArray[np.float32]:
    """A smooth, noisy body in black, brightest voxel ``highest``."""
    shape = (12, 60, 50)
    rng = np.random.default_rng(0)
    k, j, i = np.mgrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    body = np.exp(-2 * (k**2 + j**2 + i**2)) * (1 + 0.3 * np.sin(9 * j))
    body += 0.02 * rng.random(shape)
    body[(np.abs(j) > 0.9) | (np.abs(i) > 0.9)] = 0
    return (body / body.max() * highest).astype(np.float32)


def relative_difference(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    return float(np.abs(a - b).max() / b.max())


def test_the_grid_stays_and_the_voxels_are_float32():
    image = Volume(tissue(), AFFINE)
    out = prepare(image).volume
    assert out.voxels_zyx.dtype == np.float32
    assert np.array_equal(out.affine_lps, image.affine_lps)
    assert out.voxels_zyx.shape == image.voxels_zyx.shape


def test_an_image_brighter_than_1500_ends_at_most_at_1500_and_a_darker_one_is_not_raised():
    bright = prepare(Volume(tissue(4000), AFFINE)).volume.voxels_zyx
    assert bright.max() <= 1500
    dark = prepare(Volume(tissue(400), AFFINE)).volume.voxels_zyx
    assert dark.max() < 600


def test_offset_and_sign_do_not_matter():
    plain = prepare(Volume(tissue(), AFFINE)).volume.voxels_zyx
    shifted = prepare(Volume(tissue() - 700, AFFINE)).volume.voxels_zyx
    assert relative_difference(shifted, plain) < 0.01


def test_the_input_is_not_changed():
    voxels = tissue()
    voxels[3, 30, 30] = np.nan
    before = voxels.copy()
    prepare(Volume(voxels, AFFINE))
    assert np.array_equal(voxels, before, equal_nan=True)


def test_an_image_scaled_0_to_1_is_prepared_like_the_same_image_scaled_to_1500():
    whole = prepare(Volume(tissue(1500), AFFINE))
    unit = prepare(Volume(tissue(1500) / 1500, AFFINE))
    assert unit.facts == ("scaled_up_to_1500",)
    assert relative_difference(unit.volume.voxels_zyx, whole.volume.voxels_zyx) < 0.01


def test_one_hot_voxel_of_32000_leaves_every_other_voxel_within_1_percent():
    voxels = tissue(1200)
    plain = prepare(Volume(voxels, AFFINE))
    voxels[6, 30, 10] = 32000
    hot = prepare(Volume(voxels, AFFINE))
    assert plain.facts == ()
    assert hot.facts == ("hot_voxels_capped: 1",)
    difference = np.abs(hot.volume.voxels_zyx - plain.volume.voxels_zyx)
    difference[6, 30, 10] = 0
    assert difference.max() < 12


def test_a_hot_voxel_is_lowered_to_the_brightest_plausible_one():
    voxels = np.arange(1, 2001, dtype=np.float32).reshape(10, 10, 20)
    voxels[-1, -1, -1] = 1e6
    assert cap_hot_voxels_in_place(voxels) == 1
    assert voxels[-1, -1, -1] == 1999


def test_a_plausible_image_with_fluid_3_times_as_bright_as_the_rest_is_untouched():
    voxels = np.full((10, 10, 20), 100, np.float32)
    voxels[0, 0, :2] = 300
    before = voxels.copy()
    assert cap_hot_voxels_in_place(voxels) == 0
    assert np.array_equal(voxels, before)


def test_three_nan_and_one_infinite_voxel_are_replaced_by_the_minimum_and_counted():
    voxels = tissue()
    voxels[2, 20, 20:23] = np.nan
    voxels[2, 21, 20] = -np.inf
    out, count = replace_non_finite(voxels)
    assert count == 4
    assert out[2, 20, 20] == out[2, 21, 20] == 0
    assert prepare(Volume(voxels, AFFINE)).facts == ("non_finite_voxels_replaced: 4",)


def test_more_than_half_of_non_finite_voxels_are_refused():
    voxels = tissue()
    voxels[:7] = np.nan
    with pytest.raises(IntensityError) as caught:
        prepare(Volume(voxels, AFFINE))
    assert caught.value.reasons == ("non_finite_voxels",)


@pytest.mark.parametrize("value", [0, 17, -4])
def test_a_constant_image_is_refused(value: int) -> None:
    with pytest.raises(IntensityError) as caught:
        prepare(Volume(np.full((5, 6, 7), value, np.int16), AFFINE))
    assert caught.value.reasons == ("constant_image",)


def test_an_image_of_one_bright_voxel_is_prepared_without_failure():
    voxels = np.zeros((5, 6, 7), np.int16)
    voxels[2, 3, 3] = 900
    out = prepare(Volume(voxels, AFFINE)).volume.voxels_zyx
    assert np.isfinite(out).all()


def test_numbers_beyond_float32_count_as_not_finite():
    voxels = tissue().astype(np.float64)
    voxels[3, 30, 30] = 1e300
    assert prepare(Volume(voxels, AFFINE)).facts == ("non_finite_voxels_replaced: 1",)


def test_scaling_moves_the_minimum_to_0_and_3000_to_1500():
    voxels = np.array([10, 1510, 3010], np.float32)
    scale_in_place(voxels)
    assert voxels.tolist() == [0, 750, 1500]
