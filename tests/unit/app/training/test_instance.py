"""A short training of the instance network ends in a checkpoint that the pipeline loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from app.training import cutout_drawing, instance
from app.training.cases import Case, store
from app.training.instance import InstanceOptions, build_network, published_weights, train
from operators.networks.instances import load_instance_model
from operators.networks.unet3d import Unet3D


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (cutout_drawing, instance):
        monkeypatch.setattr(module, "CUTOUT_PIR", (32, 32, 8))
    labels = np.zeros((10, 60, 40), np.uint8)
    numbers = np.zeros_like(labels)
    for place, number in enumerate((20, 21, 22)):
        rows = slice(4 + 18 * place, 18 + 18 * place)
        labels[:, rows, 8:26], numbers[:, rows, 8:26] = 49, number
    folder = tmp_path / "cases"
    folder.mkdir()
    store(Case(np.zeros((1, 10, 60, 40), np.float16), labels, numbers, 1.5), folder / "0000001.npz")
    return folder


def test_twelve_steps_lower_the_loss_and_the_checkpoint_loads(cases: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    wanted = InstanceOptions(
        cases, tmp_path / "work", tmp_path / "model", 12, learning_rate=1e-2, half_precision=False
    )
    train(wanted, lambda _s, _n, entropy, dice: losses.append(entropy + dice))
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    model = load_instance_model(tmp_path / "model")
    assert model.config.cutout_size == (32, 32, 8)
    assert [p.name for p in (tmp_path / "model").glob("*.ckpt")] == ["step=12-weights.ckpt"]


def test_the_published_weights_give_the_same_answer_as_the_trained_network() -> None:
    torch.manual_seed(0)
    trained = build_network(8).eval()
    published = Unet3D(trained.shape)
    published.load_state_dict(published_weights(trained))
    image = torch.randn(1, 11, 16, 16, 8)
    with torch.no_grad():
        assert torch.allclose(trained(image), published(image), atol=1e-4)
