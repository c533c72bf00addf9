"""Write instance networks in the published format, a Lightning checkpoint and a configuration."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

import torch

from app.research.training.formats import INSTANCE_WEIGHTS, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from app.research.training.presets import InstancePreset

_BODY_MM3, _VERTEBRA_MM3 = 42.0, 236.0
"""Smallest body and vertebra that phase 2 keeps; the vertebra's is SPINEPS's own in mm3."""


def write_instance_model(
    folder: Path, weights: dict[str, torch.Tensor], preset: InstancePreset, *, steps: int
) -> None:
    """Write a Lightning-like checkpoint of the instance network with its configuration.

    Parameters
    ----------
    folder : Path
        Created if needed; receives inference_config.json and one ``*weights*.ckpt``.
    weights : dict of str to Tensor
        State dict of the Unet3D without prefix.
    preset : InstancePreset
        Size of the cut-out (divisible by 8) and spacing.
    steps : int
        Training steps, for the file's name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "inference_config.json", _instance_config(folder.name, preset))
    for old in folder.glob(INSTANCE_WEIGHTS):
        old.unlink()
    checkpoint = _lightning_checkpoint(weights, preset, steps)
    torch.save(checkpoint, folder / f"step={steps}-weights.ckpt")


def _instance_config(name: str, preset: InstancePreset) -> dict[str, Any]:
    voxel = math.prod(preset.cutout.spacing_mm)
    return {
        "log_name": name,
        "modality": ["SEG"],
        "acquisition": "sag",
        "modeltype": "unet",
        "model_expected_orientation": ["P", "I", "R"],
        "available_folds": 1,
        "inference_augmentation": False,
        "resolution_range": list(preset.cutout.spacing_mm),
        "default_step_size": 1.0,
        "labels": {"1": 1, "2": 2, "3": 3},
        "expected_inputs": ["seg"],
        "cutout_size": list(preset.cutout.shape),
        "corpus_size_cleaning": round(_BODY_MM3 / voxel),
        "vert_size_threshold": round(_VERTEBRA_MM3 / voxel),
    }


def _lightning_checkpoint(
    weights: dict[str, torch.Tensor], preset: InstancePreset, steps: int
) -> dict[str, Any]:
    dim, channels = weights["init_conv.weight"].shape[:2]
    # SPINEPS reads its training options back when it loads a checkpoint, so all must be there.
    options = argparse.Namespace(
        channelwise=True,
        dim=int(dim),
        num_channels=int(channels),
        n_epoch=1,
        lr=preset.schedule.peak,
        lr_end_factor=preset.schedule.floor,
        l2_reg_w=1e-4,
        dsc_loss_w=1.0,
    )
    return {
        "state_dict": {f"network.{name}": tensor for name, tensor in weights.items()},
        "hyper_parameters": {
            "opt": options,
            "do2D": False,
            "dim": int(dim),
            "num_channels": int(channels),
        },
        "pytorch-lightning_version": "2.5.0",
        "epoch": 0,
        "global_step": steps,
    }
