"""Instance model folders in the published format, with random weights."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING

import torch

from operators.networks.unet3d import Unet3D, Unet3DShape

if TYPE_CHECKING:
    from pathlib import Path


def random_unet3d(
    *, dim: int = 8, channels: int = 10, classes: int = 4, seed: int = 0, levels: int = 4
) -> Unet3D:
    """A network whose weights are PyTorch's own initialisation from one seed."""
    shape = Unet3DShape(
        channels_in=channels,
        dim=dim,
        widths=tuple(dim * 2**level for level in range(levels)),
        classes_out=classes,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = Unet3D(shape).eval().requires_grad_(requires_grad=False)
        # Norms that begin at scale 1 and shift 0 would hide an exchange of the two.
        for name, parameter in unet.named_parameters():
            if ".norm." in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return unet


def lightning_checkpoint(unet: Unet3D) -> dict[str, object]:
    """What Lightning saves of a training, options object included."""
    return {
        "epoch": 1,
        "pytorch-lightning_version": "2.6.6",
        "state_dict": {f"network.{name}": value for name, value in unet.state_dict().items()},
        "hyper_parameters": {"opt": Namespace(lr=1e-4, n_epoch=1), "do2D": False},
    }


def write_instance_model(
    folder: Path,
    unet: Unet3D,
    *,
    spacing_pir_mm: tuple[float, float, float] = (2.25, 2.25, 3.3),
    cutout_size: tuple[int, int, int] = (32, 40, 16),
) -> Path:
    """A complete instance model folder; returns it."""
    (folder / "checkpoints").mkdir(parents=True)
    torch.save(lightning_checkpoint(unet), folder / "checkpoints" / "epoch=1-weights.ckpt")
    config = {
        "log_name": "random",
        "modality": ["SEG"],
        "acquisition": "sag",
        "modeltype": "unet",
        "model_expected_orientation": ["P", "I", "R"],
        "available_folds": 1,
        "inference_augmentation": False,
        "resolution_range": list(spacing_pir_mm),
        "default_step_size": 1.0,
        "labels": {"1": 1, "2": 2, "3": 3},
        "expected_inputs": ["seg"],
        "cutout_size": list(cutout_size),
    }
    (folder / "inference_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
