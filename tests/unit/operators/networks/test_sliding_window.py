import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from torch import Tensor

from operators.errors import InterruptedRunError, SegmentationError
from operators.networks.fold_votes import Answer
from operators.networks.slab_decision import Head
from operators.networks.sliding_window import Tiling, predict, tile_weights, whole_tile


def predict_classes(*asked) -> np.ndarray:
    return predict(*asked).classes


def winner(sums: Tensor) -> Tensor:
    return sums.argmax(dim=-1).to(torch.uint8)


def threshold_head(limit: float = 0.5) -> Head:
    """Class 1 where the image exceeds the limit, else class 0."""

    def network(tile: Tensor) -> Answer:
        return Answer(torch.cat([torch.full_like(tile, limit), tile], dim=1))

    return Head(network, 2, winner)


def test_100_voxels_in_tiles_of_64_start_at_0_18_and_36():
    assert Tiling((64, 64, 64), 0.5).starts((100, 64, 65)) == ([0, 18, 36], [0], [0, 1])


def test_a_step_of_a_whole_patch_gives_two_tiles_for_100_voxels():
    assert Tiling((64, 64, 64), 1.0).starts((100, 128, 129)) == ([0, 36], [0, 64], [0, 32, 65])


@given(
    size=st.integers(1, 300), patch=st.integers(1, 64), step=st.sampled_from([0.25, 0.5, 0.9, 1.0])
)
def test_tiles_cover_every_voxel_and_stay_inside(size: int, patch: int, step: float) -> None:
    size = max(size, patch)
    starts = Tiling((patch, 1, 1), step).starts((size, 1, 1))[0]
    covered = np.zeros(size, bool)
    for start in starts:
        covered[start : start + patch] = True
    assert covered.all()
    assert starts[0] == 0
    assert starts[-1] == size - patch


@pytest.mark.parametrize("patch", [(8, 16, 16), (5, 7, 9), (32, 64, 64)])
def test_the_weights_are_a_filtered_point_of_peak_10(patch: tuple[int, int, int]) -> None:
    point = np.zeros(patch)
    point[tuple(n // 2 for n in patch)] = 1
    expected = gaussian_filter(point, [n / 8 for n in patch], mode="constant")
    ours = tile_weights(patch)
    assert ours.max() == 10
    assert ours.min() > 0
    assert np.allclose(ours / 10, expected / expected.max(), atol=1e-4)


@pytest.mark.parametrize("shape", [(20, 16, 16), (8, 50, 16), (9, 17, 61), (3, 5, 40), (2, 2, 2)])
def test_a_voxelwise_network_gives_the_same_answer_in_tiles_of_any_arrangement(
    shape: tuple[int, int, int],
) -> None:
    voxels = torch.from_numpy(np.random.default_rng(0).random((1, *shape), np.float32))
    found = predict_classes(voxels, Tiling((8, 16, 16), 0.5), threshold_head())
    assert np.array_equal(found, voxels[0].numpy() > 0.5)


def test_a_network_that_errs_at_the_rim_of_its_tile_is_outvoted():
    def network(tile: Tensor) -> Answer:
        wrong = torch.ones_like(tile)
        wrong[..., 3:-3] = 0
        return Answer(torch.cat([1 - wrong, wrong], dim=1))

    voxels = torch.zeros(1, 8, 8, 64)
    found = predict_classes(voxels, Tiling((8, 8, 16), 0.5), Head(network, 2, winner))
    assert not found[..., 3:-3].any()
    assert found[..., :3].all()


def test_a_tie_goes_to_the_lowest_class():
    head = Head(lambda tile: Answer(torch.ones_like(tile).repeat(1, 3, 1, 1, 1)), 3, winner)
    assert not predict_classes(torch.zeros(1, 4, 4, 4), Tiling((4, 4, 4), 0.5), head).any()


def test_progress_counts_6_tiles():
    seen: list[tuple[int, int]] = []
    predict_classes(
        torch.zeros(1, 8, 24, 32),
        Tiling((8, 16, 16), 0.5),
        threshold_head(),
        lambda done, total: seen.append((done, total)),
    )
    assert seen == [(n, 6) for n in range(1, 7)]


def test_an_error_in_progress_cancels_the_run():
    def cancel(done: int, _total: int) -> None:
        if done == 2:
            raise InterruptedRunError

    with pytest.raises(InterruptedRunError):
        predict_classes(
            torch.zeros(1, 8, 24, 32), Tiling((8, 16, 16), 0.5), threshold_head(), cancel
        )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_an_error(bad: float) -> None:
    head = Head(lambda tile: Answer(torch.full_like(tile, bad).repeat(1, 2, 1, 1, 1)), 2, winner)
    with pytest.raises(SegmentationError) as caught:
        predict_classes(torch.zeros(1, 4, 4, 4), Tiling((4, 4, 4), 0.5), head)
    assert caught.value.reasons == ("non_finite_logits",)


def test_logits_are_held_for_one_patch_length_only(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    zeros = torch.zeros

    def counted(*sizes: object, **options: object) -> Tensor:
        nonlocal largest
        made = zeros(*sizes, **options)  # type: ignore[call-overload]
        largest = max(largest, made.numel())
        return made

    monkeypatch.setattr(torch, "zeros", counted)
    voxels = torch.ones(1, 4, 4, 400)
    predict_classes(voxels, Tiling((4, 4, 8), 0.5), threshold_head())
    assert largest == 4 * 4 * 8 * 2


def test_the_certainty_is_the_softmax_of_the_mean_logits_at_the_temperature() -> None:
    voxels = torch.rand(1, 8, 24, 40)

    def network(tile: Tensor) -> Answer:
        return Answer(torch.cat([torch.zeros_like(tile), 4 * tile, -tile], dim=1))

    logits = torch.cat([torch.zeros_like(voxels), 4 * voxels, -voxels])
    for temperature in (1.0, 2.0):
        head = Head(network, 3, winner, temperature)
        found = predict(voxels, Tiling((8, 16, 16), 0.5), head)
        expected = (logits / temperature).softmax(0).amax(0).numpy() * 255
        assert found.certainty is not None
        assert np.abs(found.certainty - expected).max() <= 1
        assert np.array_equal(found.classes, (voxels[0].numpy() > 0).astype(np.uint8))


def test_a_head_without_a_temperature_asks_for_no_certainty() -> None:
    found = predict(torch.zeros(1, 4, 4, 4), Tiling((4, 4, 4), 0.5), threshold_head())
    assert found.certainty is None


@pytest.mark.parametrize(
    ("image", "largest", "tile"),
    [
        ((30, 216, 173), 10**7, (32, 224, 176)),
        ((32, 224, 176), 10**7, (32, 224, 176)),
        ((2, 40, 10), 10**7, (16, 128, 96)),
        ((30, 700, 173), 10**6, (32, 176, 176)),  # 32 * 176 * 176 = 991,232
        ((20, 200, 20), 10**4, (20, 128, 96)),  # no smaller than that, whatever it is to be
    ],
)
def test_a_whole_image_is_one_tile_and_a_larger_one_is_cut_along_its_longest_axis(
    image: tuple[int, int, int], largest: int, tile: tuple[int, int, int]
) -> None:
    assert whole_tile(image, (16, 128, 96), (4, 16, 16), largest) == tile
