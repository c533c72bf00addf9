"""The instance network of SPINEPS: a 3-D U-Net whose shape is read from its own weights.

Both published layouts (dim 16 with 10 channels, dim 8 with 1 or 11) are one architecture with the
same tensor names. This module knows neither files nor label maps, and does not try to be fast:
that is ``unet3d_inference``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from operators.errors import ModelUnusableError

if TYPE_CHECKING:
    from collections.abc import Mapping

NORM_GROUPS = 8
"""Groups of every GroupNorm; the one number that the weights do not tell."""

_PREFIX = "network."
_DIMENSIONS_OF_KERNEL = 5
_FIRST_KERNEL_VOXELS = 7


@dataclass(frozen=True, kw_only=True)
class Unet3DShape:
    """Everything that distinguishes one Unet3D from another.

    Attributes
    ----------
    channels_in : int
        Channels of the input: 1 (label / 9) or the number of one-hot classes.
    dim : int
        Features of the first convolution.
    widths : tuple of int
        Features of each level, full resolution first; every further level halves the resolution.
    classes_out : int
        Channels of the output.
    """

    channels_in: int
    dim: int
    widths: tuple[int, ...]
    classes_out: int

    @property
    def divisor(self) -> int:
        """Number by which the input's size must be divisible on every axis."""
        return int(2 ** (len(self.widths) - 1))


class ConvBlock(nn.Module):
    """Convolution of 3^3, GroupNorm, LeakyReLU."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(width_in, width_out, 3, padding=1)
        self.norm = nn.GroupNorm(NORM_GROUPS, width_out)
        self.act = nn.LeakyReLU(0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to a (B, C, Z, Y, X) tensor."""
        activated: Tensor = self.act(self.norm(self.proj(x)))
        return activated


class ResidualBlock(nn.Module):
    """Two convolution blocks and a residual sum without activation."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.block1 = ConvBlock(width_in, width_out)
        self.block2 = ConvBlock(width_out, width_out)
        self.res_conv = (
            nn.Conv3d(width_in, width_out, 1) if width_in != width_out else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to a (B, C, Z, Y, X) tensor."""
        result: Tensor = self.block2(self.block1(x)) + self.res_conv(x)
        return result


class Unet3D(nn.Module):
    """Residual U-Net that averages its skip connections.

    Notes
    -----
    The skip is taken before the strided convolution, the decoder continues with the mean of its
    input and the skip, and the first convolution's result joins again before the last block.

    References
    ----------
    Möller et al., SPINEPS, Eur Radiol 2024, doi 10.1007/s00330-024-11155-y; tensor names as in
    SPINEPS 2.1.3 ``architectures/unet3D.py``.
    """

    def __init__(self, shape: Unet3DShape) -> None:
        """Build the layers with random weights.

        Parameters
        ----------
        shape : Unet3DShape
            Widths must be divisible by `NORM_GROUPS`.
        """
        super().__init__()
        self.shape = shape
        steps = list(zip((shape.dim, *shape.widths[:-1]), shape.widths, strict=True))
        last = len(steps) - 1
        self.init_conv = nn.Conv3d(shape.channels_in, shape.dim, _FIRST_KERNEL_VOXELS, padding=3)
        self.downs = nn.ModuleList(
            nn.ModuleList([ResidualBlock(a, b), ResidualBlock(b, b), _halve(b, level == last)])
            for level, (a, b) in enumerate(steps)
        )
        self.mid_block1 = ResidualBlock(shape.widths[-1], shape.widths[-1])
        self.mid_block2 = ResidualBlock(shape.widths[-1], shape.widths[-1])
        self.ups = nn.ModuleList(
            nn.ModuleList([ResidualBlock(b, a), ResidualBlock(a, a), _double(a, level == last)])
            for level, (a, b) in enumerate(reversed(steps))
        )
        self.final_res_block = ResidualBlock(2 * shape.dim, shape.dim)
        self.final_conv = nn.Conv3d(shape.dim, shape.classes_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        x : (B, channels_in, P, I, R) tensor
            Sizes divisible by ``shape.divisor``.

        Returns
        -------
        (B, classes_out, P, I, R) tensor
            Logits.

        Raises
        ------
        ValueError
            If a size is not divisible.
        """
        if any(size % self.shape.divisor for size in x.shape[2:]):
            message = f"size {tuple(x.shape[2:])} is not divisible by {self.shape.divisor}"
            raise ValueError(message)
        first = x = self.init_conv(x)
        skips = []
        for block1, block2, halve in layers_of(self.downs):
            x = block2(block1(x))
            skips.append(x)
            x = halve(x)
        x = self.mid_block2(self.mid_block1(x))
        for block1, block2, double in layers_of(self.ups):
            x = double(block2(block1(0.5 * (x + skips.pop()))))
        logits: Tensor = self.final_conv(self.final_res_block(torch.cat((x, first), dim=1)))
        return logits


def layers_of(levels: nn.ModuleList) -> list[tuple[nn.Module, nn.Module, nn.Module]]:
    """Two residual blocks and the change of resolution, for each level of one side of the U."""
    return [
        cast("tuple[nn.Module, nn.Module, nn.Module]", tuple(level.children())) for level in levels
    ]


def _halve(width: int, is_last: bool) -> nn.Module:  # noqa: FBT001 - reads as one of two layers
    return nn.Identity() if is_last else nn.Conv3d(width, width, 4, stride=2, padding=1)


def _double(width: int, is_last: bool) -> nn.Module:  # noqa: FBT001 - as above
    return nn.Identity() if is_last else nn.ConvTranspose3d(width, width, 4, stride=2, padding=1)


def unet3d_from_checkpoint(checkpoint: Mapping[str, object]) -> Unet3D:
    """Build the network that a Lightning checkpoint describes and load its weights.

    Parameters
    ----------
    checkpoint : mapping
        Content of a Lightning ``.ckpt``; only ``state_dict`` is used, of it the tensors below
        ``network.`` (losses and metrics of the training may lie beside them).

    Returns
    -------
    Unet3D
        On the CPU, float32, in evaluation mode.

    Raises
    ------
    ModelUnusableError
        ``unet3d_state_missing``, ``unet3d_shape_unknown``, ``unet3d_weights_mismatch`` or
        ``unet3d_weights_not_finite``.
    """
    state = checkpoint.get("state_dict")
    weights = {
        name.removeprefix(_PREFIX): tensor.float()
        for name, tensor in (state.items() if isinstance(state, dict) else ())
        if isinstance(name, str) and name.startswith(_PREFIX) and isinstance(tensor, Tensor)
    }
    if not weights:
        raise ModelUnusableError(
            "the checkpoint holds no tensors named 'network.*'", reasons=("unet3d_state_missing",)
        )
    network = Unet3D(_shape_of(weights))
    _load(network, weights)
    return network.eval().requires_grad_(requires_grad=False)


def _load(network: Unet3D, weights: dict[str, Tensor]) -> None:
    """Load strictly; say how many tensors disagree and name the first."""
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    wrong = sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    )
    if wrong:
        message = (
            f"{len(wrong)} tensors do not fit a Unet3D of dim {network.shape.dim}: {wrong[0]} is "
            f"{found.get(wrong[0], 'missing')}, expected {expected.get(wrong[0], 'none')}"
        )
        raise ModelUnusableError(message, reasons=("unet3d_weights_mismatch",))
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise ModelUnusableError(
            "the weights hold values that are not finite", reasons=("unet3d_weights_not_finite",)
        )
    network.load_state_dict(weights, strict=True)


def _shape_of(weights: Mapping[str, Tensor]) -> Unet3DShape:
    """Read the architecture from the weights' shapes."""
    first, final = weights.get("init_conv.weight"), weights.get("final_conv.weight")
    widths: list[int] = []
    while (level := weights.get(f"downs.{len(widths)}.1.block2.norm.weight")) is not None:
        widths.append(len(level))
    if (
        first is None
        or final is None
        or first.ndim != _DIMENSIONS_OF_KERNEL
        or final.ndim != _DIMENSIONS_OF_KERNEL
        or not widths
        or any(width % NORM_GROUPS for width in (first.shape[0], *widths))
    ):
        raise ModelUnusableError(
            "the tensors are not those of a Unet3D", reasons=("unet3d_shape_unknown",)
        )
    return Unet3DShape(
        channels_in=first.shape[1],
        dim=first.shape[0],
        widths=tuple(widths),
        classes_out=final.shape[0],
    )
