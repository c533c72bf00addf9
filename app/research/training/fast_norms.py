"""Norms for batches of one image: the same numbers and parameter names, several times faster.

With one image per batch, batch statistics are the image's own; torch's batch norm keeps
channels-last memory and bfloat16, where instance and group norm on a CPU copy or crawl.
"""

from __future__ import annotations

import torch
from torch.nn import functional


class SingleImageInstanceNorm(torch.nn.Module):
    """InstanceNorm3d with affine parameters, for (1, C, Z, Y, X) tensors."""

    def __init__(self, channels: int, eps: float = 1e-5, affine: bool = True) -> None:  # noqa: FBT001, FBT002 - signature of InstanceNorm3d
        super().__init__()
        if not affine:
            raise ValueError("the compact networks have affine norms")
        self.weight = torch.nn.Parameter(torch.ones(channels))
        self.bias = torch.nn.Parameter(torch.zeros(channels))
        self._eps = eps

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Normalise each channel."""
        return _normalise(image, self.weight, self.bias, self._eps)


class SingleImageGroupNorm(torch.nn.Module):
    """GroupNorm with affine parameters, for (1, C, Z, Y, X) tensors."""

    def __init__(self, groups: int, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(channels))
        self.bias = torch.nn.Parameter(torch.zeros(channels))
        self._groups, self._eps = groups, eps

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Normalise each group of channels."""
        if image.shape[1] == self._groups:
            return _normalise(image, self.weight, self.bias, self._eps)
        grouped = image.contiguous().view(1, self._groups, -1, *image.shape[3:])
        flat = _normalise(grouped, None, None, self._eps).view(image.shape)
        scale, shift = (x.view(1, -1, 1, 1, 1).to(flat.dtype) for x in (self.weight, self.bias))
        return (flat * scale + shift).contiguous(memory_format=torch.channels_last_3d)


def _normalise(
    image: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None, eps: float
) -> torch.Tensor:
    return functional.batch_norm(image, None, None, weight, bias, training=True, eps=eps)


def with_fast_group_norms(network: torch.nn.Module) -> torch.nn.Module:
    """Exchange every GroupNorm of a network, in place; the state dict keeps its names."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, torch.nn.GroupNorm):
                norm = SingleImageGroupNorm(child.num_groups, child.num_channels, child.eps)
                setattr(parent, name, norm)
    return network
