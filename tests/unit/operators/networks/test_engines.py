"""OpenVINO answers as PyTorch does, in silence; with the same bits on any number of cores."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualUNet
from torch import Tensor, nn

from operators.errors import ModelUnusableError
from operators.networks.abreast import abreast
from operators.networks.engines import (
    Engine,
    Networks,
    OpenVinoNetworks,
    ready_networks,
    runs_in_openvino,
)
from operators.networks.openvino_graph import graph_of
from operators.networks.precision import Precision, computes_in_bfloat16
from operators.networks.semantic import load_semantic_model
from tests.builders.nnunet_folder import Recipe, network, write_folder

ROOT = Path(__file__).resolve().parents[4]
SHAPE = (1, 1, 8, 16, 16)
CPU = torch.device("cpu")
OPENVINO = "cpu-openvino-fp32"
IN_BFLOAT16 = pytest.mark.skipif(
    not computes_in_bfloat16("cpu"), reason="this processor does not compute in bfloat16"
)


@pytest.fixture
def own_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def tile() -> Tensor:
    torch.manual_seed(9)
    return torch.randn(SHAPE)


def answers_of(networks: Networks) -> list[Tensor]:
    with torch.inference_mode():
        return list(networks.answers(tile()))


def difference(network: nn.Module) -> float:
    """Largest difference between the engines, of the range of the logits."""
    with torch.inference_mode():
        expected = network(tile())
    found = answers_of(OpenVinoNetworks([network], SHAPE))[0]
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / (expected.max() - expected.min()))


@pytest.mark.parametrize("kind", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_openvino_answers_as_pytorch_does(kind: str) -> None:
    assert difference(network(Recipe(network=kind), seed=5)) < 1e-5


@pytest.mark.parametrize("nonlinearity", [nn.LeakyReLU, nn.ReLU, nn.ELU, nn.SiLU, nn.GELU])
@pytest.mark.parametrize("norm", [nn.InstanceNorm3d, nn.BatchNorm3d, None])
def test_every_layer_that_plans_can_name_is_the_same(
    norm: type[nn.Module] | None, nonlinearity: type[nn.Module]
) -> None:
    torch.manual_seed(3)
    unet = ResidualUNet(
        input_channels=1,
        n_stages=3,
        features_per_stage=[4, 6, 8],
        conv_op=nn.Conv3d,
        kernel_sizes=[[1, 3, 3], [3, 3, 3], [3, 3, 3]],
        strides=[[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        n_blocks_per_stage=[1, 1, 1],
        num_classes=3,
        n_conv_per_stage_decoder=[1, 1],
        conv_bias=norm is None,
        norm_op=norm,
        norm_op_kwargs=None if norm is None else {"eps": 1e-4, "affine": True},
        dropout_op=nn.Dropout3d,
        dropout_op_kwargs={"p": 0.5},
        nonlin=nonlinearity,
        nonlin_kwargs={},
    ).eval()
    for module in unet.modules():
        if isinstance(module, nn.BatchNorm3d | nn.InstanceNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    assert difference(unet) < 1e-5


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("finest", "joined"), [((1, 3, 3), 1), ((3, 3, 3), 2), ((1, 1, 1), 2)])
def test_a_level_enlarged_beside_a_finer_one_is_not_made_within_slices(
    finest: tuple[int, int, int], joined: int, *, bias: bool
) -> None:
    torch.manual_seed(6)
    unet = PlainConvUNet(
        input_channels=1,
        n_stages=3,
        features_per_stage=[4, 6, 8],
        conv_op=nn.Conv3d,
        kernel_sizes=[finest, [3, 3, 3], [3, 3, 3]],
        strides=[[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        n_conv_per_stage=[1, 1, 1],
        num_classes=3,
        n_conv_per_stage_decoder=[1, 1],
        conv_bias=bias,
        nonlin=nn.LeakyReLU,
    ).eval()
    assert difference(unet) < 1e-5  # with the border, where the convolution sees no bias beyond
    kinds = [node.get_type_name() for node in graph_of([unet], SHAPE).get_ops()]
    assert kinds.count("Concat") == joined


def test_a_norm_far_from_zero_over_many_voxels_keeps_6_digits() -> None:
    norm = nn.Sequential(nn.InstanceNorm3d(2))
    shape = (1, 2, 48, 128, 128)
    torch.manual_seed(1)
    far = torch.randn(shape) + 100
    expected = (far.double() - far.double().mean((2, 3, 4), keepdim=True)) / torch.sqrt(
        far.double().var((2, 3, 4), correction=0, keepdim=True) + 1e-5
    )
    found = next(OpenVinoNetworks([norm], shape).answers(far))
    # A float32 near 100 is itself 4e-6 beside the truth.
    assert (found - expected).abs().max() < 3e-5


@pytest.mark.usefixtures("own_threads")
@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=IN_BFLOAT16)])
@pytest.mark.parametrize("shape", [(1, 16, 12, 64, 48), (1, 16, 40, 128, 112)], ids=str)
def test_the_bits_are_the_same_for_any_number_of_threads(
    shape: tuple[int, ...], precision: Precision
) -> None:
    torch.manual_seed(4)
    block = [nn.Conv3d(16, 24, 3, padding=1), nn.InstanceNorm3d(24), nn.LeakyReLU()]
    given = nn.Sequential(*block, nn.Conv3d(24, 3, 1)).requires_grad_(requires_grad=False)
    wide = torch.randn(shape)
    found = []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        ready = OpenVinoNetworks([given], shape, precision)
        found.append(next(ready.answers(wide)).numpy().tobytes())
    assert found[0] == found[1] == found[2]


def test_tiles_of_several_sizes_get_a_graph_each_and_the_oldest_go() -> None:
    ready = OpenVinoNetworks([network(Recipe(), seed=2)], SHAPE)
    theirs = network(Recipe(), seed=2)
    sizes = [(1, 1, 8 * k, 16, 16) for k in (1, 2, 3, 4, 5, 1)]
    for shape in sizes:
        torch.manual_seed(shape[2])
        seen = torch.randn(shape)
        with torch.inference_mode():
            expected = theirs(seen)
        found = next(ready.answers(seen))
        assert found.shape == expected.shape
        assert (found - expected).abs().max() < 1e-5
    assert len(ready._kept) == 4


def test_an_example_of_a_size_is_checked_and_not_compiled() -> None:
    given = [network(Recipe(), seed=2)]
    ready = OpenVinoNetworks(given, SHAPE, is_example=True)
    assert not ready._kept
    expected = next(OpenVinoNetworks(given, SHAPE).answers(tile()))
    assert torch.equal(next(ready.answers(tile())), expected)
    odd = (1, 1, 8, 16, 15)
    with pytest.raises(ModelUnusableError):
        OpenVinoNetworks(given, odd, is_example=True)


def test_several_threads_ask_at_the_same_time_and_each_gets_its_own_answer() -> None:
    ready = OpenVinoNetworks([network(Recipe(), seed=2)], SHAPE)
    tiles = [tile() * scale for scale in range(1, 9)]
    alone = [next(ready.answers(one)) for one in tiles]
    with abreast(2) as run:
        together = list(run(lambda one: next(ready.answers(one)), tiles))
    assert all(torch.equal(one, same) for one, same in zip(alone, together, strict=True))


def test_folds_answer_in_their_order_and_a_tile_leaves_the_answers_before_it_alone() -> None:
    folds = [network(Recipe(), seed) for seed in (1, 2, 3)]
    with torch.inference_mode():
        expected = [fold(tile()) for fold in folds]
        other = -tile()
        ready = OpenVinoNetworks(folds, SHAPE)
        del folds  # the weights are the graph's now
        found = list(ready.answers(tile()))
        ready.release_memory()
        list(ready.answers(other))
    for one, same in zip(found, expected, strict=True):
        assert (one - same).abs().max() < 1e-5


@IN_BFLOAT16
def test_bf16_answers_in_float32_within_3_percent_of_the_range() -> None:
    theirs = network(Recipe(), seed=5)
    ready = ready_networks([network(Recipe(), seed=5)], SHAPE, CPU, "bf16", engine="auto")
    with torch.inference_mode():
        expected = theirs(tile())
    answer = answers_of(ready)[0]
    assert ready.runtime.profile == "cpu-openvino-bf16"
    assert answer.dtype == torch.float32
    assert (answer - expected).abs().max() < 0.03 * (expected.max() - expected.min())


def test_openvino_is_meant_for_the_cpu() -> None:
    assert [runs_in_openvino(device) for device in ("cpu", "cuda", "cuda:1")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("engine", "profile"),
    [("auto", OPENVINO), ("openvino", OPENVINO), ("torch", "cpu-torch-fp32")],
)
def test_both_engines_segment_a_folder_alike_under_different_names(
    engine: Engine, profile: str, tmp_path: Path
) -> None:
    given = network(Recipe(), seed=0)
    with torch.inference_mode():
        expected = given(tile()).argmax(1)
    ready = ready_networks([given], SHAPE, CPU, "fp32", engine=engine)
    assert ready.runtime.profile == profile
    assert (answers_of(ready)[0].argmax(1) == expected).float().mean() > 0.999
    assert load_semantic_model(write_folder(tmp_path), engine=engine).profile == profile


class Undecided(nn.Module):
    """Decides by what it sees."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Clamped(nn.Module):
    """Does what no plans can name."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(0, 1)


@pytest.mark.parametrize("strange", [nn.Sequential(nn.GroupNorm(1, 1)), Undecided(), Clamped()])
def test_what_openvino_is_not_told_of_runs_in_pytorch_unless_openvino_is_asked_for(
    strange: nn.Module,
) -> None:
    ready = ready_networks([strange], SHAPE, CPU, "fp32", engine="auto")
    assert ready.runtime.profile == "cpu-torch-fp32"
    assert torch.equal(answers_of(ready)[0], strange(tile()))
    with pytest.raises(ModelUnusableError) as caught:
        ready_networks([strange], SHAPE, CPU, "fp32", engine="openvino")
    assert caught.value.reasons == ("not_for_openvino",)


def test_openvino_is_refused_where_it_is_not_meant() -> None:
    with pytest.raises(ModelUnusableError) as caught:
        ready_networks(
            [network(Recipe(), 0)], SHAPE, torch.device("cuda"), "fp32", engine="openvino"
        )
    assert caught.value.reasons == ("not_for_openvino",)


def test_a_tile_that_does_not_fit_the_strides_is_refused_at_load(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, Recipe(patch=(8, 15, 16)))
    with pytest.raises(ModelUnusableError) as caught:
        load_semantic_model(folder, engine="openvino")
    assert caught.value.reasons == ("not_for_openvino",)


def test_openvino_is_loaded_late_and_without_the_package_that_reports_to_a_server(
    tmp_path: Path,
) -> None:
    """A false one of that name lies where Python looks first, and would leave a file."""
    told = tmp_path / "told"
    package = tmp_path / "site" / "openvino_telemetry"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"open({str(told)!r}, 'w').close()\n")
    command = (
        "import sys, operators.networks.semantic; print('openvino' in sys.modules);"
        "import operators.networks.openvino_graph; print('openvino' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", command],
        env=os.environ | {"PYTHONPATH": f"{package.parent}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["False", "True"]
    assert not told.exists()


@pytest.mark.parametrize("kind", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_a_voxel_that_is_no_number_shows_in_the_answer(kind: str) -> None:
    image = tile()
    image[0, 0, 3, 4, 5] = float("nan")
    ready = OpenVinoNetworks([network(Recipe(network=kind), seed=1)], SHAPE)
    assert not torch.isfinite(next(ready.answers(image))).any()


def test_a_vanishing_channel_stays_finite() -> None:
    norm = nn.Sequential(nn.InstanceNorm3d(1))
    found = next(OpenVinoNetworks([norm], SHAPE).answers(torch.full(SHAPE, 7.0)))
    assert np.abs(found.numpy()).max() == 0
