"""Tiny nnU-Net folders in the published SPINEPS layout, with weights that compute something known.

The network is a real PlainConvUNet (or ResidualEncoderUNet) of a few hundred weights. They
are random, but the same for the same seed; `network` builds the same one in PyTorch's layers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn

if TYPE_CHECKING:
    from pathlib import Path

_PACKAGE = "dynamic_network_architectures.architectures.unet"

NAMES = {"1": "Vertebra_Corpus_border", "2": "Vertebra_Disc", "3": "26"}


@dataclass(frozen=True)
class Recipe:
    """What kind of folder to make; every default is the plainest."""

    style: str = "old"
    network: str = "PlainConvUNet"
    folds: tuple[str, ...] = ("0",)
    checkpoint: str = "checkpoint_final.pth"
    patch: tuple[int, int, int] = (8, 16, 16)
    spacing: tuple[float, float, float] = (3.0, 1.0, 1.0)
    transpose: tuple[int, int, int] = (0, 1, 2)
    config: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, Any] = field(default_factory=dict)
    plans: dict[str, Any] = field(default_factory=dict)
    checkpoint_extras: dict[str, Any] = field(default_factory=dict)
    inherits: bool = False


def write_folder(folder: Path, recipe: Recipe | None = None, seed: int = 0) -> Path:
    """Write a model folder; answers the folder."""
    recipe = recipe or Recipe()
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "log_name": "Tiny",
        "modality": ["T2w"],
        "acquisition": "sag",
        "modeltype": "nnunet",
        "model_expected_orientation": ["P", "I", "R"],
        "available_folds": len(recipe.folds),
        "inference_augmentation": False,
        "resolution_range": list(reversed(recipe.spacing)),
        "default_step_size": 0.5,
        "labels": NAMES,
        **recipe.config,
    }
    dataset = {
        "channel_names": {"0": "T2w"},
        "labels": {"background": 0, "body": 1, "disc": 2, "sacrum": 3},
        **recipe.dataset,
    }
    plans = {
        "transpose_forward": list(recipe.transpose),
        "transpose_backward": [recipe.transpose.index(a) for a in range(3)],
        "configurations": _configurations(recipe),
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 100.0, "std": 50.0, "percentile_00_5": 0.0, "percentile_99_5": 300.0}
        },
        **recipe.plans,
    }
    for name, content in (("inference_config", config), ("dataset", dataset), ("plans", plans)):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    for number, fold in enumerate(recipe.folds):
        place = folder / f"fold_{fold}"
        place.mkdir()
        weights = network(recipe, seed + number, heads=_heads(dataset)).state_dict()
        content = {
            "network_weights": weights,
            "trainer_name": "nnUNetTrainer",
            "init_args": {"configuration": "3d_heir" if recipe.inherits else "3d_fullres"},
            "optimizer_state": {"state": {0: torch.zeros(3)}},
            **recipe.checkpoint_extras,
        }
        torch.save(content, place / recipe.checkpoint)
    return folder


PUBLISHED = {
    "UNet_base_num_features": 32,
    "unet_max_num_features": 320,
    "n_conv_per_stage_encoder": [2] * 7,
    "n_conv_per_stage_decoder": [2] * 6,
    "pool_op_kernel_sizes": [[1, 1, 1], [1, 2, 2], *[[2, 2, 2]] * 5],
    "conv_kernel_sizes": [[1, 3, 3], *[[3, 3, 3]] * 6],
}
"""What nnU-Net plans for patches of 64 x 256 x 256 at 1.65 x 0.75 x 0.75 mm."""


PUBLISHED_NAMES = (
    *("Arcus_Vertebrae", "Spinosus_Process", "Costal_Process_Left", "Costal_Process_Right"),
    *("Superior_Articular_Left", "Superior_Articular_Right"),
    *("Inferior_Articular_Left", "Inferior_Articular_Right", "Vertebra_Corpus_border"),
    *("Spinal_Cord", "Spinal_Canal", "Endplate", "Vertebra_Disc", "26"),
)


def write_published_size(folder: Path, *, folds: int = 3) -> Path:
    """Write a folder of the published architecture with random weights; answers the folder."""
    names = tuple(str(number) for number in range(folds))
    labels = {str(number): name for number, name in enumerate(PUBLISHED_NAMES, start=1)}
    recipe = Recipe(
        folds=names,
        patch=(64, 256, 256),
        spacing=(1.65, 0.75, 0.75),
        config={"labels": labels},
        dataset={"labels": {"background": 0} | {name: int(key) for key, name in labels.items()}},
    )
    write_folder(folder, recipe)
    plans = json.loads((folder / "plans.json").read_text(encoding="utf-8"))
    plans["configurations"]["3d_fullres"] |= PUBLISHED
    (folder / "plans.json").write_text(json.dumps(plans), encoding="utf-8")
    network = published_network()
    for name in names:
        file = folder / f"fold_{name}" / recipe.checkpoint
        content = torch.load(file, weights_only=True) | {"network_weights": network.state_dict()}
        torch.save(content, file)
    return folder


def published_network() -> nn.Module:
    """The published architecture with random weights, in PyTorch's own layers."""
    return PlainConvUNet(
        input_channels=1,
        n_stages=7,
        features_per_stage=[min(32 * 2**level, 320) for level in range(7)],
        conv_op=nn.Conv3d,
        kernel_sizes=PUBLISHED["conv_kernel_sizes"],
        strides=PUBLISHED["pool_op_kernel_sizes"],
        n_conv_per_stage=PUBLISHED["n_conv_per_stage_encoder"],
        num_classes=len(PUBLISHED_NAMES) + 1,
        n_conv_per_stage_decoder=PUBLISHED["n_conv_per_stage_decoder"],
        conv_bias=True,
        norm_op=nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
    ).eval()


def network(recipe: Recipe, seed: int, heads: int = 4) -> nn.Module:
    """The network that a folder's fold holds, in PyTorch's own layers."""
    torch.manual_seed(seed)
    residual = recipe.network == "ResidualEncoderUNet"
    arguments = {
        "input_channels": 1,
        "n_stages": 2,
        "features_per_stage": [4, 8],
        "conv_op": nn.Conv3d,
        "kernel_sizes": [[1, 3, 3], [3, 3, 3]],
        "strides": [[1, 1, 1], [1, 2, 2]],
        "num_classes": heads,
        "n_conv_per_stage_decoder": [1],
        "conv_bias": True,
        "norm_op": nn.InstanceNorm3d,
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
    }
    if residual:
        return ResidualEncoderUNet(n_blocks_per_stage=[1, 1], **arguments).eval()
    return PlainConvUNet(n_conv_per_stage=[1, 1], **arguments).eval()


def _heads(dataset: dict[str, Any]) -> int:
    labels = [name for name in dataset["labels"] if name != "ignore"]
    return len(labels) - ("regions_class_order" in dataset)


def _configurations(recipe: Recipe) -> dict[str, Any]:
    residual = recipe.network == "ResidualEncoderUNet"
    blocks = "n_blocks_per_stage" if residual else "n_conv_per_stage"
    base: dict[str, Any] = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "patch_size": list(recipe.patch),
        "spacing": [recipe.spacing[a] for a in recipe.transpose],
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
    }
    if recipe.style == "old":
        base |= {
            "UNet_class_name": recipe.network,
            "UNet_base_num_features": 4,
            "unet_max_num_features": 8,
            "n_conv_per_stage_encoder": [1, 1],
            "n_conv_per_stage_decoder": [1],
            "pool_op_kernel_sizes": [[1, 1, 1], [1, 2, 2]],
            "conv_kernel_sizes": [[1, 3, 3], [3, 3, 3]],
        }
    else:
        base["architecture"] = {
            "network_class_name": f"{_PACKAGE}.{recipe.network}",
            "arch_kwargs": {
                "n_stages": 2,
                "features_per_stage": [4, 8],
                "conv_op": "torch.nn.modules.conv.Conv3d",
                "kernel_sizes": [[1, 3, 3], [3, 3, 3]],
                "strides": [[1, 1, 1], [1, 2, 2]],
                blocks: [1, 1],
                "n_conv_per_stage_decoder": [1],
                "conv_bias": True,
                "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        }
    if not recipe.inherits:
        return {"3d_fullres": base}
    heir = {"inherits_from": "3d_fullres", "patch_size": base["patch_size"]}
    return {"3d_fullres": base | {"patch_size": [99, 99, 99]}, "3d_heir": heir}
