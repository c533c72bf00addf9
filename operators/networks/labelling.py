"""SPINEPS's labelling network: an image and its vertebrae in, what each looks like out.

One DenseNet looks at a box about each vertebra, with the vertebra in its middle; a head per
question answers in probabilities. What the answers say about levels is the business of
``operators.spine.levels.network``. MONAI, whose DenseNet it is, is imported where such a model is
loaded and nowhere else.

References
----------
SPINEPS 2.1.3 (``modeltype: classifier``); Moeller et al., arXiv 2601.14066 (VERIDAH).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import torch
from torch import Tensor, nn

from operators.errors import ModelUnusableError
from operators.networks.checkpoints import find_config, read_checkpoint, read_config
from operators.networks.inert_pickle import InertObject
from operators.networks.vertebra_boxes import BoxSize, boxes_about_bodies

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from operators.imaging.volume import LabelMap, Volume
    from operators.networks.inference_config import InferenceConfig

Answers = dict[str, tuple[float, ...]]
"""Probabilities by head."""

HEADS: Final = {
    "VERT": 24,
    "VERTEX": 26,
    "VERTEXACT": 26,
    "VERTGRP": 12,
    "REGION": 3,
    "VERTREL": 6,
    "VERTT13": 2,
    "FULLYVISIBLE": 2,
}
"""Heads that are understood, with the number of their answers. Others are not run."""

NAMING: Final = frozenset({"VERT", "VERTEX", "VERTEXACT", "VERTGRP"})
"""Without one of these a network says nothing about levels."""

_BACKBONES: Final = ("DENSENET121", "DENSENET169")
_WEIGHTS: Final = "*val_f1=*valf1-weights.ckpt"
_TURNED_DATA: Final = "v4corpus"
"""In the name of the training data: boxes were turned along the spine."""

_HEAD_KEY: Final = re.compile(r"classification_heads\.([^.]+)\.(\d+)\.weight")


@dataclass(frozen=True, slots=True)
class LabellingShape:
    """What distinguishes one labelling network from another.

    Attributes
    ----------
    backbone : str
        ``DENSENET121`` or ``DENSENET169``.
    heads : dict of str to int
        Head to number of answers: all that the checkpoint has.
    box : tuple of 3 int
        Size of its input along P, I and R, in voxels.
    is_turned : bool
        Boxes are turned along the spine.
    """

    backbone: str
    heads: dict[str, int]
    box: BoxSize
    is_turned: bool


class LabellingNetwork(nn.Module):
    """Features of a MONAI DenseNet, and two linear layers per head."""

    def __init__(self, shape: LabellingShape) -> None:
        super().__init__()
        self.net, features = _features(shape.backbone)
        self.classification_heads = nn.ModuleDict(
            {name: _head(features, answers) for name, answers in shape.heads.items()}
        )

    def forward(self, box: Tensor) -> dict[str, Tensor]:
        """Answer about a (1, 1, P, I, R) tensor; logits of the heads that are understood."""
        features = self.net(box)
        heads = self.classification_heads.items()
        return {name: head(features) for name, head in heads if name in HEADS}


class LabellingModel:
    """A loaded labelling model.

    Attributes
    ----------
    config : InferenceConfig
        The model folder's own description.
    shape : LabellingShape
        Of its network.
    """

    def __init__(
        self,
        config: InferenceConfig,
        shape: LabellingShape,
        network: LabellingNetwork,
        device: str = "cpu",
    ) -> None:
        self.config = config
        self.shape = shape
        self._device = torch.device(device)
        self._network = network.eval().to(self._device)

    def predict(
        self,
        volume: Volume,
        maps: tuple[LabelMap, LabelMap],
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[int, Answers]:
        """Look at every vertebra that has a body.

        Parameters
        ----------
        volume : Volume
            The image.
        maps : tuple of 2 LabelMap
            Final semantic and instance map on its grid.
        progress : callable, optional
            Called with (vertebrae done, vertebrae in all) after each.

        Returns
        -------
        dict of int to dict
            Probabilities by head, by vertebra id.
        """
        boxes = boxes_about_bodies(
            volume, maps, self.config, size=self.shape.box, is_turned=self.shape.is_turned
        )
        answers = {}
        for number, box in boxes.items():
            tensor = torch.from_numpy(box).to(self._device)[None, None]
            with torch.inference_mode():
                logits = self._network(tensor)
            answers[number] = {
                name: tuple(torch.softmax(values[0].double(), 0).tolist())
                for name, values in logits.items()
            }
            if progress is not None:
                progress(len(answers), len(boxes))
        return answers


def load_labelling_model(folder: Path, *, device: str = "cpu") -> LabellingModel:
    """Load a published labelling model folder.

    Parameters
    ----------
    folder : Path
        Folder with one ``inference_config.json`` and ``*val_f1=*valf1-weights.ckpt``, however
        nested; of several checkpoints the last by name counts, as in SPINEPS.
    device : str
        Torch device.

    Returns
    -------
    LabellingModel
        Ready to predict.

    Raises
    ------
    ModelUnusableError
        Config or weights absent, damaged or of another architecture; ``monai_missing``.
    """
    config_path = find_config(folder)
    config = read_config(config_path)
    found = sorted(p for p in config_path.parent.rglob(_WEIGHTS) if not p.name.startswith("."))
    if not found:
        message = f"the labelling model has no {_WEIGHTS} file"
        raise ModelUnusableError(message, reasons=("weights_missing",))
    checkpoint = read_checkpoint(found[-1], keep=("state_dict", "hyper_parameters"))
    weights = _weights_of(checkpoint)
    shape = _shape_of(weights, _options_of(checkpoint))
    network = LabellingNetwork(shape)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        message = f"the labelling network's weights do not fit a {shape.backbone}"
        raise ModelUnusableError(message, reasons=("unknown_architecture",)) from error
    return LabellingModel(config, shape, network, device)


def _weights_of(checkpoint: Mapping[str, object]) -> dict[str, Tensor]:
    state = checkpoint.get("state_dict")
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        message = "the labelling checkpoint holds no state dict"
        raise ModelUnusableError(message, reasons=("checkpoint_unreadable",))
    return cast("dict[str, Tensor]", state)


def _options_of(checkpoint: Mapping[str, object]) -> dict[str, object]:
    """Attributes of the options object, of whatever class it was pickled as."""
    parameters = checkpoint.get("hyper_parameters")
    options = parameters.get("opt") if isinstance(parameters, dict) else None
    values = options.state if isinstance(options, InertObject) else options
    if not isinstance(values, dict):
        message = "the labelling checkpoint does not say how its network looks at an image"
        raise ModelUnusableError(message, reasons=("options_missing",))
    return values


def _shape_of(weights: Mapping[str, Tensor], options: Mapping[str, object]) -> LabellingShape:
    backbone, box = options.get("backbone"), _box_in(options)
    if backbone not in _BACKBONES:
        message = f"the labelling network is no {' or '.join(_BACKBONES)}"
        raise ModelUnusableError(message, reasons=("unknown_backbone",))
    heads = _heads_in(weights)
    known = {name: answers for name, answers in heads.items() if name in HEADS}
    if not known.keys() & NAMING or any(HEADS[name] != n for name, n in known.items()):
        message = "the labelling network has none of the known heads, or one of another size"
        raise ModelUnusableError(message, reasons=("unknown_heads",))
    is_turned = _TURNED_DATA in str(options.get("ds_name") or "")
    return LabellingShape(str(backbone), heads, box, is_turned)


def _box_in(options: Mapping[str, object]) -> BoxSize:
    sides = options.get("final_size")
    whole = [s for s in sides if isinstance(s, int)] if isinstance(sides, list | tuple) else []
    if len(whole) != len(BoxSize._fields) or min(whole) < 1:
        message = "the labelling checkpoint does not say the size of its input"
        raise ModelUnusableError(message, reasons=("options_missing",))
    return BoxSize(*whole)


def _heads_in(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Answers of every head: rows of its last layer."""
    layers = [(m[1], int(m[2]), w) for key, w in weights.items() if (m := _HEAD_KEY.match(key))]
    last = {name: w for name, _, w in sorted(layers, key=lambda layer: layer[:2])}
    return {name: int(weight.shape[0]) for name, weight in last.items()}


def _features(backbone: str) -> tuple[nn.Module, int]:
    """DenseNet without its last layer, and how many features it gives."""
    try:
        # Not at the top: seconds, and only who trains or has such a model has installed it.
        from monai.networks.nets import densenet  # noqa: PLC0415
    except ImportError as error:
        message = "labelling models need MONAI: pip install 'spine-node[labelling]'"
        raise ModelUnusableError(message, reasons=("monai_missing",)) from error
    make = {"DENSENET121": densenet.DenseNet121, "DENSENET169": densenet.DenseNet169}[backbone]
    net = make(spatial_dims=3, in_channels=1, out_channels=1)
    *kept, last = net.class_layers
    net.class_layers = nn.Sequential(*kept)
    return net, cast("nn.Linear", last).in_features


def _head(features: int, answers: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(features, features // 2), nn.ReLU(), nn.Linear(features // 2, answers)
    )
