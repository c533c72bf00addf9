"""No tile for the sake of the padding, and no change where none is saved."""

from pathlib import Path

import numpy as np
import pytest
import torch

from operators.imaging.cropping import Box
from operators.networks.semantic import load_semantic_model
from operators.networks.sliding_window import Tiling
from operators.networks.tiled_part import field_of_view, tiled_part
from tests.builders.nnunet_folder import write_folder
from tests.unit.operators.networks.test_semantic import image
from tests.unit.operators.networks.test_sliding_window import predict_classes, threshold_head

TILING = Tiling((8, 16, 16), 0.5)


def box(*sides: tuple[int, int]) -> Box:
    k, j, i = (slice(*side) for side in sides)
    return k, j, i


def test_20_slices_of_4_mm_lie_between_4_black_ones_on_either_side() -> None:
    found = field_of_view((28, 24, 24), 4, (4.0, 1.0, 1.0), (2.0, 1.0, 0.5))
    # The image begins at slice 3.5 and ends at 23.5: voxels 7 to 47 of 2 mm, ends counted.
    assert found == box((7, 48), (3, 21), (7, 40))


@pytest.mark.parametrize(
    ("whole", "view", "expected"),
    [
        ((0, 11), (2, 9), (2, 10)),  # 2 tiles for 11, 1 for 7: as much padding as fits 8
        ((0, 8), (2, 6), (0, 8)),  # one tile anyway
        ((0, 12), (0, 12), (0, 12)),  # no padding
        ((3, 16), (0, 10), (3, 11)),  # padding at one end only
        ((0, 20), (4, 16), (4, 16)),  # 4 tiles for 20; 2 for 12 and for nothing more
        ((0, 4), (9, 12), (0, 4)),  # nothing but padding: as it is
    ],
)
def test_as_much_padding_goes_as_saves_tiles(
    whole: tuple[int, int], view: tuple[int, int], expected: tuple[int, int]
) -> None:
    rest = ((0, 16), (0, 16))
    found = tiled_part(box(whole, *rest), box(view, *rest), TILING.count)
    assert found == box(expected, *rest)


def test_segmenting_takes_no_tile_for_padding_and_labels_the_whole_field(tmp_path: Path) -> None:
    model = load_semantic_model(write_folder(tmp_path))
    volume = image((8, 12, 12))
    affine = volume.affine_lps.copy()
    affine[0, 0] = -2.25  # 18 mm are 6 slices of the model's 3 mm; with the padding they are 12
    totals: set[int] = set()
    thin = type(volume)(volume.voxels_zyx, affine)
    labels = model.segment(thin, lambda _done, total: totals.add(total)).labels.labels_zyx
    assert totals == {1}
    assert labels.shape[0] == 12
    view = field_of_view((16, 20, 20), 4, (2.25, 1, 1), (3, 1, 1))
    assert (labels[view] > 0).mean() > 0.1
    assert not labels[:2].any()


def test_a_network_that_sees_one_voxel_at_a_time_labels_the_part_as_the_whole() -> None:
    torch.manual_seed(1)
    voxels = torch.randn(1, 11, 20, 18)
    part = tiled_part(box((0, 11), (0, 20), (0, 18)), box((2, 9), (2, 18), (1, 17)), TILING.count)
    assert part == box((2, 10), (2, 18), (1, 17))
    whole = predict_classes(voxels, TILING, threshold_head())
    alone = predict_classes(voxels[(slice(None), *part)].contiguous(), TILING, threshold_head())
    assert np.array_equal(alone, whole[part])
