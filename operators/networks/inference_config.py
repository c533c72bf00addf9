"""What a published model folder says about itself: ``inference_config.json``, found and read.

Every key of SPINEPS 2.1.3 is read, or stands in `READ_AND_IGNORED`. Others are passed over: newer
folders may carry more. Missing or malformed ones are refused by name. No weights are read here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from operators.errors import ModelUnusableError
from operators.networks.config_values import (
    Triple,
    as_border,
    as_codes,
    as_count,
    as_counts,
    as_cutout,
    as_flag,
    as_folds,
    as_labels,
    as_positive,
    as_resolution,
    as_text,
    as_texts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

DEFAULT_MAPPING: Mapping[int, int] = MappingProxyType(
    {**{label: label - 40 for label in range(41, 50)}, 50: 9, 51: 9, 26: 0}
)
"""Semantic label -> input class of the instance network, where the config has no ``mapping``."""


READ_AND_IGNORED: Mapping[str, str] = MappingProxyType(
    {
        "acquisition": "plane that SPINEPS compares with the image; here the selection judges it",
        "corpus_border_threshold": "SPINEPS converts it to voxels, and reads it no further",
        "needs_corp": "has SPINEPS crop to the spine with a network that it downloads",
    }
)
"""Keys of SPINEPS whose value changes nothing here, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceConfig:
    """One model's ``inference_config.json``.

    Attributes
    ----------
    log_name : str
        The model's name.
    modality : tuple of str
        For example ``("T2w",)``; ``SEG`` marks an instance model.
    modeltype : str
        nnunet, unet or classifier.
    model_expected_orientation : tuple of 3 str
        Orientation codes in x, y, z order, for example ``("P", "I", "R")``.
    available_folds : tuple of str
        Names of the folds to average ("0", "1" ... or "all").
    inference_augmentation : bool
        Average over mirrored inputs.
    resolution_range : pair of triples of float
        Smallest and largest spacing in mm per axis, in the order of the orientation codes
        (x, y, z); equal where the model has one fixed spacing.
    default_step_size : float
        Tile step as a fraction of the patch.
    labels : mapping of int to int
        Network class -> label.
    expected_inputs : tuple of str
        Channels of the input: img, seg, ip, oop, water, fat.
    has_c1 : bool
        Whether C1 is among the vertebrae.
    sacrum_ids, metal : tuple of int
        Labels of sacrum and metal.
    cutout_size : tuple of 3 int
        Instance cutout in voxels, in the order of the orientation codes (x, y, z).
    corpus_size_cleaning, vert_size_threshold : int
        Sizes in voxels of the model's (smallest) spacing.
    mapping : mapping of int to int
        Semantic label -> input class of an instance network; labels not named become 0.
    mirror_left_right : bool
        Average with the left/right mirror image, left and right labels exchanged. A key of this
        product's: SPINEPS ignores it, and its own mirroring exchanges no labels.
    confidence_temperature : float
        What logits are divided by before they become probabilities (calibration; 1 = as they are).
        A key of this product's.
    largest_tile : int or None
        An image of up to so many voxels on the network's grid is one tile, a larger one is cut
        along its longest axis; None = tiles as the plans name them. For networks that were trained
        on whole fields: their norms know what a whole image has. A key of this product's.
    interleaves_thin_slices : bool
        Run twice over an image whose slices lie no farther apart than half of the network's, the
        second time over the places between (`operators.networks.interleaved`). A key of this
        product's.
    border_voxels : tuple of 3 int
        Black voxels that are put at both ends of an image before it is resampled, in its own
        voxels, in the order of the orientation codes (x, y, z): 4 in SPINEPS. A key of this
        product's.
    """

    log_name: str
    modality: tuple[str, ...]
    modeltype: str
    model_expected_orientation: tuple[str, str, str]
    available_folds: tuple[str, ...]
    inference_augmentation: bool
    resolution_range: tuple[Triple, Triple]
    default_step_size: float
    labels: Mapping[int, int]
    expected_inputs: tuple[str, ...] = ("img",)
    has_c1: bool = False
    sacrum_ids: tuple[int, ...] = (26,)
    cutout_size: tuple[int, int, int] = (248, 304, 64)
    corpus_size_cleaning: int = 100
    vert_size_threshold: int = 250
    metal: tuple[int, ...] = (80,)
    mirror_left_right: bool = False
    confidence_temperature: float = 1.0
    largest_tile: int | None = None
    interleaves_thin_slices: bool = False
    border_voxels: tuple[int, int, int] = (4, 4, 4)
    mapping: Mapping[int, int] = field(default_factory=lambda: dict(DEFAULT_MAPPING))

    @property
    def cutout_size_zyx(self) -> tuple[int, int, int]:
        """Instance cutout in voxels along (k, j, i)."""
        x, y, z = self.cutout_size
        return z, y, x

    @property
    def border_zyx(self) -> tuple[int, int, int]:
        """Black voxels at both ends along (k, j, i)."""
        x, y, z = self.border_voxels
        return z, y, x

    @property
    def smallest_spacing_zyx_mm(self) -> Triple:
        """The model's spacing, or the lower end of its range, along (k, j, i)."""
        x, y, z = self.resolution_range[0]
        return z, y, x

    def target_spacing_zyx_mm(self, native_zyx_mm: Triple) -> Triple:
        """Spacing to resample to: the fixed one, or the native one clamped axis by axis.

        Parameters
        ----------
        native_zyx_mm : tuple of 3 floats
            Spacing of the image after it was turned to ``model_expected_orientation``.

        Returns
        -------
        tuple of 3 floats
            Along (k, j, i), in mm.
        """
        low, high = (tuple(reversed(end)) for end in self.resolution_range)
        k, j, i = (min(max(native_zyx_mm[axis], low[axis]), high[axis]) for axis in range(len(low)))
        return k, j, i


def read_config(path: Path) -> InferenceConfig:
    """Read one ``inference_config.json``.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    InferenceConfig
        All keys, with the defaults of SPINEPS where optional ones are absent.

    Raises
    ------
    ModelUnusableError
        ``config_unreadable``, ``config_key_missing``, ``config_value_invalid`` or
        ``unknown_label_name``.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnusableError(
            "inference_config.json cannot be read", reasons=("config_unreadable",)
        ) from error
    if not isinstance(content, dict):
        raise ModelUnusableError(
            "inference_config.json holds no table", reasons=("config_unreadable",)
        )
    missing = sorted(_REQUIRED - content.keys())
    if missing:
        message = f"inference_config.json lacks {', '.join(missing)}"
        raise ModelUnusableError(message, reasons=("config_key_missing",))
    values: dict[str, object] = {
        key: _parsed(key, parse, content[key]) for key, parse in _PARSERS.items() if key in content
    }
    return InferenceConfig(**values)  # type: ignore[arg-type]  # each parser gives its field's type


def find_config(folder: Path) -> Path:
    """Find the one ``*inference_config.json`` of a model folder, however deep it lies.

    Parameters
    ----------
    folder : Path
        A model folder as installed: the model itself, wrapped in another folder, or with the
        config deeper inside.

    Returns
    -------
    Path
        The file; its parent holds the weights.

    Raises
    ------
    ModelUnusableError
        ``model_folder_missing``, ``config_missing`` or ``several_configs``.
    """
    if not folder.is_dir():
        raise ModelUnusableError(
            "the model folder does not exist", reasons=("model_folder_missing",)
        )
    found = sorted(
        path
        for path in folder.rglob("*inference_config.json")
        if path.is_file() and not _is_hidden(path, folder)
    )
    if len(found) == 1:
        return found[0]
    if found:
        message = f"the model folder holds {len(found)} inference configs instead of one"
        raise ModelUnusableError(message, reasons=("several_configs",))
    raise ModelUnusableError(
        "the model folder holds no inference_config.json", reasons=("config_missing",)
    )


def _is_hidden(path: Path, folder: Path) -> bool:
    """Tell the shadows (``__MACOSX/._name``) that archives from macOS carry of every file."""
    parts = path.relative_to(folder).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _parsed(key: str, parse: Callable[[object], object], value: object) -> object:
    try:
        return parse(value)
    except (TypeError, ValueError) as error:
        message = f"inference_config.json has an invalid value for {key}"
        raise ModelUnusableError(message, reasons=("config_value_invalid",)) from error


_PARSERS: dict[str, Callable[[object], object]] = {
    "log_name": as_text,
    "modality": as_texts,
    "modeltype": as_text,
    "model_expected_orientation": as_codes,
    "available_folds": as_folds,
    "inference_augmentation": as_flag,
    "resolution_range": as_resolution,
    "default_step_size": as_positive,
    "largest_tile": as_count,
    "interleaves_thin_slices": as_flag,
    "border_voxels": as_border,
    "labels": as_labels,
    "expected_inputs": as_texts,
    "has_c1": as_flag,
    "sacrum_ids": as_counts,
    "cutout_size": as_cutout,
    "corpus_size_cleaning": as_count,
    "vert_size_threshold": as_count,
    "metal": as_counts,
    "mapping": as_labels,
    "mirror_left_right": as_flag,
    "confidence_temperature": as_positive,
}

_REQUIRED: frozenset[str] = frozenset(
    {
        "log_name",
        "modality",
        "acquisition",
        "modeltype",
        "model_expected_orientation",
        "available_folds",
        "inference_augmentation",
        "resolution_range",
        "default_step_size",
        "labels",
    }
)
"""Keys without which SPINEPS does not load a folder either."""
