"""The instance network made fast and small for one cutout at a time.

Same network, same result up to rounding. What is different from ``Unet3D.forward``: the first
layer works on labels (``label_convolution``), wide stretches of background are left out
(``unet3d_folding``), activations are bfloat16 where the processor multiplies in it (all sums,
norms and the final layer are float32), norms and activations work in place, plane by plane,
inside the processor's cache, and skips are freed as soon as they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from operators.networks.label_convolution import LabelConvolution
from operators.networks.unet3d import layers_of
from operators.networks.unet3d_folding import fold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.networks.unet3d import ConvBlock, ResidualBlock, Unet3D

Precision = Literal["auto", "float32", "bfloat16"]

KEPT_VOXELS = 16
"""Background computed on either side of what is left out."""

_VALUES_IN_CACHE = 2**18


class Unet3DInference:
    """A Unet3D that classifies label cutouts.

    Attributes
    ----------
    shape : Unet3DShape
        The network's architecture.
    profile : str
        Device and number format, for example ``cpu-bfloat16``: results agree bit by bit only
        within one profile.
    """

    def __init__(
        self,
        unet: Unet3D,
        *,
        device: str = "cpu",
        precision: Precision = "auto",
        keep: int | None = KEPT_VOXELS,
    ) -> None:
        """Take over a network's weights.

        Parameters
        ----------
        unet : Unet3D
            Left unchanged.
        device : str
            Torch device.
        precision : "auto", "float32" or "bfloat16"
            Number format of the activations.
        keep : int or None
            Background planes to compute on either side of a left-out slab; None leaves nothing out.
        """
        self.shape = unet.shape
        self._device = torch.device(device)
        self._dtype = _dtype(precision, self._device)
        self._keep = keep
        self.profile = f"{self._device.type}-{str(self._dtype).removeprefix('torch.')}"
        first = unet.init_conv
        bias = cast("Tensor", first.bias)
        self._first = LabelConvolution(first.weight.to(self._device), bias.to(self._device))
        self._layers = _copied(unet, self._device, self._dtype)

    @torch.inference_mode()
    def answer(self, classes_zyx: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Classify every voxel of one cutout.

        Parameters
        ----------
        classes_zyx : (Z, Y, X) ndarray of uint8
            Input classes in PIR orientation, sizes divisible by ``shape.divisor``; those that the
            network has no channel for are background.

        Returns
        -------
        (Z, Y, X) ndarray of uint8
            0 background, 1 vertebra above, 2 the centre's own, 3 below.
        """
        # The network's weights expect P, I, R; our arrays are indexed R, I, P.
        pir = classes_zyx.transpose(2, 1, 0)
        keep = max(pir.shape) if self._keep is None else self._keep
        folds = fold(pir, keep, self.shape.divisor)
        folded = torch.from_numpy(pir[np.ix_(*(axis.kept() for axis in folds))])
        weights = [
            [torch.from_numpy(axis.plane_weights(level)).to(self._device) for axis in folds]
            for level in range(len(self.shape.widths))
        ]
        answer = self._forward(folded.to(self._device), weights).cpu().numpy()
        found: NDArray[np.uint8] = answer[np.ix_(*(axis.source() for axis in folds))]
        return found.transpose(2, 1, 0)

    def _forward(self, classes: Tensor, weights: list[list[Tensor]]) -> Tensor:
        unet = self._layers
        first = self._first(classes, self._dtype)
        skips: list[Tensor] = []
        x = first
        for (block1, block2, halve), level_weights in zip(
            layers_of(unet.downs), weights, strict=True
        ):
            x = _residual(block2, _residual(block1, x, level_weights), level_weights)
            skips.append(x)
            x = halve(x)
        for block in (unet.mid_block1, unet.mid_block2):
            x = _residual(block, x, weights[-1])
        for (block1, block2, double), level_weights in zip(
            layers_of(unet.ups), reversed(weights), strict=True
        ):
            # The skip's own memory takes the mean; nobody needs it afterwards.
            x = skips.pop().add_(x).mul_(0.5)
            x = double(_residual(block2, _residual(block1, x, level_weights), level_weights))
        x = torch.cat((x, first), dim=1)
        del first
        return self._classified(_residual(unet.final_res_block, x, weights[0]))

    def _classified(self, x: Tensor) -> Tensor:
        """Apply the last layer and take the class of the highest logit."""
        last = self._layers.final_conv
        weight, bias = last.weight.flatten(1).float().T, cast("Tensor", last.bias).float()
        answer = torch.empty(x.shape[2:], dtype=torch.uint8, device=x.device)
        for plane, found in zip(x[0].movedim(0, -1), answer, strict=True):
            found.copy_((plane.float() @ weight + bias).argmax(dim=-1))
        return answer


def _residual(block: nn.Module, x: Tensor, weights: list[Tensor]) -> Tensor:
    """One residual block; ``x`` stays unchanged."""
    block = cast("ResidualBlock", block)
    y: Tensor = block.block1.proj(x)
    _normalise_and_activate_in_place(y, block.block1, weights)
    y = block.block2.proj(y)
    # Only now, when the first block's result is freed: four large tensors at a time are the peak.
    _normalise_and_activate_in_place(y, block.block2, weights, block.res_conv(x))
    return y


def _normalise_and_activate_in_place(
    x: Tensor, block: ConvBlock, weights: list[Tensor], summand: Tensor | None = None
) -> None:
    """Group norm over the whole cutout, LeakyReLU, and the sum with the block's shortcut."""
    scale, shift = _scale_and_shift(x, block.norm, weights)
    slope = block.act.negative_slope
    planes = _planes(x)
    added = _portions(planes if summand is None else _planes(summand))
    for portion, other in zip(_portions(planes), added, strict=True):
        values = torch.addcmul(shift, portion.float(), scale)
        functional.leaky_relu_(values, slope)
        if summand is not None:
            values += other
        portion.copy_(values)


def _scale_and_shift(x: Tensor, norm: nn.GroupNorm, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Compute what a group norm multiplies by and adds, with planes counted by weight."""
    along, rows, columns = weights
    across = (rows[:, None] * columns[None, :]).flatten()
    sums = torch.zeros((2, x.shape[1]), dtype=torch.float64, device=x.device)
    planes = _planes(x)
    for portion, share in zip(
        _portions(planes), torch.split(along, _portion_size(planes)), strict=True
    ):
        weight = (share[:, None] * across).flatten()
        values = portion.float().flatten(0, 1)
        sums[0] += weight @ values
        sums[1] += weight @ values.square()
    count = along.sum(dtype=torch.float64) * across.sum(dtype=torch.float64)
    grouped = sums.view(2, norm.num_groups, -1).mean(dim=2) / count
    mean, square = grouped.repeat_interleave(x.shape[1] // norm.num_groups, dim=1)
    scale = norm.weight.double() / (square - mean.square() + norm.eps).sqrt()
    return scale.float(), (norm.bias.double() - mean * scale).float()


def _planes(x: Tensor) -> Tensor:
    """(1, C, P, I, R) in channels-last memory as (P, I * R, C), a view."""
    return x[0].movedim(0, -1).flatten(1, 2)


def _portions(planes: Tensor) -> tuple[Tensor, ...]:
    """Split into portions that fit the processor's cache (or not at all on another device)."""
    portions: tuple[Tensor, ...] = torch.split(planes, _portion_size(planes))
    return portions


def _portion_size(planes: Tensor) -> int:
    on_cpu = planes.device.type == "cpu"
    return max(1, _VALUES_IN_CACHE // planes[0].numel()) if on_cpu else len(planes)


def _dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Choose bfloat16 only where it's computed, not imitated."""
    if precision == "auto":
        fast = (
            torch.cuda.is_bf16_supported()
            if device.type == "cuda"
            else torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - no public question exists
        )
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _copied(unet: Unet3D, device: torch.device, dtype: torch.dtype) -> Unet3D:
    """Copy with convolutions in the wanted format and norms in float32."""
    copy = type(unet)(unet.shape)
    copy.load_state_dict(unet.state_dict())
    copy = copy.to(device).eval().requires_grad_(requires_grad=False)
    for module in copy.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            module.to(dtype=dtype)
            module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return copy
