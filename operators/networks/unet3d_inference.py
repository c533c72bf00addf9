"""The instance network, ready to run on one cutout at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.networks.unet3d import Unet3D

Precision = Literal["auto", "float32", "bfloat16"]

LEGACY_SCALE = 9.0
"""Networks of one channel see label / 9."""


class Unet3DInference:
    """Runs a Unet3D on label cutouts."""

    def __init__(self, unet: Unet3D, *, device: str, precision: Precision = "auto") -> None:
        self.shape = unet.shape
        self.precision = precision
        self.device = torch.device(device)
        self._unet = unet.to(self.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    @torch.inference_mode()
    def answer(self, classes_zyx: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Classify every voxel of one cutout.

        Parameters
        ----------
        classes_zyx : (Z, Y, X) ndarray of uint8
            Input classes in PIR orientation; those the network has no channel for are background.

        Returns
        -------
        (Z, Y, X) ndarray of uint8
            0 background, 1 vertebra above, 2 the centre's own, 3 below.
        """
        pir = torch.from_numpy(np.ascontiguousarray(classes_zyx.transpose(2, 1, 0)))
        pir = pir.to(self.device)
        channels = self.shape.channels_in
        if channels == 1:
            batch = (pir.float() / LEGACY_SCALE)[None, None]
        else:
            pir = torch.where(pir < channels, pir, 0)
            batch = functional.one_hot(pir.long(), channels).float()[None].movedim(-1, 1)
        classes = self._unet(batch).argmax(dim=1)[0].to(torch.uint8)
        answer: NDArray[np.uint8] = classes.cpu().numpy().transpose(2, 1, 0)
        return answer
