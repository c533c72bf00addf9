"""Phase 1: an image in, a map of vertebral substructures out (nnU-Net in a SPINEPS folder).

Loading checks everything that can be wrong with a folder, so that a bad model is refused before
the first patient. The result is not cleaned: that is ``spine.semantic_cleanup``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from operators.errors import IntensityError, ModelUnusableError
from operators.imaging.cropping import bounding_box, pad
from operators.imaging.intensity import prepare
from operators.imaging.orientation import reorient
from operators.imaging.resampling import resample_to_spacing
from operators.imaging.volume import LabelMap
from operators.networks.checkpoints import read_checkpoint
from operators.networks.engines import ready_networks
from operators.networks.inference_config import find_config, read_config
from operators.networks.label_decision import label_table, lateral_mirror
from operators.networks.model_files import digest_of, fold_checkpoints, plans_folder
from operators.networks.nnunet_network import Ensemble, build_network, load_weights
from operators.networks.nnunet_plans import configuration_of, mirror_axes_of, read_plans
from operators.networks.semantic_result import SemanticResult
from operators.networks.slab_decision import ALL_AGREE
from operators.networks.tiled_network import TiledNetwork, Ways

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from operators.imaging.volume import Volume
    from operators.networks.engines import Engine
    from operators.networks.inference_config import InferenceConfig
    from operators.networks.nnunet_plans import Plans
    from operators.networks.precision import Asked, Precision

    Progress = Callable[[int, int], None]

_BLACK = 0.5
"""Up to half a grey level of 0..1500 counts as 0: the ripple that cubic splines leave in black.

SPINEPS gets the same by rounding to integers.
"""

_CERTAIN = 255

_KEPT = ("network_weights", "init_args", "inference_allowed_mirroring_axes")


class SemanticModel:
    """A loaded semantic model; it can be used for any number of images.

    Attributes
    ----------
    config : InferenceConfig
        The folder's inference_config.json.
    plans : Plans
        The folder's nnU-Net plans.
    digest : str
        SHA-256 over the files that the model was made from.
    profile : str
        Device, engine and number format, such as ``cpu-openvino-fp32``.
    """

    def __init__(
        self, config: InferenceConfig, plans: Plans, network: Ensemble, digest: str
    ) -> None:
        """Put the parts together; `load_semantic_model` makes them from a folder."""
        self.config = config
        self.plans = plans
        self.digest = digest
        self.profile = network.networks.runtime.profile
        self._tiled = TiledNetwork(config, plans, network, label_table(config, plans))

    @property
    def name(self) -> str:
        """The model's own name."""
        return self.config.log_name

    @property
    def labels(self) -> Mapping[int, int]:
        """Network class -> label."""
        return self.config.labels

    def segment(
        self, volume: Volume, progress: Progress | None = None, *, needs_body: bool = False
    ) -> SemanticResult:
        """Segment an image in any orientation and spacing.

        Parameters
        ----------
        volume : Volume
            MR intensities on any scale.
        progress : callable, optional
            Called with (done, total) tiles; may raise to cancel.
        needs_body : bool
            Give up after a first look where no tile shows a vertebral body (`first_look`).

        Returns
        -------
        SemanticResult
            Label map on the model's grid, and what was repaired.

        Raises
        ------
        NoSpineFoundError
            ``no_vertebral_body``: where one is needed.
        IntensityError
            ``constant_image`` or ``non_finite_voxels``.
        SegmentationError
            ``non_finite_logits``.
        """
        prepared = prepare(volume)
        turned = reorient(prepared.volume, self.config.model_expected_orientation)
        spacing = self.config.target_spacing_zyx_mm(turned.spacing_zyx_mm)
        border = self.config.border_zyx
        framed = pad(turned, [(voxels, voxels) for voxels in border])
        on_grid = resample_to_spacing(framed, spacing, is_covering=0 in border)
        ways = Ways(progress, needs_body, turned.spacing_zyx_mm)
        return replace(self._predict(on_grid, ways), facts=prepared.facts)

    def predict_on_model_grid(self, volume: Volume, progress: Progress | None = None) -> LabelMap:
        """Run the network on an image that already has the model's orientation and spacing.

        Parameters
        ----------
        volume : Volume
            Intensities in 0..1500; cubic over- and undershoot is welcome.
        progress : callable, optional
            Called with (done, total) tiles; may raise to cancel.

        Returns
        -------
        LabelMap
            On the grid of ``volume``.

        Raises
        ------
        IntensityError
            If the image is black (reason ``constant_image``).
        SegmentationError
            ``non_finite_logits``.
        """
        return self._predict(volume, Ways(progress)).labels

    def _predict(self, volume: Volume, ways: Ways) -> SemanticResult:
        """Labels, certainty and agreement on the grid of ``volume``."""
        voxels = volume.voxels_zyx.astype(np.float32, copy=False)
        seen = np.abs(voxels) > _BLACK
        box = bounding_box(seen)
        if box is None:
            raise IntensityError("the image is black", reasons=("constant_image",))
        normal = self._tiled.normalised(voxels[box], seen[box])
        found = self._tiled.decide(normal, volume.spacing_zyx_mm, ways)

        def whole(part: NDArray[np.unsignedinteger], outside: int) -> LabelMap:
            full = np.full(voxels.shape, outside, part.dtype)
            full[box] = part
            return LabelMap(full, volume.affine_lps)

        sure, agreed = found.certainty, found.agreement  # nobody asked about black
        return SemanticResult(
            labels=whole(self._tiled.label_of_class[found.classes], 0),
            facts=(),
            certainty=None if sure is None else whole(sure, _CERTAIN),
            agreement=None if agreed is None else whole(agreed, ALL_AGREE),
        )


def load_semantic_model(
    folder: Path,
    *,
    device: str = "cpu",
    precision: Asked = "auto",
    engine: Engine | Literal["auto"] = "auto",
) -> SemanticModel:
    """Load a published semantic model folder.

    Parameters
    ----------
    folder : Path
        Holds inference_config.json, plans.json, dataset.json and fold_*/checkpoint_*.pth,
        directly or deeper inside.
    device : str
        A torch device.
    precision : {"auto", "fp32", "bf16"}
        Number format of the convolutions; logits are always summed in float32. "auto" is fp32, in
        which alone the results agree with SPINEPS to the last voxels.
    engine : {"auto", "torch", "openvino"}
        What runs the networks: see `ready_networks`.

    Returns
    -------
    SemanticModel
        Ready to use.

    Raises
    ------
    ModelUnusableError
        With the reason's name, whatever is wrong with the folder.
    """
    kind: Precision = "fp32" if precision == "auto" else precision
    config_file = find_config(folder)
    config = read_config(config_file)
    _require_semantic(config)
    home = plans_folder(config_file, folder)
    checkpoints = fold_checkpoints(home, config.available_folds)
    plans: Plans | None = None
    networks: list[nn.Module] = []
    mirror_axes: tuple[int, ...] = ()
    for path in checkpoints:
        content = read_checkpoint(path, keep=_KEPT)
        if plans is None:
            plans = read_plans(home, configuration_of(content))
            mirror_axes = mirror_axes_of(content) if config.inference_augmentation else ()
        network = build_network(plans)
        weights = content.get("network_weights")
        load_weights(network, weights if isinstance(weights, dict) else {})
        networks.append(network)
    if plans is None or plans.channels != 1:
        raise ModelUnusableError(
            "only models with one input channel are supported", reasons=("unsupported_inputs",)
        )
    used = (config_file, home / "plans.json", home / "dataset.json", *checkpoints)
    lateral = lateral_mirror(config, plans) if config.mirror_left_right else None
    is_by_class = plans.regions_class_order is None
    ready = ready_networks(
        networks,
        (1, plans.channels, *plans.patch_size),
        torch.device(device),
        kind,
        engine=engine,
        is_example=config.largest_tile is not None,
    )
    ensemble = Ensemble(ready, mirror_axes, lateral, len(networks) > 1 and is_by_class)
    return SemanticModel(config, plans, ensemble, digest_of(used, folder))


def _require_semantic(config: InferenceConfig) -> None:
    if config.modeltype != "nnunet" or "SEG" in config.modality:
        message = f"{config.log_name:.60} is no semantic model"
        raise ModelUnusableError(message, reasons=("not_a_semantic_model",))
    if config.expected_inputs != ("img",):
        raise ModelUnusableError(
            "only models with one image as input are supported", reasons=("unsupported_inputs",)
        )
