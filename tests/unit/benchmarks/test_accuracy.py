"""What the benchmarks count: an end slice that is lost shows in a figure of its own."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.accuracy import arches_out_of_order, found_by_slice, processes_too_high


def test_what_is_lost_in_an_end_slice_shows_in_its_own_figure_alone() -> None:
    truth = np.zeros((6, 4, 5), bool)
    truth[1:5, :2] = True  # 4 slices of 10 voxels; the first and the last slice have none
    assert found_by_slice(truth, truth) == {"ends found": 1.0, "middle found": 1.0}
    found = truth.copy()
    found[4] = False
    found[2, 0, 0] = False
    assert found_by_slice(found, truth) == {"ends found": 0.5, "middle found": 0.95}


def test_arches_of_neighbours_that_are_exchanged_are_counted() -> None:
    semantic = np.zeros((1, 9, 2), np.uint8)
    semantic[..., 0], semantic[..., 1] = 49, 41
    ordered = np.repeat(np.arange(1, 10).reshape(1, 9, 1) // 4 + 1, 2, axis=2)
    assert arches_out_of_order(semantic, ordered) == 0
    exchanged = ordered.copy()
    exchanged[..., 1] = np.array([0, 2, 1, 3])[ordered[..., 1]]
    assert arches_out_of_order(semantic, exchanged) == 1


def test_a_spinous_process_in_the_place_of_the_next_one_up_is_counted() -> None:
    semantic, own = np.zeros((1, 40, 2), np.uint8), np.zeros((1, 40, 2), np.uint8)
    for n in (1, 2, 3):
        semantic[:, 10 * n : 10 * n + 6, 0] = 49
        semantic[:, 10 * n + 3 : 10 * n + 8, 1] = 42
        own[:, 10 * n : 10 * n + 8] = n
    assert processes_too_high(semantic, own) == 0
    doubled = own.copy()
    doubled[:, 20:30, 1] = 3
    assert processes_too_high(semantic, doubled) == 1
    doubled[:, 20:30, 1], doubled[:, 23, 1] = 2, 1  # a scrap, and of the one above
    assert processes_too_high(semantic, doubled) == 0
