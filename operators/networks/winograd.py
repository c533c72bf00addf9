"""Convolve four planes with six two-dimensional convolutions instead of twelve.

A 3 x 3 x 3 convolution gives every plane the sum of three plane convolutions, of its own plane and
of both neighbours: twelve for four planes. Winograd's minimal filtering F(4, 3), taken along the
planes only, gets the same four sums from six convolutions of mixed planes with mixed kernels. The
mixing is additions, and a plane convolution costs hundreds of multiplications per voxel. Along one
axis the rounding error stays near that of the plain sum (5e-6 of the range, measured).

References
----------
Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, arXiv 1509.09308.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    Plane = TypeVar("Plane")
    Plus = Callable[[Plane, Plane, float], Plane]

OUT: Final = 4
"""Planes that come out of a group."""

IN: Final = 6
"""Planes that go into a group: one more on either side; also the number of convolutions."""

IN_EVERY_SUM: Final = 1
"""The product that every plane of the result takes once: it may bring the layer's bias."""

_KERNEL: Final = 3

_MIXED_KERNELS: Final = (
    (1 / 4, 0.0, 0.0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0.0, 0.0, 1.0),
)
"""The matrix G of F(4, 3): six mixtures of the three planes of a kernel."""


def saves_work(layer: nn.Conv3d, planes: int) -> bool:
    """Whether a layer can be convolved in this way, and with fewer plane convolutions.

    Parameters
    ----------
    layer : Conv3d
        Its first axis is that of the planes.
    planes : int
        Planes of its input.
    """
    along = (layer.kernel_size[0], layer.stride[0], layer.padding[0], layer.dilation[0])
    plain = 3 * planes - 2  # the outermost planes have one neighbour
    return along == (_KERNEL, 1, 1, 1) and layer.groups == 1 and IN * groups(planes) < plain


def groups(planes: int) -> int:
    """Count the groups of four that hold so many planes."""
    return -(-planes // OUT)


def mixed_kernels(weight: Tensor) -> Tensor:
    """Mix the planes of a kernel.

    Parameters
    ----------
    weight : (O, C, 3, Y, X) Tensor
        Of a three-dimensional convolution.

    Returns
    -------
    (6, O, C, Y, X) Tensor
        Of the six plane convolutions, in the format of ``weight``.
    """
    # Not a product of matrices: its last bits depend on the number of threads.
    first, second, third = weight.movedim(2, 0).contiguous()
    return torch.stack([first * a + second * b + third * c for a, b, c in _MIXED_KERNELS])


def mixed_planes(planes: Sequence[Plane], plus: Plus[Plane]) -> tuple[Plane, ...]:
    """Mix six neighbouring planes: what the six convolutions see.

    All factors are powers of two, so that a product is exact, whether a compiler rounds it before
    the sum or not.

    Parameters
    ----------
    planes : sequence of 6
        Tensors, or nodes of a graph.
    plus : callable
        (a, b, factor) -> a + factor * b.

    Returns
    -------
    tuple of 6
        In the order of `mixed_kernels`.
    """
    p0, p1, p2, p3, p4, p5 = planes
    even, odd = plus(p4, p2, -4.0), plus(p3, p1, -4.0)
    near, far = plus(p4, p2, -1.0), plus(p3, p1, -1.0)
    return (
        plus(near, plus(p0, p2, -1.0), 4.0),
        plus(even, odd, 1.0),
        plus(even, odd, -1.0),
        plus(near, far, 2.0),
        plus(near, far, -2.0),
        plus(plus(p5, p3, -1.0), plus(p1, p3, -1.0), 4.0),
    )


def sums_of(products: Sequence[Plane], plus: Plus[Plane]) -> tuple[Plane, ...]:
    """Get the four planes of the convolution from what the six convolutions gave.

    Parameters
    ----------
    products : sequence of 6
        In the order of `mixed_kernels`.
    plus : callable
        (a, b, factor) -> a + factor * b.
    """
    q0, q1, q2, q3, q4, q5 = products
    sum1, difference1 = plus(q1, q2, 1.0), plus(q1, q2, -1.0)
    sum2, difference2 = plus(q3, q4, 1.0), plus(q3, q4, -1.0)
    return (
        plus(plus(q0, sum1, 1.0), sum2, 1.0),
        plus(difference1, difference2, 2.0),
        plus(sum1, sum2, 4.0),
        plus(plus(difference1, difference2, 8.0), q5, 1.0),
    )
