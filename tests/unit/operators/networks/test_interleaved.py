"""Every second slice and those between: what is averaged, when there are two runs, what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor

from operators.errors import InterruptedRunError
from operators.imaging.intensity import prepare
from operators.imaging.volume import Volume
from operators.networks.engines import OpenVinoNetworks
from operators.networks.fold_votes import Answer
from operators.networks.interleaved import decide_between, part_of
from operators.networks.semantic import load_semantic_model
from operators.networks.slab_decision import ALL_AGREE, Finer, Head
from operators.networks.sliding_window import Tiling, Tour, mean_logits
from tests.builders.nnunet_folder import Recipe, network, write_folder

if TYPE_CHECKING:
    from pathlib import Path

SIZES = (16, 16, 16)
TWICE = Recipe(
    config={
        "resolution_range": [1.0, 1.0, 1.5],
        "interleaves_thin_slices": True,
        "border_voxels": [0, 0, 0],
    }
)
"""Trained on slices 3 mm apart, with a label map of 1.5 mm."""


def no_network(_tile: Tensor) -> Answer:
    raise AssertionError


def winner(logits: Tensor) -> Tensor:
    return logits.argmax(dim=-1).to(torch.uint8)


def image(slice_mm: float) -> Volume:
    """PIR, 16 slices of 16 x 16 voxels of 1 mm."""
    voxels = np.random.default_rng(4).uniform(100, 900, SIZES).astype(np.float32)
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = -slice_mm, -1.0, 1.0, 1.0
    return Volume(voxels, affine)


def tiles_of(folder: Path, slice_mm: float) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    load_semantic_model(folder).segment(
        image(slice_mm), lambda done, total: told.append((done, total))
    )
    return told


def smoothed(dense: Tensor) -> Tensor:
    """A quarter of either neighbour; at the ends half of the only one."""
    before = torch.cat([dense[1:2], dense[:-1]])
    behind = torch.cat([dense[1:], dense[-2:-1]])
    return (before + 2 * dense + behind) / 4


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("count", [2, 7, 8])
def test_each_run_counts_half_at_every_place(axis: int, count: int) -> None:
    dense = torch.from_numpy(np.random.default_rng(1).normal(0, 3, (count, 4, 5, 3)))
    expected = smoothed(dense).movedim(0, axis)
    runs = dense[0::2].movedim(0, axis), dense[1::2].movedim(0, axis)
    found = decide_between(runs, Head(no_network, 3, winner, 1.0), axis, None)
    assert np.array_equal(found.classes, expected.argmax(-1).numpy())
    assert found.certainty is not None
    sure = 255 * expected.softmax(-1).amax(-1).numpy()
    assert np.abs(found.certainty - sure).max() <= 0.51
    assert found.agreement is None


def test_a_finer_grid_and_the_shares_of_agreeing_folds_go_the_same_way() -> None:
    # Class 1 wins by as much as the channel before the last says; the last one is the share.
    dense = torch.tensor([[0.0, -3.0, 1.0], [0.0, 5.0, 0.5], [0.0, 5.0, 0.5], [0.0, 5.0, 1.0]])
    dense = dense.view(4, 1, 1, 3)
    head = Head(no_network, 2, winner)
    same = decide_between((dense[0::2], dense[1::2]), head, 0, None)
    # By hand: the first voxel's logit is half its own and half the next one's.
    assert same.classes.ravel().tolist() == [1, 1, 1, 1]
    assert same.agreement is not None
    assert same.agreement.ravel().tolist() == [
        round(ALL_AGREE * share) for share in (0.75, 0.625, 0.625, 0.75)
    ]
    finer = decide_between((dense[0::2], dense[1::2]), head, 0, Finer((8, 2, 1)))
    assert finer.classes.shape == (8, 2, 1)
    assert finer.agreement is not None
    between = [0.75, 0.71875, 0.65625, 0.625, 0.625, 0.65625, 0.71875, 0.75]
    assert np.abs(finer.agreement[:, 0, 0] / ALL_AGREE - between).max() <= 0.5 / ALL_AGREE


@pytest.mark.parametrize("shape", [(20, 16, 16), (8, 50, 16), (3, 5, 40), (8, 16, 16)])
@pytest.mark.parametrize("votes", [False, True])
def test_mean_logits_of_tiles_are_those_of_a_voxelwise_network(
    shape: tuple[int, int, int], *, votes: bool
) -> None:
    def voxelwise(tile: Tensor) -> Answer:
        logits = torch.cat([tile, 1 - tile], dim=1)
        return Answer(logits, tile[0, 0] / 2) if votes else Answer(logits)

    voxels = torch.from_numpy(np.random.default_rng(0).random((1, *shape), np.float32))
    head = Head(voxelwise, 2, winner)
    found = mean_logits(voxels, Tiling((8, 16, 16), 0.5), head, Tour())
    expected = [voxels[0], 1 - voxels[0], *([voxels[0] / 2] if votes else [])]
    assert torch.allclose(found, torch.stack(expected, dim=-1), atol=1e-5)


def test_thin_slices_are_labelled_as_both_runs_compute_by_hand(tmp_path: Path) -> None:
    volume = image(1.5)
    found = load_semantic_model(write_folder(tmp_path, TWICE)).segment(volume)
    voxels = prepare(volume).volume.voxels_zyx
    normal = torch.from_numpy((voxels - voxels.mean()) / voxels.std())[None, None]
    theirs = network(TWICE, 0)
    dense = torch.empty(*SIZES, 4)
    with torch.inference_mode():
        for first in (0, 1):
            dense[first::2] = theirs(normal[:, :, first::2])[0].movedim(0, -1)
    expected = np.array([0, 49, 100, 26])[smoothed(dense).argmax(-1).numpy()]
    assert (found.labels.labels_zyx == expected).mean() > 0.999
    assert (expected != np.array([0, 49, 100, 26])[dense.argmax(-1).numpy()]).mean() > 0.05


@pytest.mark.parametrize("transpose", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize(
    ("slice_mm", "tiles"),
    [(1.5, 2), (1.0, 2), (1.6, 1), (3.0, 1)],
    ids=["half", "thinner", "a little thicker", "the network's own"],
)
def test_two_runs_are_for_slices_of_half_the_networks_distance_or_less(
    slice_mm: float, tiles: int, transpose: tuple[int, int, int], tmp_path: Path
) -> None:
    recipe = Recipe(config=TWICE.config | {"largest_tile": 10**6}, patch=SIZES, transpose=transpose)
    told = tiles_of(write_folder(tmp_path, recipe), slice_mm)
    assert told == [(n + 1, tiles) for n in range(tiles)]


def test_other_models_run_once(tmp_path: Path) -> None:
    config: dict[str, Any] = {**TWICE.config, "interleaves_thin_slices": False}
    assert len(tiles_of(write_folder(tmp_path, Recipe(config=config)), 1.5)) == 1


def test_both_runs_take_one_graph(tmp_path: Path) -> None:
    recipe = Recipe(config=TWICE.config | {"largest_tile": 10**6}, patch=(2, 16, 16))
    model = load_semantic_model(write_folder(tmp_path, recipe), engine="openvino")
    odd = image(1.5).voxels_zyx[:13]  # seven slices and six
    model.segment(Volume(odd, image(1.5).affine_lps))
    networks = model._tiled.ensemble.networks
    assert isinstance(networks, OpenVinoNetworks)
    assert [shape[2] for shape in networks._kept] == [7]


def test_one_slice_is_run_over_once(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    alone = Volume(image(1.5).voxels_zyx[:1], image(1.5).affine_lps)
    model = load_semantic_model(write_folder(tmp_path, TWICE))
    model.segment(alone, lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]


def test_the_second_run_goes_on_counting_and_can_be_cancelled(tmp_path: Path) -> None:
    told = []

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        if done > total // 2:
            raise InterruptedRunError

    with pytest.raises(InterruptedRunError):
        load_semantic_model(write_folder(tmp_path, TWICE)).segment(image(1.5), stop)
    assert told == [(1, 2), (2, 2)]
    assert part_of(None, 1) is None
