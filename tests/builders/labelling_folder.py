"""A labelling model's folder in SPINEPS's layout: a random DenseNet121 with small input.

Importing MONAI loads holoscan, which warns about the machine.
"""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from operators.networks.labelling import HEADS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from monai.networks.nets import DenseNet121

if TYPE_CHECKING:
    from pathlib import Path

BOX = (64, 64, 32)
WEIGHTS = "model_epoch=3_val_f1=0.97_valf1-weights.ckpt"

CONFIG: dict[str, Any] = {
    "log_name": "labelling",
    "modality": ["T2w"],
    "acquisition": "sag",
    "modeltype": "classifier",
    "model_expected_orientation": ["P", "I", "R"],
    "available_folds": 1,
    "inference_augmentation": False,
    "resolution_range": [1.0, 1.0, 1.0],
    "default_step_size": 0.5,
    "labels": {},
}


class Options:
    """Stands for the class of options that a checkpoint holds; pickled by this name."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(
            {
                "backbone": "DENSENET121",
                "final_size": BOX,
                "classification_conv": False,
                "classification_linear": True,
                "in_channel": 1,
                "num_classes": 12,
                "ds_name": "sagittal_v3corpus_npz",
                **values,
            }
        )


class Classifier(nn.Module):
    """The layers of SPINEPS's classifier, by the names that its checkpoints have."""

    def __init__(self, heads: dict[str, int]) -> None:
        super().__init__()
        self.net = DenseNet121(spatial_dims=3, in_channels=1, out_channels=1)
        wide = self.net.class_layers[-1].in_features
        self.net.class_layers = self.net.class_layers[:-1]
        self.classification_heads = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Linear(wide, wide // 2), nn.ReLU(), nn.Linear(wide // 2, answers)
                )
                for name, answers in heads.items()
            }
        )

    def answers(self, box: torch.Tensor) -> dict[str, list[float]]:
        """Probabilities about one normalised box [P, I, R]."""
        with torch.inference_mode():
            features = self.eval().net(box[None, None])
            return {
                name: torch.softmax(head(features), 1)[0].tolist()
                for name, head in self.classification_heads.items()
            }


def write_labelling_folder(
    folder: Path, heads: dict[str, int] | None = None, **options: Any
) -> Classifier:
    """Write the folder; answers the network whose weights are in it."""
    heads = heads or {**HEADS, "ANOTHER": 5}
    torch.manual_seed(7)
    network = Classifier(heads)
    (folder / "weights").mkdir(parents=True)
    (folder / "inference_config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    checkpoint = {
        "epoch": 3,
        "state_dict": network.state_dict(),
        "hyper_parameters": {"opt": Options(**options), "group_2_n_channel": heads},
    }
    torch.save(checkpoint, folder / "weights" / WEIGHTS)
    return network
