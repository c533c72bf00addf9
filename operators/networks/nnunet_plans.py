"""What an nnU-Net v2 folder says in plans.json and dataset.json, both styles, as one dataclass."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, cast

from operators.errors import ModelUnusableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Json = dict[str, object]
Sizes = tuple[int, int, int]

_MAX_INHERITANCE = 10


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to build the network.

    Attributes
    ----------
    network_class : str
        Last part of the class name, such as ``PlainConvUNet``.
    arguments : mapping
        Keyword arguments of ``dynamic_network_architectures``, classes still as names.
    """

    network_class: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Plans:
    """One configuration of an nnU-Net.

    Attributes
    ----------
    patch_size : tuple of 3 int
        Tile in voxels, in the network's axis order (after ``transpose_forward``).
    spacing_mm : tuple of 3 float
        Training spacing, in the network's axis order.
    transpose_forward, transpose_backward : tuple of 3 int
        Between (k, j, i) and the network's axis order.
    normalization_schemes : tuple of str
        One class name per channel.
    use_mask_for_norm : tuple of bool
        One per channel.
    intensity_properties : tuple of mapping
        One per channel: mean, std, percentile_00_5, percentile_99_5.
    architecture : Architecture
        The network.
    heads : int
        Output channels: classes with background, or regions.
    regions_class_order : tuple of int or None
        Class of each output channel of a region-based model; None for softmax classes.
    separate_slices : pair of (bool or None)
        ``force_separate_z`` of images and of logits (`training_grid`).
    """

    patch_size: Sizes
    spacing_mm: tuple[float, float, float]
    transpose_forward: Sizes
    transpose_backward: Sizes
    normalization_schemes: tuple[str, ...]
    use_mask_for_norm: tuple[bool, ...]
    intensity_properties: tuple[Mapping[str, float], ...]
    architecture: Architecture
    heads: int
    regions_class_order: tuple[int, ...] | None
    separate_slices: tuple[bool | None, bool | None] = (None, None)

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return len(self.normalization_schemes)

    @property
    def divisor(self) -> Sizes:
        """What the sides of a tile have to be divisible by: the strides of all stages together."""
        strides = cast("Sequence[Sequence[int]]", self.architecture.arguments["strides"])
        k, j, i = (prod(int(stride) for stride in along) for along in zip(*strides, strict=True))
        return k, j, i


def read_plans(folder: Path, configuration: str) -> Plans:
    """Read plans.json and dataset.json of one folder.

    Parameters
    ----------
    folder : Path
        Holds both files.
    configuration : str
        Name of the configuration that the checkpoint was trained with, such as ``3d_fullres``.

    Returns
    -------
    Plans
        All that inference needs.

    Raises
    ------
    ModelUnusableError
        ``plans_unreadable``, ``plans_configuration_missing``, ``plans_not_3d`` or
        ``plans_incomplete``.
    """
    plans, dataset = (_read_json(folder / name) for name in ("plans.json", "dataset.json"))
    try:
        return _plans(plans, dataset, _configuration(plans, configuration))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"plans.json or dataset.json lacks or garbles what inference needs: {error!r:.80}"
        raise ModelUnusableError(message, reasons=("plans_incomplete",)) from error


def configuration_of(checkpoint: Mapping[str, object]) -> str:
    """Name of the configuration that a checkpoint was trained with."""
    arguments = checkpoint.get("init_args")
    name = arguments.get("configuration") if isinstance(arguments, dict) else None
    return name if isinstance(name, str) else "3d_fullres"


def mirror_axes_of(checkpoint: Mapping[str, object]) -> tuple[int, ...]:
    """Spatial axes over which a checkpoint's training allows mirror images."""
    axes = checkpoint.get("inference_allowed_mirroring_axes")
    return tuple(int(a) for a in axes) if isinstance(axes, list | tuple) else ()


def _read_json(path: Path) -> Json:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path.name} cannot be read"
        raise ModelUnusableError(message, reasons=("plans_unreadable",)) from error
    if not isinstance(content, dict):
        message = f"{path.name} holds no table"
        raise ModelUnusableError(message, reasons=("plans_unreadable",))
    return content


def _configuration(plans: Json, name: str) -> Json:
    """Resolve a chain of ``inherits_from``; the heir's keys win."""
    configurations = cast("dict[str, Json]", plans["configurations"])
    merged: Json = {}
    wanted: object = name
    for _ in range(_MAX_INHERITANCE):
        if not isinstance(wanted, str) or wanted not in configurations:
            message = "plans.json lacks the configuration that the checkpoint was trained with"
            raise ModelUnusableError(message, reasons=("plans_configuration_missing",))
        merged = configurations[wanted] | merged
        wanted = configurations[wanted].get("inherits_from")
        if wanted is None:
            return merged
    raise ValueError("endless inherits_from")


def _plans(plans: Json, dataset: Json, configuration: Json) -> Plans:
    patch = _ints(configuration["patch_size"])
    if len(patch) != 3:  # noqa: PLR2004  # axes of space
        message = "only three-dimensional nnU-Net configurations are supported"
        raise ModelUnusableError(message, reasons=("plans_not_3d",))
    schemes = tuple(str(s) for s in _list(configuration["normalization_schemes"]))
    masks = configuration.get("use_mask_for_norm", [False] * len(schemes))
    labels = cast("Json", dataset["labels"])
    regions = dataset.get("regions_class_order")
    foreground = len(labels) - ("ignore" in labels)
    heads = foreground - 1 if regions is not None else foreground
    return Plans(
        patch_size=_three(patch),
        spacing_mm=cast("tuple[float, float, float]", _floats(configuration["spacing"])),
        transpose_forward=_three(_ints(plans.get("transpose_forward", [0, 1, 2]))),
        transpose_backward=_three(_ints(plans.get("transpose_backward", [0, 1, 2]))),
        normalization_schemes=schemes,
        use_mask_for_norm=tuple(bool(m) for m in _list(masks)),
        intensity_properties=_intensities(plans, len(schemes)),
        architecture=_architecture(configuration),
        heads=heads,
        regions_class_order=None if regions is None else tuple(_ints(regions)),
        separate_slices=(
            _separate(configuration, "resampling_fn_data_kwargs"),
            _separate(configuration, "resampling_fn_probabilities_kwargs"),
        ),
    )


def _separate(configuration: Json, resampling: str) -> bool | None:
    options = configuration.get(resampling)
    forced = options.get("force_separate_z") if isinstance(options, dict) else None
    if forced is not None and not isinstance(forced, bool):
        raise TypeError("force_separate_z is neither true, false nor null")
    return forced


def _intensities(plans: Json, channels: int) -> tuple[Mapping[str, float], ...]:
    found = plans.get("foreground_intensity_properties_per_channel")
    if found is None:
        found = plans.get("foreground_intensity_properties_by_modality", {})
    table = cast("dict[str, dict[str, float]]", found)
    return tuple(table.get(str(n), {}) for n in range(channels))


def _architecture(configuration: Json) -> Architecture:
    new_style = configuration.get("architecture")
    if isinstance(new_style, dict):
        name = str(new_style["network_class_name"]).rsplit(".", maxsplit=1)[-1]
        return Architecture(name, dict(new_style["arch_kwargs"]))
    return _old_style(configuration)


def _old_style(configuration: Json) -> Architecture:
    """Spell out what nnU-Net up to 2.3 left to its code."""
    name = str(configuration["UNet_class_name"])
    kernels = _list(configuration["conv_kernel_sizes"])
    base = int(cast("int", configuration["UNet_base_num_features"]))
    highest = int(cast("int", configuration["unet_max_num_features"]))
    residual = name == "ResidualEncoderUNet"
    arguments: Json = {
        "n_stages": len(kernels),
        "features_per_stage": [min(base * 2**stage, highest) for stage in range(len(kernels))],
        "conv_op": "torch.nn.Conv3d",
        "kernel_sizes": kernels,
        "strides": configuration["pool_op_kernel_sizes"],
        "n_blocks_per_stage" if residual else "n_conv_per_stage": configuration[
            "n_conv_per_stage_encoder"
        ],
        "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
        "conv_bias": True,
        "norm_op": "torch.nn.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    return Architecture(name, arguments)


def _list(value: object) -> list[object]:
    if not isinstance(value, list | tuple):
        raise TypeError("list expected")
    return list(value)


def _ints(value: object) -> tuple[int, ...]:
    return tuple(int(cast("int", v)) for v in _list(value))


def _floats(value: object) -> tuple[float, ...]:
    return tuple(float(cast("float", v)) for v in _list(value))


def _three(values: tuple[int, ...]) -> Sizes:
    first, second, third = values
    return first, second, third
