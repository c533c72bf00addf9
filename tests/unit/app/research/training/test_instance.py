"""A short training of the instance network ends in a checkpoint that the pipeline loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.research.training.cases import Case, store
from app.research.training.cutout_drawing import CutoutGrid
from app.research.training.instance import InstancePhase, build_network, published_weights
from app.research.training.instance_format import write_instance_model
from app.research.training.loop import LoopOptions, Training
from app.research.training.presets import INSTANCE_PRESETS, InstancePreset, Schedule
from app.research.training.semantic import TrainingData
from app.research.training.shelf import CaseShelf, Mix
from operators.errors import ModelUnusableError, UnreadableInputError
from operators.networks.instances import load_instance_model
from operators.networks.unet3d import Unet3D

MM = (3.3, 1.5, 1.5)


@pytest.fixture
def preset() -> InstancePreset:
    grid = CutoutGrid((32, 32, 8), (1.75, 1.75, 2.75))
    return replace(INSTANCE_PRESETS["compact"], cutout=grid, schedule=Schedule(peak=1e-2))


def shelf(folder: Path) -> CaseShelf:
    labels = np.zeros((10, 60, 40), np.uint8)
    numbers = np.zeros_like(labels)
    for place, number in enumerate((20, 21, 22)):
        rows = slice(4 + 18 * place, 18 + 18 * place)
        labels[:, rows, 8:26], numbers[:, rows, 8:26] = 49, number
    store(Case(np.zeros((1, 10, 60, 40), np.float16), labels, numbers, MM), folder / "1.npz")
    return CaseShelf(folder)


def test_twelve_steps_lower_the_loss_and_the_checkpoint_loads(
    preset: InstancePreset, tmp_path: Path
) -> None:
    cases = shelf(tmp_path / "cases")
    data = TrainingData(training=Mix([(cases, 1.0)]), held_out=cases)
    phase = InstancePhase(preset, data, tmp_path / "model", seed=5)
    losses: list[float] = []
    options = LoopOptions(
        state=tmp_path / "instance.pt", steps=12, schedule=preset.schedule, half_precision=False
    )
    training = Training(phase, options)
    training.run(lambda _s, _n, entropy, dice: losses.append(entropy + dice))
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    model = load_instance_model(tmp_path / "model")
    assert model.config.cutout_size == (32, 32, 8)
    assert [p.name for p in (tmp_path / "model").glob("*.ckpt")] == ["step=12-weights.ckpt"]
    assert set(training.history.validation[-1]) >= {"step", "dice_centre"}


def test_cases_without_numbered_bodies_are_refused_by_name(
    preset: InstancePreset, tmp_path: Path
) -> None:
    empty = np.zeros((4, 10, 10), np.uint8)
    store(Case(np.zeros((1, 4, 10, 10), np.float16), empty, empty, MM), tmp_path / "1.npz")
    data = TrainingData(training=Mix([(CaseShelf(tmp_path), 1.0)]))
    with pytest.raises(UnreadableInputError) as raised:
        InstancePhase(preset, data, tmp_path / "model", seed=5).sample(0)
    assert raised.value.reasons == ("no_numbered_bodies",)


@pytest.mark.parametrize("kernel", [3, 7])
def test_the_published_weights_give_the_same_answer_as_the_trained_network(kernel: int) -> None:
    torch.manual_seed(0)
    trained = build_network(8, kernel).eval()
    published = Unet3D(trained.shape)
    published.load_state_dict(published_weights(trained))
    image = torch.randn(1, 11, 16, 16, 8)
    with torch.no_grad():
        assert torch.allclose(trained(image), published(image), atol=1e-4)


def begun_with(preset: InstancePreset, model: Path) -> InstancePhase:
    phase = InstancePhase(preset, TrainingData(training=Mix([])), model.parent / "new", seed=99)
    phase.start_from(model)
    return phase


def written(preset: InstancePreset, folder: Path, kernel: int = 3) -> dict[str, torch.Tensor]:
    """Weights of a model that was written, as they were trained."""
    torch.manual_seed(1)
    network = build_network(preset.base, kernel)
    write_instance_model(folder, published_weights(network), preset, steps=7)
    return dict(network.state_dict())


def test_a_training_can_begin_with_the_weights_of_a_model(
    preset: InstancePreset, tmp_path: Path
) -> None:
    weights = written(preset, tmp_path / "model")
    begun = begun_with(preset, tmp_path / "model").network.state_dict()
    assert begun.keys() == weights.keys()
    assert all(torch.equal(begun[name], weights[name]) for name in weights)


@pytest.mark.parametrize("change", [{"base": 16}, {"first_kernel": 3}], ids=str)
def test_a_model_of_another_network_is_not_begun_with(
    preset: InstancePreset, change: dict[str, int], tmp_path: Path
) -> None:
    written(preset, tmp_path / "model", kernel=7)
    with pytest.raises(ModelUnusableError) as raised:
        begun_with(replace(preset, **change), tmp_path / "model")  # type: ignore[arg-type]
    assert raised.value.reasons == ("other_network",)
