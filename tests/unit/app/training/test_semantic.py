"""A short training learns, resumes and writes a folder that the pipeline loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.training.cases import Case, store
from app.training.semantic import SemanticOptions, build_network, poly_rate, train
from operators.networks.semantic import load_semantic_model

FEATURES = (8, 16)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    labels = np.zeros((8, 40, 40), np.uint8)
    labels[:, 5:35, 5:20], labels[:, 5:35, 22:30] = 49, 61
    image = (0.1 + 0.4 * (labels == 49) + 0.9 * (labels == 61)).astype(np.float16)
    store(Case(image[None], labels, (labels == 49).astype(np.uint8), 1.5), folder / "0000001.npz")
    return folder


def options(cases: Path, folder: Path) -> SemanticOptions:
    return SemanticOptions(
        cases=cases,
        work=folder / "work",
        model=folder / "model",
        steps=10,
        patch_rip=(8, 32, 32),
        features=FEATURES,
        learning_rate=2e-2,
        save_every=5,
        half_precision=False,
    )


def test_ten_steps_lower_the_loss_and_leave_a_model_that_loads(cases: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    done = train(
        options(cases, tmp_path), lambda _s, _n, entropy, dice: losses.append(entropy + dice)
    )
    assert done == 10
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    model = load_semantic_model(tmp_path / "model")
    assert model.config.model_expected_orientation == ("P", "I", "R")
    config = json.loads((tmp_path / "model" / "inference_config.json").read_text("utf-8"))
    assert config["resolution_range"] == [1.5, 1.5, 3.3]
    assert len(config["labels"]) == 14


def test_a_stopped_training_goes_on_where_it_was(cases: Path, tmp_path: Path) -> None:
    stopped = replace(options(cases, tmp_path), stop_after_seconds=0.0)
    assert train(stopped) == 1
    assert train(stopped) == 2
    assert train(options(cases, tmp_path)) == 10


def test_the_same_seed_gives_the_same_weights(cases: Path, tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        wanted = replace(options(cases, tmp_path / name), steps=2)
        train(wanted)
        files.append(wanted.model / "fold_0" / "checkpoint_final.pth")
    a, b = (torch.load(f, weights_only=True)["network_weights"] for f in files)
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_the_rate_warms_up_and_falls_to_1_percent() -> None:
    assert poly_rate(0, 1000, 1.0) == pytest.approx(0.01)
    assert poly_rate(100, 1000, 1.0) == pytest.approx(0.9**0.9)
    assert poly_rate(999, 1000, 1.0) == pytest.approx(0.01)


def test_the_compact_network_answers_15_classes_on_its_own_grid() -> None:
    network = build_network((8, 16, 16))
    assert network(torch.zeros(1, 1, 8, 16, 16)).shape == (1, 15, 8, 16, 16)
