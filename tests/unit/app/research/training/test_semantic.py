"""A short training of phase 1 learns and writes a folder that the pipeline loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from app.research.training.augmentation import Tile, TileGrid
from app.research.training.cases import Case, store
from app.research.training.loop import LoopOptions, Training
from app.research.training.presets import SEMANTIC_PRESETS, Schedule, SemanticPreset, compact_design
from app.research.training.semantic import SemanticPhase, TrainingData, build_network
from app.research.training.shelf import CaseShelf, Mix
from operators.networks.semantic import load_semantic_model

TINY = replace(
    SEMANTIC_PRESETS["compact"],
    design=compact_design((8, 16)),
    grid=TileGrid((8, 32, 32), (3.3, 1.5, 1.5)),
    schedule=Schedule(peak=2e-2),
)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> CaseShelf:
    folder = tmp_path_factory.mktemp("cases")
    labels = np.zeros((8, 40, 40), np.uint8)
    labels[:, 5:35, 5:20], labels[:, 5:35, 22:30] = 49, 61
    image = (0.1 + 0.4 * (labels == 49) + 0.9 * (labels == 61)).astype(np.float16)
    case = Case(image[None], labels, (labels == 49).astype(np.uint8), (3.3, 1.5, 1.5))
    store(case, folder / "0000001.npz")
    return CaseShelf(folder)


def trained(
    cases: CaseShelf, folder: Path, preset: SemanticPreset, steps: int
) -> tuple[Training, list[float]]:
    data = TrainingData(training=Mix([(cases, 1.0)]), held_out=cases)
    phase = SemanticPhase(preset, data, folder / "model", seed=7)
    options = LoopOptions(
        state=folder / "semantic.pt",
        steps=steps,
        schedule=preset.schedule,
        optimizer=preset.optimizer,
        batch=preset.batch,
        half_precision=False,
    )
    training, losses = Training(phase, options), list[float]()
    training.run(lambda _s, _n, entropy, dice: losses.append(entropy + dice))
    return training, losses


def test_ten_steps_lower_the_loss_and_leave_a_model_that_loads(
    cases: CaseShelf, tmp_path: Path
) -> None:
    training, losses = trained(cases, tmp_path, TINY, 10)
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    model = load_semantic_model(tmp_path / "model")
    assert model.config.model_expected_orientation == ("P", "I", "R")
    config = json.loads((tmp_path / "model" / "inference_config.json").read_text("utf-8"))
    assert config["resolution_range"] == [0.75, 0.75, 1.65]  # the map is finer than the tiles
    assert len(config["labels"]) == 14
    assert set(training.history.validation[-1]) == {"step", "dice_49", "dice_61"}


def test_deep_supervision_in_batches_of_2_by_sgd_learns_too_and_loads(
    cases: CaseShelf, tmp_path: Path
) -> None:
    preset = replace(
        TINY,
        design=compact_design((8, 16, 16)),
        deep_supervision=True,
        batch=2,
        optimizer="sgd",
        schedule=Schedule(peak=2e-2, floor=0.0, warm_up=0),
    )
    _, losses = trained(cases, tmp_path, preset, 10)
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    assert load_semantic_model(tmp_path / "model").plans.heads == 15


def test_the_compact_network_answers_15_classes_on_its_own_grid() -> None:
    network = build_network(compact_design((8, 16, 16)))
    assert network(torch.zeros(1, 1, 8, 16, 16)).shape == (1, 15, 8, 16, 16)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, -0.5), (-0.4, 0.0)])
def test_targets_between_the_voxels_are_judged_by_interpolated_logits(
    cases: CaseShelf, tmp_path: Path, shift: tuple[float, float]
) -> None:
    data = TrainingData(training=Mix([(cases, 1.0)]), held_out=cases)
    phase = SemanticPhase(TINY, data, tmp_path / "model", seed=7)
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 3, (1, 15, 4, 12, 10)).astype(np.float32)
    codes = rng.integers(0, 15, (4, 12, 10)).astype(np.uint8)
    image = np.zeros((4, 12, 10), np.float32)
    expected = ndimage.shift(logits, (0, 0, 0, *np.negative(shift)), order=1, mode="nearest")
    found = phase.judge([torch.from_numpy(logits)], Tile(image, codes, shift))
    wanted = phase.judge([torch.from_numpy(expected)], Tile(image, codes))
    assert [float(x) for x in found] == pytest.approx([float(x) for x in wanted], rel=1e-5)


def test_targets_lie_between_the_voxels_where_the_map_is_finer_than_the_tiles() -> None:
    for preset in SEMANTIC_PRESETS.values():
        assert preset.grid.between == (preset.map_mm is not None)
