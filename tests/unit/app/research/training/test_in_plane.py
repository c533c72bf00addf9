"""Sampling slice by slice gives SciPy's bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from app.research.training.in_plane import InPlane

SIZE = (6, 23, 17)
SHAPE = (9, 16, 20)


def place(
    rng: np.random.Generator, step: float, start: float, *, whole: bool
) -> tuple[np.ndarray, np.ndarray]:
    """A zoomed and rotated window, or one of whole voxels, often partly outside."""
    angle, zoom = rng.normal(0, 0.3), rng.uniform(0.3, 1.6, 2)
    matrix = np.diag([step, 0.0, 0.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix[1:, 1:] = np.eye(2) if whole else turn * zoom
    offset = rng.integers(-6, 12, 2) if whole else rng.uniform(-8, 14, 2)
    return matrix, np.array([start, *offset], dtype=float)


@given(
    seed=st.integers(0, 10_000),
    step=st.sampled_from([1.0, 2.0, 0.5, 0.83]),
    start=st.sampled_from([0.0, -3.0, 2.0, -40.0, 0.37]),
    whole=st.booleans(),
)
def test_every_byte_is_that_of_affine_transform(
    seed: int, step: float, start: float, *, whole: bool
) -> None:
    rng = np.random.default_rng(seed)
    matrix, offset = place(rng, step, start, whole=whole)
    labels, others = (rng.integers(0, 63, SIZE).astype(np.uint8) for _ in range(2))
    image = rng.normal(0, 1, SIZE).astype(np.float32)
    window = InPlane(matrix, offset, SHAPE)
    for ours, volume in zip(window.nearest(labels, others), (labels, others), strict=True):
        theirs = ndimage.affine_transform(volume, matrix, offset, SHAPE, order=0)
        assert np.array_equal(ours, theirs)
    theirs = ndimage.affine_transform(image, matrix, offset, SHAPE, order=1, cval=0.3)
    assert window.linear(image, 0.3).tobytes() == theirs.tobytes()


@pytest.mark.parametrize("start", [-9.0, 6.0])
def test_a_window_beside_the_volume_is_empty(start: float) -> None:
    window = InPlane(np.eye(3), np.array([start, 0.0, 0.0]), SHAPE)
    assert not window.nearest(np.ones(SIZE, np.uint8))[0].any()
    assert (window.linear(np.ones(SIZE, np.float32), -2.0) == -2).all()


def test_half_a_voxel_on_is_the_next_one_and_beyond_the_last_centre_is_outside() -> None:
    row = np.arange(1, 5, dtype=np.uint8).reshape(1, 1, 4)
    window = InPlane(np.diag([1.0, 1.0, 0.5]), np.zeros(3), (1, 1, 9))
    assert window.nearest(row)[0].ravel().tolist() == [1, 2, 2, 3, 3, 4, 4, 0, 0]
    between = window.linear(row.astype(np.float32), 9.0).ravel().tolist()
    assert between == [1, 1.5, 2, 2.5, 3, 3.5, 4, 9, 9]
