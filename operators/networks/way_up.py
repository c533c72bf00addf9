"""A U-Net's way up as one transposed and one plain convolution, nothing enlarged or joined.

On the way up a transposed convolution enlarges the coarser level, which is joined with the level's
own channels and convolved. What lies between the two layers is linear, so they are one transposed
convolution with a larger kernel; the rest of the convolution sees the level's own channels alone.
At the finest level, where a tensor is largest, this saves two of five.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, fx

_LEVELS_JOINED: Final = 2
"""The one below, enlarged, and its own."""

_KERNEL: Final = (1, 3, 3)
"""Within slices: where a kernel reaches over them, `winograd` costs less."""

PADDING: Final = (0, 1, 1)
"""Of both convolutions of a `Composed`."""


@dataclass(frozen=True, slots=True)
class WayUp:
    """Nodes before a convolution that sees a coarser level, enlarged, beside its own level.

    Attributes
    ----------
    up, beside : Node
        The transposed convolution; what its answer is joined with.
    joined : Node
        The join.
    """

    up: fx.Node
    beside: fx.Node
    joined: fx.Node


@dataclass(frozen=True, slots=True)
class Composed:
    """Weights of the two convolutions, whose answers are to be added to each other and the shift.

    Attributes
    ----------
    from_coarse : (C of the coarse level, C out, 1, stride + 2, stride + 2) float64 Tensor
        Of the transposed convolution, which keeps the stride of the given one.
    from_beside : (C out, C beside, 1, 3, 3) Tensor
        Of the plain one.
    shift : (1, C out, 1, height, width) float64 Tensor or None
        What the enlarging layer's bias adds: less along the border, beyond which the convolution
        sees 0 instead of it.
    """

    from_coarse: Tensor
    from_beside: Tensor
    shift: Tensor | None


def ways_up(graph: fx.Graph, layers: Mapping[str, nn.Module]) -> dict[fx.Node, WayUp]:
    """Find the convolutions that `composed` replaces, with what comes before them.

    Parameters
    ----------
    graph : Graph
        Of a traced network.
    layers : mapping of str to Module
        Its modules by the names that the graph knows them by.
    """
    found = {}
    for joined in graph.nodes:
        users, parts = list(joined.users), joined.all_input_nodes
        if joined.target is not torch.cat or len(parts) != _LEVELS_JOINED or len(users) != 1:
            continue
        up, beside = parts
        mixing, enlarging = (
            layers.get(str(node.target)) if node.op == "call_module" else None
            for node in (users[0], up)
        )
        if (
            len(up.users) == 1
            and isinstance(mixing, nn.Conv3d)
            and isinstance(enlarging, nn.ConvTranspose3d)
            and _is_within_slices(mixing, enlarging)
        ):
            found[users[0]] = WayUp(up, beside, joined)
    return found


def _is_within_slices(mixing: nn.Conv3d, enlarging: nn.ConvTranspose3d) -> bool:
    return (
        mixing.kernel_size == _KERNEL
        and tuple(mixing.padding) == PADDING
        and enlarging.kernel_size == enlarging.stride
        and enlarging.stride[0] == 1
        and tuple(enlarging.padding) == tuple(enlarging.output_padding) == (0, 0, 0)
        and all(
            tuple(layer.dilation) == (1, 1, 1) and layer.groups == 1
            for layer in (mixing, enlarging)
        )
        and tuple(mixing.stride) == (1, 1, 1)
    )


def composed(mixing: nn.Conv3d, enlarging: nn.ConvTranspose3d, height: int, width: int) -> Composed:
    """Give the weights that compute ``mixing`` of an enlarged level joined with another one.

    Parameters
    ----------
    mixing, enlarging : Module
        Layers of a convolution that `ways_up` found.
    height, width : int
        Of ``mixing``'s answer, in voxels.
    """
    from_up, from_beside = mixing.weight.detach().tensor_split([enlarging.out_channels], 1)
    plane = from_up[:, :, 0].double()
    # A transposed convolution of the small kernel with the turned one.
    kernel = nn.functional.conv_transpose2d(
        enlarging.weight.detach()[:, :, 0].double(), plane.flip(2, 3).transpose(0, 1)
    )
    shift = None
    if enlarging.bias is not None:
        level = enlarging.bias.detach().double().view(1, -1, 1, 1).expand(-1, -1, height, width)
        shift = nn.functional.conv2d(level, plane, padding=PADDING[1:])[:, :, None]
    return Composed(kernel[:, :, None], from_beside, shift)
