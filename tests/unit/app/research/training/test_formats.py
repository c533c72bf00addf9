"""The written folders say what the published formats say."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.research.training.formats import architecture, write_semantic_model
from app.research.training.instance_format import write_instance_model
from app.research.training.presets import INSTANCE_PRESETS, SEMANTIC_PRESETS, compact_design
from operators.networks.inference_config import read_config
from operators.networks.nnunet_plans import read_plans


def test_the_semantic_folder_holds_plans_dataset_config_and_one_fold(tmp_path: Path) -> None:
    folder = tmp_path / "compact"
    weights = {"w": torch.zeros(2)}
    preset = replace(SEMANTIC_PRESETS["compact"], design=compact_design((8, 16)))
    write_semantic_model(folder, weights, preset)
    plans = json.loads((folder / "plans.json").read_text("utf-8"))
    configuration = plans["configurations"]["3d_fullres"]
    assert configuration["patch_size"] == [16, 128, 96]
    assert configuration["architecture"] == architecture(compact_design((8, 16)))
    dataset = json.loads((folder / "dataset.json").read_text("utf-8"))
    assert list(dataset["labels"].values()) == list(range(15))
    checkpoint = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=True)
    assert checkpoint["init_args"]["configuration"] == "3d_fullres"
    assert checkpoint["inference_allowed_mirroring_axes"] is None


def test_a_model_trained_on_whole_fields_says_that_it_takes_whole_images(tmp_path: Path) -> None:
    largest = {"compact": None, "paper": None, "fields": 2_500_000, "fine": 10_000_000}
    for name, voxels in largest.items():
        write_semantic_model(tmp_path / name, {"w": torch.zeros(1)}, SEMANTIC_PRESETS[name])
        config = read_config(tmp_path / name / "inference_config.json")
        assert config.largest_tile == voxels


def test_only_a_model_of_the_fine_grid_asks_for_interpolated_slices(tmp_path: Path) -> None:
    for name in SEMANTIC_PRESETS:
        write_semantic_model(tmp_path / name, {"w": torch.zeros(1)}, SEMANTIC_PRESETS[name])
        said = read_plans(tmp_path / name, "3d_fullres").separate_slices
        assert said == ((False, False) if name == "fine" else (None, None))


def test_mirror_images_are_asked_for_by_the_models_whose_network_is_small(tmp_path: Path) -> None:
    for name, is_averaged in (("compact", True), ("fields", True), ("fine", False)):
        write_semantic_model(tmp_path / name, {"w": torch.zeros(1)}, SEMANTIC_PRESETS[name])
        config = read_config(tmp_path / name / "inference_config.json")
        assert config.mirror_left_right == is_averaged


def test_the_instance_folder_keeps_one_checkpoint_of_plain_types(tmp_path: Path) -> None:
    weights = {"init_conv.weight": torch.zeros(8, 11, 7, 7, 7)}
    for steps in (100, 200):
        write_instance_model(tmp_path, weights, INSTANCE_PRESETS["compact"], steps=steps)
    assert [p.name for p in tmp_path.glob("*.ckpt")] == ["step=200-weights.ckpt"]
    with torch.serialization.safe_globals([argparse.Namespace]):
        checkpoint = torch.load(tmp_path / "step=200-weights.ckpt", weights_only=True)
    assert list(checkpoint["state_dict"]) == ["network.init_conv.weight"]
    assert checkpoint["hyper_parameters"]["opt"].channelwise is True
    assert checkpoint["hyper_parameters"]["num_channels"] == 11


def test_the_config_counts_the_folds_written_so_far(tmp_path: Path) -> None:
    preset = SEMANTIC_PRESETS["paper"]
    for fold in range(3):
        write_semantic_model(tmp_path, {"w": torch.zeros(1)}, preset, fold=fold)
        config = json.loads((tmp_path / "inference_config.json").read_text("utf-8"))
        assert config["available_folds"] == fold + 1
    assert config["mirror_left_right"] is False
    assert config["resolution_range"] == [0.75, 0.75, 1.65]


def test_thresholds_of_the_instance_folder_are_the_same_volume_on_every_grid(
    tmp_path: Path,
) -> None:
    weights = {"init_conv.weight": torch.zeros(8, 11, 7, 7, 7)}
    for preset in INSTANCE_PRESETS.values():
        write_instance_model(tmp_path, weights, preset, steps=1)
        config = json.loads((tmp_path / "inference_config.json").read_text("utf-8"))
        voxel_mm3 = math.prod(preset.cutout.spacing_mm)
        assert config["corpus_size_cleaning"] * voxel_mm3 == pytest.approx(42, abs=voxel_mm3 / 2)
        assert config["vert_size_threshold"] * voxel_mm3 == pytest.approx(236, abs=voxel_mm3 / 2)


@pytest.mark.parametrize("has_c1", [True, False])
def test_the_config_says_whether_c1_is_drawn(tmp_path: Path, *, has_c1: bool) -> None:
    preset = SEMANTIC_PRESETS["paper"]
    write_semantic_model(tmp_path, {"w": torch.zeros(1)}, preset, has_c1=has_c1)
    assert read_config(tmp_path / "inference_config.json").has_c1 is has_c1


def test_a_fold_trained_alone_is_named_in_the_config(tmp_path: Path) -> None:
    write_semantic_model(tmp_path, {"w": torch.zeros(1)}, SEMANTIC_PRESETS["paper"], fold=2)
    config = json.loads((tmp_path / "inference_config.json").read_text("utf-8"))
    assert config["available_folds"] == ["2"]
