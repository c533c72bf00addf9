"""Layers of the instance network that work some planes at a time and reuse memory.

Activations are (P, I, R, C) tensors with their channels last. Nothing here knows the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from operators.networks import winograd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from operators.networks.unet3d import ConvBlock, ResidualBlock

_BYTES_AT_A_TIME = 6 * 2**20
"""Input of one convolution; some planes of it fit the processor's last cache."""

_VALUES_IN_CACHE = 2**18
"""Float32 values that pass through a norm at a time; 1 MB, a core's own cache."""


class Pool:
    """Tensors that wait to be used again: fresh memory costs the time to be cleared."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self._dtype, self._device = dtype, device
        self._waiting: dict[tuple[int, ...], list[Tensor]] = {}

    def take(self, size: Sequence[int], channels: int) -> Tensor:
        """Hand out a (P, I, R, C) tensor with any content."""
        shape = (*size, channels)
        if waiting := self._waiting.get(shape):
            return waiting.pop()
        return torch.empty(shape, dtype=self._dtype, device=self._device)

    def give(self, tensor: Tensor) -> None:
        """Take back a tensor that nobody reads any more."""
        self._waiting.setdefault(tuple(tensor.shape), []).append(tensor)


def halved(pool: Pool, layer: nn.Module, x: Tensor) -> Tensor:
    """Halve the resolution into fresh memory; on the coarsest level hand on a copy."""
    small = x if isinstance(layer, nn.Identity) else layer(_channels_first(x))[0].movedim(0, -1)
    halved = pool.take(small.shape[:3], small.shape[3])
    halved.copy_(small)
    return halved


def doubled(pool: Pool, layer: nn.Module, x: Tensor) -> Tensor:
    """Double the resolution and give up the input; on the finest level hand it on."""
    if not isinstance(layer, nn.ConvTranspose3d):
        return x
    doubled = pool.take([2 * size for size in x.shape[:3]], layer.out_channels)
    for start, stop, seen in _windows((x,), x.shape[3]):
        # One plane more than needed at either end: padding 3 instead of 1 cuts them off again.
        y = functional.conv_transpose3d(seen, layer.weight, layer.bias, stride=2, padding=(3, 1, 1))
        doubled[2 * start : 2 * stop] = y[0].movedim(0, -1)
    pool.give(x)
    return doubled


def residual(pool: Pool, block: nn.Module, *parts: Tensor) -> Tensor:
    """Apply one residual block; the parts are its input's channels and stay unchanged."""
    block = cast("ResidualBlock", block)
    y = pool.take(parts[0].shape[:3], block.block1.proj.out_channels)
    sums = _convolve(parts, block.block1.proj, y)
    _normalise_in_place(y, block.block1, sums)
    sums = _convolve((y,), block.block2.proj, y)
    _normalise_in_place(y, block.block2, sums, _Shortcut(block.res_conv, parts))
    return y


def _convolve(parts: tuple[Tensor, ...], layer: nn.Conv3d, out: Tensor) -> Tensor:
    """Convolve with 3^3 and padding 1, some planes at a time.

    ``out`` may be the input itself. Returns the sums of the result and of its squares per channel,
    (2, C) float64.
    """
    sums = torch.zeros((2, out.shape[3]), dtype=torch.float64, device=out.device)
    kernels = _mixed_kernels(layer, out)
    for start, stop, seen in _windows(parts, layer.in_channels, whole_groups=kernels is not None):
        if kernels is None:
            y = functional.conv3d(seen, layer.weight, layer.bias, padding=(0, 1, 1))
            out[start:stop] = y[0].movedim(0, -1)
        else:
            _convolve_by_planes(seen[0].movedim(1, 0), kernels, layer, out[start:stop])
        for portion in _portions(out[start:stop].flatten(0, 2)):
            values = portion.float()
            sums[0] += values.sum(dim=0)
            sums[1] += (values * values).sum(dim=0)
    return sums


def _mixed_kernels(layer: nn.Conv3d, out: Tensor) -> Tensor | None:
    """Kernels of the six plane convolutions (`winograd`), made once; None where they do not pay.

    bfloat16 keeps too few digits for the mixtures, and other devices have faster ways of their own.
    """
    if out.dtype != torch.float32 or out.device.type != "cpu":
        return None
    if not winograd.saves_work(layer, out.shape[0]):
        return None
    kernels = getattr(layer, "mixed_kernels", None)
    if not isinstance(kernels, Tensor):
        mixed = winograd.mixed_kernels(layer.weight)
        layer.mixed_kernels = kernels = mixed.movedim(2, -1).contiguous().movedim(-1, 2)
    return kernels


def _convolve_by_planes(planes: Tensor, kernels: Tensor, layer: nn.Conv3d, out: Tensor) -> None:
    """Convolve (N + 2, C, I, R), channels last, into (N, I, R, O), four planes at a time."""
    groups = winograd.groups(len(out))
    places = (planes[place :: winograd.OUT][:groups] for place in range(winograd.IN))
    mixed = winograd.mixed_planes(tuple(places), _plus)
    products = [
        functional.conv2d(
            plane, kernel, layer.bias if place == winograd.IN_EVERY_SUM else None, padding=1
        )
        for place, (plane, kernel) in enumerate(zip(mixed, kernels, strict=True))
    ]
    for place, found in enumerate(winograd.sums_of(products, _plus)):
        rest = out[place :: winograd.OUT]
        rest.copy_(found[: len(rest)].movedim(1, -1))


def _plus(a: Tensor, b: Tensor, factor: float) -> Tensor:
    return torch.add(a, b, alpha=factor)


def _windows(
    parts: tuple[Tensor, ...], channels: int, *, whole_groups: bool = False
) -> Iterator[tuple[int, int, Tensor]]:
    """Yield planes from ``start`` to ``stop`` with one more at either end, zeros at the border.

    What was yielded may be overwritten in the parts: the plane that the next window needs of it
    is kept. ``whole_groups``: more planes of zeros at the end, for convolution by planes.
    """
    count, height, width = parts[0].shape[:3]
    plane_bytes = height * width * channels * parts[0].element_size()
    step = _at_a_time(_BYTES_AT_A_TIME, plane_bytes, count, parts[0].device)
    if whole_groups:
        step = winograd.OUT * winograd.groups(step)
    window = parts[0].new_zeros((step + 2, height, width, channels))
    for start in range(0, count, step):
        stop = min(start + step, count)
        behind = min(stop + 1, count)
        window[0] = window[step] if start else 0
        torch.cat([part[start:behind] for part in parts], -1, out=window[1 : behind - start + 1])
        window[behind - start + 1 :] = 0
        filled = winograd.OUT * winograd.groups(stop - start) if whole_groups else stop - start
        yield start, stop, _channels_first(window[: filled + 2])


class _Shortcut:
    """The other way around a residual block: its input, or a 1^3 convolution of it."""

    def __init__(self, layer: nn.Module, parts: tuple[Tensor, ...]) -> None:
        self._parts = [part.flatten(0, 2) for part in parts]
        self._layer = None
        if isinstance(layer, nn.Conv3d):
            matrix = layer.weight.flatten(1).float().T
            weights = torch.split(matrix, [part.shape[1] for part in self._parts])
            self._layer = weights, cast("Tensor", layer.bias).float()

    def add_to(self, values: Tensor, start: int) -> None:
        """Add the rows from ``start`` on."""
        rows = [part[start : start + len(values)] for part in self._parts]
        if self._layer is None:
            values += rows[0]
            return
        weights, bias = self._layer
        values += bias
        for row, weight in zip(rows, weights, strict=True):
            values.addmm_(row.float(), weight)


def _normalise_in_place(
    x: Tensor, block: ConvBlock, sums: Tensor, shortcut: _Shortcut | None = None
) -> None:
    """Group norm by the given sums, LeakyReLU, and the sum with the shortcut."""
    norm, voxels = block.norm, x.flatten(0, 2)
    each = x.shape[3] // norm.num_groups
    grouped = (sums / len(voxels)).view(2, norm.num_groups, each).mean(dim=2)
    mean, square = grouped.repeat_interleave(each, dim=1)
    scale = norm.weight.double() / (square - mean.square() + norm.eps).sqrt()
    shift = (norm.bias.double() - mean * scale).float()
    scale = scale.float()
    start = 0
    for portion in _portions(voxels):
        values = torch.addcmul(shift, portion.float(), scale)
        functional.leaky_relu_(values, block.act.negative_slope)
        if shortcut is not None:
            shortcut.add_to(values, start)
        portion.copy_(values)
        start += len(portion)


def _portions(voxels: Tensor) -> Iterator[Tensor]:
    """Split (N, C) into portions that fit the processor's cache."""
    size = _at_a_time(_VALUES_IN_CACHE, voxels.shape[1], len(voxels), voxels.device)
    return iter(torch.split(voxels, size))


def _at_a_time(budget: int, cost: int, count: int, device: torch.device) -> int:
    """How many items go together: all of them on a device other than the CPU."""
    return max(1, min(count, budget // cost)) if device.type == "cpu" else count


def _channels_first(x: Tensor) -> Tensor:
    """View (P, I, R, C) as (1, C, P, I, R)."""
    return x.movedim(-1, 0)[None]
