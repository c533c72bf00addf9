"""The written folders say what the published formats say."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from app.training.formats import architecture, write_instance_model, write_semantic_model


def test_the_semantic_folder_holds_plans_dataset_config_and_one_fold(tmp_path: Path) -> None:
    folder = tmp_path / "compact"
    weights = {"w": torch.zeros(2)}
    write_semantic_model(
        folder, weights, patch_rip=(16, 128, 96), spacing_rip=(3.3, 1.5, 1.5), features=(8, 16)
    )
    plans = json.loads((folder / "plans.json").read_text("utf-8"))
    configuration = plans["configurations"]["3d_fullres"]
    assert configuration["patch_size"] == [16, 128, 96]
    assert configuration["architecture"] == architecture((8, 16))
    dataset = json.loads((folder / "dataset.json").read_text("utf-8"))
    assert list(dataset["labels"].values()) == list(range(15))
    checkpoint = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=True)
    assert checkpoint["init_args"]["configuration"] == "3d_fullres"
    assert checkpoint["inference_allowed_mirroring_axes"] is None


def test_the_instance_folder_keeps_one_checkpoint_of_plain_types(tmp_path: Path) -> None:
    weights = {"init_conv.weight": torch.zeros(8, 11, 7, 7, 7)}
    for steps in (100, 200):
        write_instance_model(
            tmp_path, weights, cutout_pir=(80, 96, 24), spacing_pir=(1.75, 1.75, 2.75), steps=steps
        )
    assert [p.name for p in tmp_path.glob("*.ckpt")] == ["step=200-weights.ckpt"]
    with torch.serialization.safe_globals([argparse.Namespace]):
        checkpoint = torch.load(tmp_path / "step=200-weights.ckpt", weights_only=True)
    assert list(checkpoint["state_dict"]) == ["network.init_conv.weight"]
    assert checkpoint["hyper_parameters"]["opt"].channelwise is True
    assert checkpoint["hyper_parameters"]["num_channels"] == 11
