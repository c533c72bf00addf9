"""The mean of models: computed by hand, loaded like any other, refused where there is none."""

import shutil
from pathlib import Path

import pytest
import torch

from app.errors import ConfigurationError
from app.research.training.averaging import average_models
from operators.errors import ModelUnusableError
from operators.networks.checkpoints import read_checkpoint
from operators.networks.semantic import load_semantic_model
from tests.builders.nnunet_folder import Recipe, write_folder
from tests.unit.operators.networks.test_semantic import image

PLACE = Path("fold_0/checkpoint_final.pth")


def model(folder: Path, seed: int) -> Path:
    """A tiny model whose weights are those of the builder's fold times `seed`."""
    made = write_folder(folder, Recipe())
    file = next(made.rglob("checkpoint_final.pth"))
    flat = file.parents[1]
    content = torch.load(file, weights_only=False)
    content["network_weights"] = {k: v * seed for k, v in content["network_weights"].items()}
    torch.save(content, file)
    return flat


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / PLACE)["network_weights"]  # type: ignore[return-value]


def test_the_mean_counts_each_model_by_its_share(tmp_path: Path) -> None:
    one, other = model(tmp_path / "a", 1), model(tmp_path / "b", 5)
    average_models({one: 1, other: 3}, tmp_path / "mean")
    expected, found = weights(one), weights(tmp_path / "mean")
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.allclose(tensor, 4 * expected[name])


def test_names_that_share_their_memory_still_do(tmp_path: Path) -> None:
    one, other = model(tmp_path / "a", 1), model(tmp_path / "b", 1)
    for folder in (one, other):
        content = torch.load(folder / PLACE, weights_only=False)
        name, tensor = next(iter(content["network_weights"].items()))
        content["network_weights"][f"decoder.{name}"] = tensor
        torch.save(content, folder / PLACE)
    average_models({one: 1, other: 1}, tmp_path / "mean")
    found = weights(tmp_path / "mean")
    name = next(iter(found))
    assert found[name].data_ptr() == found[f"decoder.{name}"].data_ptr()


def test_the_mean_of_a_model_with_itself_segments_as_it_does(tmp_path: Path) -> None:
    one = model(tmp_path / "a", 1)
    other = shutil.copytree(one, tmp_path / "copy")
    average_models({one: 1, other: 1}, tmp_path / "mean")
    found, expected = (load_semantic_model(f) for f in (tmp_path / "mean", one))
    assert found.config == expected.config
    same = (m.predict_on_model_grid(image((8, 16, 16))).labels_zyx for m in (found, expected))
    assert (next(same) == next(same)).all()


def test_what_has_no_mean_is_refused_by_name(tmp_path: Path) -> None:
    one, other = model(tmp_path / "a", 1), model(tmp_path / "b", 2)
    for given, reason in (
        ({one: 1.0}, "too_few_models"),
        ({one: 1.0, other: 0.0}, "invalid_share"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            average_models(given, tmp_path / "mean")
        assert caught.value.reasons == (reason,)
    with pytest.raises(ConfigurationError) as caught:
        average_models({one: 1, other: 1}, one)
    assert caught.value.reasons == ("other_model",)
    strange = write_folder(tmp_path / "c", Recipe(patch=(16, 16, 16)))
    strange = next(strange.rglob("plans.json")).parent
    with pytest.raises(ModelUnusableError) as unusable:
        average_models({one: 1, strange: 1}, tmp_path / "mean")
    assert unusable.value.reasons == ("other_network",)
    assert not (tmp_path / "mean").exists()
