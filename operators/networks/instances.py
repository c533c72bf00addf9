"""Phase 2's network: label map and vertebral centres in, three vertebrae per centre out.

The network sees the label map, never the image. Finding the centres, and making vertebrae of
overlapping answers, belongs to ``operators.spine``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from operators.errors import ModelUnusableError, SegmentationError
from operators.imaging.orientation import axis_codes
from operators.networks.abreast import abreast
from operators.networks.checkpoints import find_config, read_checkpoint, read_config
from operators.networks.cutouts import (
    Centre,
    Prediction,
    cut,
    input_classes,
    move_onto_structure,
    place,
)
from operators.networks.unet3d import unet3d_from_checkpoint
from operators.networks.unet3d_inference import Unet3DInference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from operators.imaging.volume import LabelMap
    from operators.networks.inference_config import InferenceConfig
    from operators.networks.precision import Asked

MAX_WORKERS = 4
"""Cutouts at a time; each needs 0.5 GB at the published size."""

_ANSWER_CLASSES = 4
_PIR = ("P", "I", "R")


class InstanceModel:
    """A loaded instance model.

    Attributes
    ----------
    config : InferenceConfig
        The model folder's own description.
    network : Unet3DInference
        The network, ready to run; ``network.profile`` names device and number format.
    """

    def __init__(self, config: InferenceConfig, network: Unet3DInference) -> None:
        self.config = config
        self.network = network

    def predict(
        self,
        labels: LabelMap,
        centres_zyx: Sequence[Centre],
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Prediction]:
        """See each vertebra with its neighbours.

        Parameters
        ----------
        labels : LabelMap
            Semantic labels in PIR orientation at the model's spacing.
        centres_zyx : sequence of 3-tuples of float
            Index of each vertebral body's centre, in any order.
        progress : callable, optional
            Called with (centres done, centres in all) after each.

        Returns
        -------
        list of 3-tuples of SparseMask or None
            In the order of the centres: the vertebra above, the centre's own, the one below.

        Raises
        ------
        SegmentationError
            If the map is not PIR (``orientation_not_pir``) or a centre lies outside of it.
        """
        if axis_codes(labels.affine_lps) != _PIR:
            raise SegmentationError(
                "the instance network needs a PIR label map", reasons=("orientation_not_pir",)
            )
        classes = input_classes(labels.labels_zyx, self.config.mapping)

        def look(centre: Centre) -> Prediction:
            moved = move_onto_structure(classes, centre)
            cutout = cut(classes, moved, self.config.cutout_size_zyx)
            return place(self.network.answer(cutout.classes_zyx), cutout)

        predictions = []
        try:
            with abreast(_workers(self.network.profile)) as run:
                for prediction in run(look, centres_zyx):
                    predictions.append(prediction)
                    if progress is not None:
                        progress(len(predictions), len(centres_zyx))
        finally:
            self.network.release_memory()
        return predictions


def _workers(profile: str) -> int:
    """Cutouts at a time: one per core."""
    return min(torch.get_num_threads(), MAX_WORKERS) if profile.startswith("cpu") else 1


def load_instance_model(
    folder: Path, *, device: str = "cpu", precision: Asked = "auto"
) -> InstanceModel:
    """Load a published instance model folder.

    Parameters
    ----------
    folder : Path
        Folder with one ``inference_config.json`` and one ``*weights*.ckpt``, however nested.
    device : str
        Torch device.
    precision : {"auto", "fp32", "bf16"}
        Number format of the convolutions; auto takes bfloat16 where the device computes in it.

    Returns
    -------
    InstanceModel
        Ready to predict.

    Raises
    ------
    ModelUnusableError
        Config or weights absent, ambiguous, damaged or of another architecture.
    """
    config_path = find_config(folder)
    config = read_config(config_path)
    checkpoint = read_checkpoint(weights_file(config_path.parent), keep=("state_dict",))
    unet = unet3d_from_checkpoint(checkpoint)
    if unet.shape.classes_out != _ANSWER_CLASSES:
        message = f"the instance network answers {unet.shape.classes_out} classes instead of 4"
        raise ModelUnusableError(message, reasons=("instance_classes_not_four",))
    divisor = unet.shape.divisor
    if any(size % divisor for size in config.cutout_size):
        message = f"cutout {config.cutout_size} is not divisible by {divisor} on every axis"
        raise ModelUnusableError(message, reasons=("cutout_size_not_divisible",))
    return InstanceModel(config, Unet3DInference(unet, device=device, precision=precision))


def weights_file(folder: Path) -> Path:
    """Find the checkpoint of an instance model.

    Raises
    ------
    ModelUnusableError
        ``weights_missing`` or ``several_weights``.
    """
    found = sorted(path for path in folder.rglob("*weights*.ckpt") if not path.name.startswith("."))
    if len(found) != 1:
        message = f"the instance model has {len(found)} *weights*.ckpt files instead of one"
        raise ModelUnusableError(
            message, reasons=("several_weights" if found else "weights_missing",)
        )
    return found[0]
