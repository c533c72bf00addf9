"""Write semantic networks in the published format, a folder of nnU-Net v2."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from operators.anatomy.labels import MODEL_STRUCTURES

if TYPE_CHECKING:
    from pathlib import Path

    from app.research.training.presets import Design, SemanticPreset

_NAMES = (
    "Arcus_Vertebrae",
    "Spinosus_Process",
    "Costal_Process_Left",
    "Costal_Process_Right",
    "Superior_Articular_Left",
    "Superior_Articular_Right",
    "Inferior_Articular_Left",
    "Inferior_Articular_Right",
    "Vertebra_Corpus_border",
    "Spinal_Cord",
    "Spinal_Canal",
    "Endplate",
    "Vertebra_Disc",
    "26",
)
"""SPINEPS location names of `MODEL_STRUCTURES`; the sacrum has a number only."""

CLASS_NAMES = tuple(f"Sacrum_{name}" if name.isdigit() else name for name in _NAMES)
"""Names of the network's classes 1 to 14 in ``dataset.json``, where a number would be no name."""

INSTANCE_WEIGHTS = "*weights*.ckpt"
"""Of `app.research.training.instance_format`."""

FOREGROUND_INTENSITIES = {
    "max": 1500.0,
    "mean": 300.0,
    "median": 250.0,
    "min": 0.0,
    "percentile_00_5": 5.0,
    "percentile_99_5": 1200.0,
    "std": 250.0,
}
"""nnU-Net wants the entry; z-scoring per image, which these models use, reads none of it."""


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file of a model folder."""
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def architecture(design: Design) -> dict[str, Any]:
    """Describe the network as an nnU-Net v2 plans file (>= 2.4) does.

    Parameters
    ----------
    design : Design
        Shape of the network.

    Returns
    -------
    dict
        Plain JSON types.
    """
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": len(design.features),
            "features_per_stage": list(design.features),
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [list(k) for k in design.kernels],
            "strides": [list(s) for s in design.strides],
            "n_conv_per_stage": list(design.encoder_convolutions),
            "n_conv_per_stage_decoder": list(design.decoder_convolutions),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def _resampling(
    kind: str, *, is_seg: bool, order: int, separate_slices: bool | None
) -> dict[str, Any]:
    name = f"resampling_fn_{kind}"
    options = {"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": separate_slices}
    return {name: "resample_data_or_seg_to_shape", f"{name}_kwargs": options}


def _plans(preset: SemanticPreset) -> dict[str, Any]:
    patch_rip, spacing_rip = preset.grid.shape, preset.grid.spacing_mm
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": preset.batch,
        "patch_size": list(patch_rip),
        "median_image_size_in_voxels": [float(n) for n in patch_rip],
        "spacing": list(spacing_rip),
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        **_resampling("data", is_seg=False, order=3, separate_slices=preset.separate_slices),
        **_resampling("seg", is_seg=True, order=1, separate_slices=preset.separate_slices),
        **_resampling(
            "probabilities", is_seg=False, order=1, separate_slices=preset.separate_slices
        ),
        "batch_dice": False,
        "architecture": architecture(preset.design),
    }
    return {
        "dataset_name": "Dataset001_SyntheticSpine",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": list(spacing_rip),
        "original_median_shape_after_transp": list(patch_rip),
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"3d_fullres": configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": FOREGROUND_INTENSITIES},
    }


def holds_weights(folder: Path, *, fold: int | None) -> bool:
    """Say whether writing a model here would replace one.

    Parameters
    ----------
    folder : Path
        Model folder, which need not exist.
    fold : int or None
        Fold of phase 1 that is to be written; None = a model of phase 2, which has no folds.

    Returns
    -------
    bool
        Whether there are weights of that fold, of phase 2, or of the other phase.
    """
    of_fold = folder.glob(f"fold_{'*' if fold is None else fold}/checkpoint_final.pth")
    return any(of_fold) or any(folder.glob(INSTANCE_WEIGHTS))


def write_semantic_model(
    folder: Path,
    weights: dict[str, torch.Tensor],
    preset: SemanticPreset,
    *,
    fold: int = 0,
    has_c1: bool = False,
) -> None:
    """Write one fold of an nnU-Net v2 model folder with an ``inference_config.json`` for SPINEPS.

    Parameters
    ----------
    folder : Path
        Created if needed; receives plans.json, dataset.json, inference_config.json and
        fold_*/checkpoint_final.pth.
    weights : dict of str to Tensor
        State dict of the PlainConvUNet, aliases included.
    preset : SemanticPreset
        Network, grid, whether inference averages with the mirror image.
    fold : int
        Number of this fold; the config names those there are so far.
    has_c1 : bool
        Whether the network draws C1.
    """
    (folder / f"fold_{fold}").mkdir(parents=True, exist_ok=True)
    checkpoint = {
        "network_weights": weights,
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": "3d_fullres", "fold": fold},
        "inference_allowed_mirroring_axes": None,
    }
    torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
    write_json(folder / "plans.json", _plans(preset))
    labels = {"background": 0, **{name: i for i, name in enumerate(CLASS_NAMES, start=1)}}
    dataset = {
        "channel_names": {"0": "T2w"},
        "labels": labels,
        "numTraining": 1,
        "file_ending": ".nii.gz",
        "name": "Dataset001_SyntheticSpine",
    }
    write_json(folder / "dataset.json", dataset)
    is_mirrored = preset.grid.mirror and preset.averages_mirror
    write_inference_config(folder, preset, has_c1=has_c1, is_mirrored=is_mirrored)


def write_inference_config(
    folder: Path, preset: SemanticPreset, *, has_c1: bool, is_mirrored: bool
) -> None:
    """Write SPINEPS's ``inference_config.json`` beside the folds that are there.

    Parameters
    ----------
    folder : Path
        Model folder with ``fold_*/checkpoint_final.pth``.
    preset : SemanticPreset
        Grid of the network and of the label map.
    has_c1 : bool
        Whether the network draws C1.
    is_mirrored : bool
        Whether inference averages with the left/right mirror image.
    """
    written = sorted(p.parent.name[5:] for p in folder.glob("fold_*/checkpoint_final.pth"))
    whole = written == [str(n) for n in range(len(written))]
    if len(_NAMES) != len(MODEL_STRUCTURES):
        message = "one name per structure is needed"
        raise ValueError(message)
    config = {
        "log_name": folder.name,
        "modality": ["T2w"],
        "acquisition": "sag",
        "modeltype": "nnunet",
        "model_expected_orientation": ["P", "I", "R"],
        "available_folds": len(written) if whole else written,
        "inference_augmentation": False,
        "mirror_left_right": is_mirrored,
        "resolution_range": list((preset.map_mm or preset.grid.spacing_mm)[::-1]),
        "default_step_size": 0.5,
        "labels": {str(i): name for i, name in enumerate(_NAMES, start=1)},
        "expected_inputs": ["img"],
        "has_c1": has_c1,
        "border_voxels": preset.border_voxels,
    }
    if preset.largest_tile is not None:
        config["largest_tile"] = preset.largest_tile
    if preset.interleaves_thin_slices:
        config["interleaves_thin_slices"] = True
    write_json(folder / "inference_config.json", config)
