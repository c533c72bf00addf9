from dataclasses import replace
from pathlib import Path

import pytest
import torch

from operators.errors import ModelUnusableError
from operators.networks.engines import Runtime, TorchNetworks
from operators.networks.nnunet_network import Ensemble, build_network, load_weights
from operators.networks.nnunet_plans import Architecture, Plans, read_plans
from tests.builders.nnunet_folder import Recipe, network, write_folder

CPU = Runtime("torch", torch.device("cpu"), "fp32")


def plans_of(recipe: Recipe, folder: Path) -> Plans:
    return read_plans(write_folder(folder, recipe), "3d_fullres")


def tile() -> torch.Tensor:
    torch.manual_seed(9)
    return torch.randn(1, 1, 8, 16, 16)


@pytest.mark.parametrize("style", ["old", "new"])
@pytest.mark.parametrize("kind", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_a_loaded_network_answers_as_the_one_its_weights_come_from(
    style: str, kind: str, tmp_path: Path
) -> None:
    recipe = Recipe(style=style, network=kind)
    theirs = network(recipe, seed=5)
    ours = build_network(plans_of(recipe, tmp_path))
    load_weights(ours, theirs.state_dict())
    with torch.inference_mode():
        assert torch.equal(ours(tile()), theirs(tile()))


def test_wrapped_names_are_unwrapped_and_aliases_are_not_needed(tmp_path: Path) -> None:
    weights = {
        f"module.{name}": value
        for name, value in network(Recipe(), seed=1).state_dict().items()
        if "all_modules" not in name and "decoder.encoder" not in name
    }
    loaded = build_network(plans_of(Recipe(), tmp_path))
    load_weights(loaded, weights)
    state = loaded.state_dict()
    assert all(torch.equal(state[name[7:]], value) for name, value in weights.items())


@pytest.mark.parametrize("change", ["missing", "too much", "other shape", "not finite", "none"])
def test_weights_that_do_not_fit_are_refused(change: str, tmp_path: Path) -> None:
    weights = dict(network(Recipe(), seed=1).state_dict())
    name = "encoder.stages.0.0.convs.0.conv.weight"
    if change == "missing":
        weights = {key: value for key, value in weights.items() if key != name}
    elif change == "too much":
        weights["extra.weight"] = torch.ones(1)
    elif change == "other shape":
        weights[name] = torch.ones(4, 2, 1, 3, 3)
    elif change == "not finite":
        weights[name] = torch.full_like(weights[name], float("nan"))
    else:
        weights = {}
    with pytest.raises(ModelUnusableError) as caught:
        load_weights(build_network(plans_of(Recipe(), tmp_path)), weights)
    assert caught.value.reasons == ("weights_do_not_fit",)


@pytest.mark.parametrize(
    "changes",
    [
        {"network_class": "Popen"},
        {"arguments": {"conv_op": "os.system"}},
        {"arguments": {"zebra": 1}},
        {"arguments": {"n_stages": "two"}},
    ],
)
def test_an_unknown_architecture_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    plans = plans_of(Recipe(style="new"), tmp_path)
    architecture = plans.architecture
    extra = changes.get("arguments", {})
    changed = Architecture(
        str(changes.get("network_class", architecture.network_class)),
        {**architecture.arguments, **extra},  # type: ignore[dict-item]
    )
    with pytest.raises(ModelUnusableError) as caught:
        build_network(replace(plans, architecture=changed))
    assert caught.value.reasons == ("unknown_architecture",)


class Slope(torch.nn.Module):
    """Answers factor x (position along the last axis), whatever the input is."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * torch.arange(4.0).expand(x.shape).clone()


def test_folds_are_averaged():
    ensemble = Ensemble(TorchNetworks((Slope(1.0), Slope(4.0), Slope(7.0)), CPU))
    assert ensemble.ask(torch.zeros(1, 1, 2, 2, 4)).logits[0, 0, 0, 0].tolist() == [0, 4, 8, 12]


def test_mirror_images_are_averaged_only_over_the_allowed_axes():
    tile = torch.zeros(1, 1, 2, 2, 4)
    along = Ensemble(TorchNetworks((Slope(1.0),), CPU), (2,)).ask(tile).logits
    across = Ensemble(TorchNetworks((Slope(1.0),), CPU), (0, 1)).ask(tile).logits
    assert along[0, 0, 0, 0].tolist() == [1.5] * 4
    assert across[0, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_a_model_without_networks_is_refused():
    with pytest.raises(ModelUnusableError):
        Ensemble(TorchNetworks((), CPU)).ask(torch.zeros(1, 1, 2, 2, 4))
