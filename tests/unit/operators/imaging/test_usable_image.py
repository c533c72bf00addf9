"""Values that are no image are refused by name; NaN around the field of view is padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from operators.errors import GeometryError, IntensityError, UnreadableInputError
from operators.imaging.nifti import read_volume
from operators.imaging.usable_image import (
    replace_non_finite,
    require_intensities,
    require_no_label_map,
    require_slices,
)
from operators.imaging.volume import Volume
from tests.builders.nifti_images import noise


def volume(voxels: np.ndarray) -> Volume:
    return Volume(voxels.astype(np.float32), np.diag([3.3, 0.9, 0.9, 1.0]))


def turned_square(size: int = 60, slices: int = 6) -> np.ndarray:
    """A field of view turned by 45 degrees: just under half of the box is NaN."""
    j, i = np.mgrid[:size, :size] - (size - 1) / 2
    voxels = noise((slices, size, size)).astype(np.float32)
    voxels[:, np.abs(j) + np.abs(i) > size / 2 + 1] = np.nan
    return voxels


def test_nan_around_a_turned_field_of_view_becomes_the_lowest_value():
    voxels = turned_square()
    share = np.isnan(voxels).mean()
    assert 0.4 < share < 0.5
    out, count = replace_non_finite(voxels)
    assert count == np.isnan(voxels).sum()
    np.testing.assert_array_equal(out[np.isnan(voxels)], np.nanmin(voxels))
    np.testing.assert_array_equal(out[~np.isnan(voxels)], voxels[~np.isnan(voxels)])


def test_more_than_half_missing_is_refused():
    voxels = turned_square()
    voxels[:1] = np.nan
    with pytest.raises(IntensityError) as caught:
        replace_non_finite(voxels)
    assert caught.value.reasons == ("non_finite_voxels",)


def with_holes(share: float) -> np.ndarray:
    """Infinite voxels spread over the inside, none at the border."""
    voxels = noise((20, 60, 60)).astype(np.float32)
    inside = np.zeros(voxels.shape, bool)
    inside[1:-1, 1:-1, 1:-1] = True
    rng = np.random.default_rng(0)
    places = rng.choice(np.flatnonzero(inside), int(share * voxels.size), replace=False)
    voxels.ravel()[places] = np.inf
    return voxels


def test_holes_inside_the_field_of_view_are_borne_up_to_a_thousandth():
    assert replace_non_finite(with_holes(0.0005))[1] == 36


@pytest.mark.parametrize("share", [0.002, 0.3])
def test_more_holes_than_a_thousandth_are_refused(share: float):
    with pytest.raises(IntensityError) as caught:
        replace_non_finite(with_holes(share))
    assert caught.value.reasons == ("non_finite_voxels",)


@pytest.mark.parametrize("value", [0, 7, -3])
@pytest.mark.parametrize("hot", [0, 5])
def test_an_image_of_one_value_is_constant_also_with_a_few_hot_voxels(value: int, hot: int):
    voxels = np.full((11, 40, 40), value)
    voxels.ravel()[:hot] = 30000
    with pytest.raises(IntensityError) as caught:
        require_intensities(volume(voxels))
    assert caught.value.reasons == ("constant_image",)


def test_an_image_that_is_black_but_for_half_a_percent_is_not_constant():
    voxels = np.zeros((10, 40, 50))
    voxels[4, 10:20, 10:20] = 300
    require_intensities(volume(voxels))


def boxes(values: tuple[float, ...]) -> np.ndarray:
    voxels = np.zeros((11, 60, 40))
    for number, value in enumerate(values):
        voxels[2:9, 4 + 12 * number : 14 + 12 * number, 10:30] = value
    return voxels


@pytest.mark.parametrize(
    "values", [(1.0,), (255.0,), (49, 100, 61, 60), (1, 101, 201, 26), (0.5, 1.0)]
)
def test_a_label_map_in_the_place_of_an_image_is_refused(values: tuple[float, ...]):
    with pytest.raises(UnreadableInputError) as caught:
        require_no_label_map(volume(boxes(values)))
    assert caught.value.reasons == ("label_map_given",)


@pytest.mark.parametrize(
    "voxels",
    [
        noise((11, 60, 40)),
        noise((11, 60, 40)) // 8,  # 8 bits
        noise((11, 60, 40)) / 900,  # normalised to 0..1
        np.repeat(noise((11, 60, 40)) // 8, 4, axis=1),  # enlarged without interpolation
        boxes((200, 900, 400)),  # a phantom without noise, brighter than any label
    ],
)
def test_an_image_is_no_label_map(voxels: np.ndarray):
    require_no_label_map(volume(voxels))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_four_slices_along_any_axis_are_too_few(axis: int):
    shape = [20, 20, 20]
    shape[axis] = 4
    with pytest.raises(GeometryError) as caught:
        require_slices(volume(noise(tuple(shape))), 5)
    assert caught.value.reasons == ("too_few_slices",)
    shape[axis] = 5
    require_slices(volume(noise(tuple(shape))), 5)


def test_real_images_are_images_and_real_masks_are_masks(shared_data: Path):
    folder = shared_data / "data" / "spider"
    for image in sorted(folder.glob("*_img.nii.gz"))[:5]:
        require_no_label_map(read_volume(image))
        with pytest.raises(UnreadableInputError):
            require_no_label_map(read_volume(folder / image.name.replace("_img", "_seg")))
