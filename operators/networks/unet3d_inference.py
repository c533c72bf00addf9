"""The instance network made fast and small, one cutout at a time.

The same network with the same result up to rounding. Different from ``Unet3D.forward``: the first
layer works on labels (``label_convolution``); activations are bfloat16 where the processor
multiplies in it, while all sums, norms, shortcuts and the last layer are float32; a layer works
through its input some planes at a time, so that sums are taken while the planes are still in the
processor's cache and the second convolution of a block overwrites its own input. Three tensors of
full resolution exist at a time, and the next cutout takes over their memory.

Leaving out background was tried and dropped: a group norm sees the whole cutout, and zero padding
reaches so far inwards that any shortened cutout changed the result (Dice 0.90-0.99).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from operators.networks.label_convolution import LabelConvolution
from operators.networks.precision import computes_in_bfloat16
from operators.networks.unet3d import layers_of
from operators.networks.unet3d_layers import Pool, doubled, halved, residual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.networks.precision import Asked
    from operators.networks.unet3d import Unet3D

_NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16"}


class Unet3DInference:
    """A Unet3D that classifies label cutouts.

    Attributes
    ----------
    shape : Unet3DShape
        The network's architecture.
    profile : str
        Device and number format, for example ``cpu-bf16``: results agree bit by bit only
        within one profile.
    """

    def __init__(self, unet: Unet3D, *, device: str = "cpu", precision: Asked = "auto") -> None:
        """Take over a network's weights.

        Parameters
        ----------
        unet : Unet3D
            Left unchanged.
        device : str
            Torch device.
        precision : {"auto", "fp32", "bf16"}
            Number format of the activations; auto takes bfloat16 where the device computes in it.
        """
        self.shape = unet.shape
        self._device = torch.device(device)
        self._dtype = _dtype(precision, self._device)
        self.profile = f"{self._device.type}-{_NAMES[self._dtype]}"
        first = unet.init_conv
        bias = cast("Tensor", first.bias)
        self._first = LabelConvolution(first.weight.to(self._device), bias.to(self._device))
        self._layers = _copied(unet, self._device, self._dtype)
        self._pools: list[Pool] = []

    def release_memory(self) -> None:
        """Give up what was kept for the next cutout."""
        self._pools.clear()

    @torch.inference_mode()
    def answer(self, classes_zyx: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Classify every voxel of one cutout; several threads may ask at a time.

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
        pir = torch.from_numpy(np.ascontiguousarray(classes_zyx.transpose(2, 1, 0)))
        try:
            pool = self._pools.pop()
        except IndexError:  # asked before popping, another thread could be faster
            pool = Pool(self._dtype, self._device)
        answer = self._forward(pir.to(self._device), pool).cpu().numpy()
        self._pools.append(pool)
        found: NDArray[np.uint8] = answer.transpose(2, 1, 0)
        return found

    def _forward(self, classes: Tensor, pool: Pool) -> Tensor:
        """Run the U-Net; activations are (P, I, R, C), their channels last."""
        unet = self._layers
        first = pool.take(classes.shape, self.shape.dim)
        self._first.write(classes, first)
        skips: list[Tensor] = []
        x = first
        for block1, block2, halve in layers_of(unet.downs):
            y = residual(pool, block1, x)
            if x is not first:
                pool.give(x)
            x = residual(pool, block2, y)
            pool.give(y)
            skips.append(x)
            x = halved(pool, halve, x)
        x = _through(pool, unet.mid_block1, unet.mid_block2, x)
        for block1, block2, double in layers_of(unet.ups):
            # The skip's own memory takes the mean; nobody needs it afterwards.
            mean = skips.pop().add_(x).mul_(0.5)
            pool.give(x)
            x = doubled(pool, double, _through(pool, block1, block2, mean))
        y = residual(pool, unet.final_res_block, x, first)
        answer = self._classified(y)
        for tensor in (first, x, y):
            pool.give(tensor)
        return answer

    def _classified(self, x: Tensor) -> Tensor:
        """Apply the last layer and take the class of the highest logit."""
        last = self._layers.final_conv
        weight, bias = last.weight.flatten(1).float().T, cast("Tensor", last.bias).float()
        answer = torch.empty(x.shape[:3], dtype=torch.uint8, device=x.device)
        for plane, found in zip(x, answer, strict=True):
            found.copy_((plane.float() @ weight + bias).argmax(dim=-1))
        return answer


def _through(pool: Pool, block1: nn.Module, block2: nn.Module, x: Tensor) -> Tensor:
    """Apply two residual blocks and give up their input."""
    y = residual(pool, block1, x)
    pool.give(x)
    result = residual(pool, block2, y)
    pool.give(y)
    return result


def _dtype(precision: Asked, device: torch.device) -> torch.dtype:
    if precision == "auto":
        return torch.bfloat16 if computes_in_bfloat16(device) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


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
