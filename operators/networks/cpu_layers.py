"""Layers of a 3-D U-Net as a CPU runs them fastest, with the same mathematics.

Three things cost most time in PyTorch's own layers on a CPU, and none needs to (measured on 1
thread of an EPYC with AVX-512, GFLOP/s): small fp32 convolutions take a path without oneDNN (4
instead of 50-110), every convolution of channels-first data is reordered twice (67 instead of 92),
and normalisation and activation each walk through memory several times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 2**17
"""Values handled at a time: half a megabyte in float32, so that they stay in the cache."""


class Convolution(nn.Module):
    """A 3-D convolution that always goes through oneDNN, channels last."""

    def __init__(self, layer: nn.Conv3d, dtype: torch.dtype) -> None:
        """Take over weights; ``layer`` must not be used afterwards."""
        super().__init__()
        weight = layer.weight.detach().to(dtype)
        self.weight = nn.Parameter(
            weight.contiguous(memory_format=torch.channels_last_3d), requires_grad=False
        )
        bias = layer.bias
        self.bias = (
            None if bias is None else nn.Parameter(bias.detach().to(dtype), requires_grad=False)
        )
        self._padding = [int(p) for p in layer.padding]
        self._geometry = ([*layer.stride], [*layer.dilation], layer.groups)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (1, C, Z, Y, X)."""
        stride, dilation, groups = self._geometry
        convolve = torch.mkldnn_convolution
        answer: Tensor = convolve(
            x, self.weight, self.bias, self._padding, stride, dilation, groups
        )
        return answer


class NormActivation(nn.Module):
    """Instance norm of a batch of one and, if wanted, leaky ReLU, in place and in the cache.

    Sums are kept in float64 per channel, so that large tiles lose nothing.
    """

    def __init__(self, norm: nn.InstanceNorm3d, slope: float | None) -> None:
        """Take over weights; ``slope`` is that of the leaky ReLU, None for no activation."""
        super().__init__()
        channels = norm.num_features
        affine = norm.affine
        self._weight = norm.weight.detach().double() if affine else torch.ones(channels)
        self._bias = norm.bias.detach().double() if affine else torch.zeros(channels)
        self._eps = norm.eps
        self._slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (1, C, Z, Y, X) over space; overwrites its input."""
        x = x.contiguous(memory_format=torch.channels_last_3d)
        rows = _rows(x)
        total = torch.zeros(x.shape[1], dtype=torch.float64)
        squares = torch.zeros_like(total)
        # Sums of squares need values near 0: a channel far from it would lose its variance.
        pivot = rows[0].float()
        for part in _chunks(rows):
            values = part - pivot
            total += values.sum(0)
            squares += (values * values).sum(0)
        offset = total / len(rows)
        variance = (squares / len(rows) - offset * offset).clamp_min_(0)
        scale = torch.rsqrt(variance + self._eps) * self._weight
        shift = (self._bias - (offset + pivot) * scale).float()
        scale = scale.float()
        for part in _chunks(rows):
            values = part.float()
            values.mul_(scale).add_(shift)
            if self._slope is not None:
                functional.leaky_relu_(values, self._slope)
            if values.dtype != part.dtype:
                part.copy_(values)
        return x


class Upsampling(nn.Module):
    """A transposed convolution whose kernel is its stride: one matrix product per voxel."""

    def __init__(self, layer: nn.ConvTranspose3d, dtype: torch.dtype) -> None:
        """Take over weights; see `is_plain_upsampling` for what is possible."""
        super().__init__()
        weight = layer.weight.detach().to(dtype)  # (C in, C out, kernel)
        self._factors = [int(s) for s in layer.stride]
        self._channels = weight.shape[1]
        self._weight = weight.permute(0, 2, 3, 4, 1).reshape(weight.shape[0], -1).contiguous()
        self._bias = None
        if layer.bias is not None:
            copies = self._weight.shape[1] // self._channels
            self._bias = layer.bias.detach().to(dtype).repeat(copies)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge (1, C, Z, Y, X) by the stride."""
        z, y, x_size = x.shape[2:]
        rows = _rows(x.contiguous(memory_format=torch.channels_last_3d))
        product = rows @ self._weight
        if self._bias is not None:
            product += self._bias
        a, b, c = self._factors
        parts = product.view(z, y, x_size, a, b, c, self._channels).permute(0, 3, 1, 4, 2, 5, 6)
        out = parts.reshape(1, z * a, y * b, x_size * c, self._channels)
        return out.permute(0, 4, 1, 2, 3)


def is_plain_upsampling(layer: nn.ConvTranspose3d) -> bool:
    """Tell whether every output voxel of a transposed convolution has exactly one input voxel."""
    return (
        tuple(layer.kernel_size) == tuple(layer.stride)
        and not any(int(p) for p in (*layer.padding, *layer.output_padding))
        and set(layer.dilation) == {1}
        and layer.groups == 1
    )


class Head(nn.Module):
    """A 1 x 1 x 1 convolution whose sums and output are float32 whatever the input is."""

    def __init__(self, layer: nn.Conv3d) -> None:
        """Take over weights of a convolution with a kernel of one voxel."""
        super().__init__()
        heads, channels = layer.weight.shape[:2]
        bias = torch.zeros(heads) if layer.bias is None else layer.bias.detach()
        self._weight = layer.weight.detach().float().reshape(heads, channels).T.contiguous()
        self._bias = bias.float()

    def forward(self, x: Tensor) -> Tensor:
        """Classify (1, C, Z, Y, X); answers (1, heads, Z, Y, X), channels last."""
        rows = _rows(x.contiguous(memory_format=torch.channels_last_3d))
        weight, bias = self._weight, self._bias
        out = torch.empty((len(rows), weight.shape[1]), dtype=torch.float32)
        step = max(1, _CHUNK // x.shape[1])
        for start in range(0, len(rows), step):
            stop = start + step
            torch.addmm(bias, rows[start:stop].float(), weight, out=out[start:stop])
        return out.view(1, *x.shape[2:], -1).permute(0, 4, 1, 2, 3)


def install_cpu_layers(module: nn.Module, dtype: torch.dtype) -> None:
    """Replace the layers below a module by the ones above, wherever they mean the same.

    Parameters
    ----------
    module : Module
        Changed in place. Layers of other kinds stay as they are.
    dtype : dtype
        float32 or bfloat16: number format of the convolutions and of what lies between them.
    """
    children = list(module.named_children())
    for index, (name, child) in enumerate(children):
        if isinstance(child, nn.Conv3d):
            if not isinstance(child.padding, str) and child.padding_mode == "zeros":
                setattr(module, name, Convolution(child, dtype))
        elif isinstance(child, nn.ConvTranspose3d):
            plain = is_plain_upsampling(child)
            setattr(module, name, Upsampling(child, dtype) if plain else child.to(dtype))
        elif isinstance(child, nn.InstanceNorm3d) and not child.track_running_stats:
            slope = _slope_of_next(module, children, index)
            setattr(module, name, NormActivation(child, slope))
        else:
            install_cpu_layers(child, dtype)


def _slope_of_next(
    module: nn.Module, children: list[tuple[str, nn.Module]], index: int
) -> float | None:
    """Fuse the activation that follows in a sequence, and take it out of there."""
    if not isinstance(module, nn.Sequential) or index + 1 == len(children):
        return None
    name, following = children[index + 1]
    if not isinstance(following, nn.LeakyReLU):
        return None
    setattr(module, name, nn.Identity())
    return float(following.negative_slope)


def _rows(x: Tensor) -> Tensor:
    """View (1, C, Z, Y, X), channels last, as (voxels, C)."""
    return x.permute(0, 2, 3, 4, 1).reshape(-1, x.shape[1])


def _chunks(rows: Tensor) -> Iterator[Tensor]:
    step = max(1, _CHUNK // rows.shape[1])
    return (rows[start : start + step] for start in range(0, len(rows), step))
