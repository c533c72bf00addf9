import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.errors import GeometryError
from operators.imaging.cropping import Box, bounding_box, crop, pad
from operators.imaging.volume import LabelMap, SliceSource, Volume


def test_the_box_of_two_voxels_spans_both():
    mask = np.zeros((5, 6, 7), bool)
    mask[1, 2, 3] = mask[3, 2, 5] = True
    assert bounding_box(mask) == (slice(1, 4), slice(2, 3), slice(3, 6))


def test_a_margin_is_cut_at_the_edge():
    mask = np.zeros((5, 6, 7), bool)
    mask[1, 2, 3] = True
    assert bounding_box(mask, 2) == (slice(0, 4), slice(0, 5), slice(1, 6))
    assert bounding_box(mask, (0, 1, 9)) == (slice(1, 2), slice(1, 4), slice(0, 7))


def test_an_empty_mask_has_no_box():
    assert bounding_box(np.zeros((2, 2, 2), bool)) is None


def test_a_cropped_voxel_stays_where_it_is_in_the_patient():
    affine = np.array([[0, 0, -1.5, 10], [0, 2, 0, -4], [3, 0, 0, 1], [0, 0, 0, 1.0]])
    volume = Volume(np.arange(60).reshape(3, 4, 5), affine)
    part = crop(volume, (slice(1, 3), slice(2, 4), slice(1, 5)))
    assert part.voxels_zyx[0, 0, 0] == volume.voxels_zyx[1, 2, 1]
    assert np.array_equal(part.affine_lps @ [0, 0, 0, 1], affine @ [1, 2, 1, 1])


def test_slices_keep_their_source_when_cropped_and_lose_it_when_padded():
    source = tuple(SliceSource(None, "1.2", str(n)) for n in range(3))  # type: ignore[arg-type]
    volume = Volume(np.zeros((3, 4, 5)), np.eye(4), source)
    assert crop(volume, (slice(1, 3), slice(0, 4), slice(0, 5))).source == source[1:]
    assert pad(volume, [(0, 0), (1, 1), (0, 2)]).source == source
    assert pad(volume, [(1, 0), (0, 0), (0, 0)]).source == ()


@pytest.mark.parametrize(
    "box",
    [
        (slice(0, 9), slice(0, 1), slice(0, 1)),
        (slice(1, 1), slice(0, 1), slice(0, 1)),
        (slice(-1, 1), slice(0, 1), slice(0, 1)),
    ],
)
def test_a_box_outside_the_array_is_refused(box: Box) -> None:
    with pytest.raises(GeometryError) as caught:
        crop(LabelMap(np.zeros((2, 2, 2), np.uint8), np.eye(4)), box)
    assert caught.value.reasons == ("invalid_box",)


@pytest.mark.parametrize("widths", [[(0, 0)] * 2, [(0, 0), (0, -1), (0, 0)]])
def test_padding_that_is_not_three_pairs_of_counts_is_refused(
    widths: list[tuple[int, int]],
) -> None:
    with pytest.raises(GeometryError) as caught:
        pad(LabelMap(np.zeros((2, 2, 2), np.uint8), np.eye(4)), widths)
    assert caught.value.reasons == ("invalid_padding",)


@given(widths=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=3))
def test_cropping_undoes_padding(widths: list[tuple[int, int]]) -> None:
    affine = np.array([[0, 0.1, -1.5, 10], [0, 2, 0, -4], [3, 0, 0, 1], [0, 0, 0, 1.0]])
    labels = LabelMap(np.arange(24, dtype=np.uint8).reshape(2, 3, 4), affine)
    wide = pad(labels, widths, 255)
    assert wide.labels_zyx.sum() == labels.labels_zyx.sum() + 255 * (wide.labels_zyx.size - 24)
    box = tuple(slice(b, b + n) for (b, _), n in zip(widths, (2, 3, 4), strict=True))
    back = crop(wide, box)
    assert np.array_equal(back.labels_zyx, labels.labels_zyx)
    assert np.allclose(back.affine_lps, affine)
