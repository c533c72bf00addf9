"""Random fields for textures, elastic deformation and the scanner's noise.

How chance enters the generator: every random number, of a scalar or of a field, is drawn by one
numpy Generator on the CPU in one fixed order; fields are moved to the device that computes. So a
seed is the same person, painting and noise on every device. One device repeats itself to the byte;
two devices differ by the rounding of float32 arithmetic, which may change a label on an edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from app.research.synthetic.interpolation import resized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor


def grain(rng: np.random.Generator, shape: Sequence[int], device: torch.device | str) -> Tensor:
    """White noise of unit variance, float32."""
    return torch.from_numpy(rng.standard_normal(tuple(shape), dtype=np.float32)).to(device)


def smooth_field(
    rng: np.random.Generator,
    shape: Sequence[int],
    knots_voxels: tuple[float, float, float],
    device: torch.device | str,
) -> Tensor:
    """Trilinear noise of about unit variance.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    shape : sequence of 3 ints
        Size of the result.
    knots_voxels : tuple of 3 floats
        Distance between the random knots along each axis, in voxels.
    device : torch device
        Where the field is wanted.

    Returns
    -------
    (Z, Y, X) float32 tensor
        Mean about 0, standard deviation about 1.
    """
    knots = [
        max(2, int(np.ceil(n / max(k, 1.0))) + 1) for n, k in zip(shape, knots_voxels, strict=True)
    ]
    field = 1.6 * grain(rng, knots, device)
    for axis in (2, 1, 0):
        field = resized(field, axis, shape[axis])
    return field


def smooth_noise(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    knots_voxels: tuple[float, float, float],
) -> NDArray[np.float32]:
    """Trilinear noise as `smooth_field` makes it, as a NumPy array."""
    noise: NDArray[np.float32] = smooth_field(rng, shape, knots_voxels, "cpu").numpy()
    return noise
