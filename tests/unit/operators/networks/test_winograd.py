"""Six plane convolutions give what twelve do: by hand, in OpenVINO's graph, in phase 2's layers."""

import pytest
import torch
from torch import Tensor, nn

from operators.networks import winograd
from operators.networks.engines import OpenVinoNetworks
from operators.networks.openvino_graph import graph_of
from operators.networks.unet3d_layers import _convolve


def plus(a: float, b: float, factor: float) -> float:
    return a + factor * b


def test_four_sums_of_three_by_hand() -> None:
    planes, kernel = [1.0, -2.0, 3.0, 5.0, -7.0, 11.0], torch.tensor([2.0, -1.0, 4.0])
    mixed = winograd.mixed_kernels(kernel.view(1, 1, 3, 1, 1)).flatten().tolist()
    products = [a * b for a, b in zip(winograd.mixed_planes(planes, plus), mixed, strict=True)]
    # Every plane, the next and the one after, weighted by the kernel.
    assert winograd.sums_of(products, plus) == pytest.approx((16.0, 13.0, -27.0, 61.0), abs=1e-5)


def test_what_one_product_brings_to_every_sum() -> None:
    products = [0.0] * winograd.IN
    products[winograd.IN_EVERY_SUM] = 3.0
    assert winograd.sums_of(products, plus) == (3.0, 3.0, 3.0, 3.0)


def test_the_mixed_kernels_have_the_same_bits_for_any_number_of_threads() -> None:
    weight = made((3, 3, 3)).weight
    before, found = torch.get_num_threads(), []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        found.append(winograd.mixed_kernels(weight))
    torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize(
    ("change", "planes", "expected"),
    [
        ({}, 4, "suited"),
        ({}, 3, "suited"),  # 6 instead of 7
        ({}, 2, "not"),  # 6 instead of 4
        ({}, 5, "suited"),  # 12 instead of 13
        ({"kernel_size": (1, 3, 3), "padding": (0, 1, 1)}, 16, "not"),
        ({"stride": (2, 2, 2)}, 16, "not"),
        ({"dilation": 2, "padding": 2}, 16, "not"),
        ({"padding": 0}, 16, "not"),
        ({"groups": 2}, 16, "not"),
        ({"stride": (1, 2, 2)}, 16, "suited"),
    ],
)
def test_which_layers_it_suits(change: dict[str, object], planes: int, expected: str) -> None:
    layer = nn.Conv3d(2, 2, **({"kernel_size": 3, "padding": 1} | change))  # type: ignore[arg-type]
    assert winograd.saves_work(layer, planes) is (expected == "suited")


def made(kernel: tuple[int, int, int], stride: tuple[int, int, int] = (1, 1, 1)) -> nn.Conv3d:
    torch.manual_seed(5)
    padding = tuple(size // 2 for size in kernel)
    layer = nn.Conv3d(16, 24, kernel, padding=padding, stride=stride)
    return layer.requires_grad_(requires_grad=False)


def error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / (expected.max() - expected.min()))


@pytest.mark.parametrize("planes", [3, 4, 9])
@pytest.mark.parametrize("kernel", [(3, 3, 3), (3, 1, 3)])
@pytest.mark.parametrize("width", [7, 120])  # several groups of planes at a time, one
def test_the_graph_convolves_by_planes(
    width: int, kernel: tuple[int, int, int], planes: int
) -> None:
    shape, layer = (1, 16, planes, 90, width), made(kernel)
    torch.manual_seed(6)
    tile = torch.randn(shape)
    kinds = [node.get_type_name() for node in graph_of([nn.Sequential(layer)], shape).get_ops()]
    assert kinds.count("Convolution") >= winograd.IN - 1  # a fourth plane may not be wanted
    found = next(OpenVinoNetworks([nn.Sequential(layer)], shape).answers(tile))
    assert error(found, layer(tile)) < 2e-6


def test_small_planes_stay_as_they_are() -> None:
    shape = (1, 16, 16, 20, 20)
    nodes = graph_of([nn.Sequential(made((3, 3, 3)))], shape).get_ops()
    assert [node.get_type_name() for node in nodes].count("Convolution") == 1


def test_the_graph_convolves_by_planes_with_a_stride_within_them() -> None:
    shape, layer = (1, 16, 8, 24, 22), made((3, 3, 3), stride=(1, 2, 2))
    torch.manual_seed(6)
    tile = torch.randn(shape)
    found = next(OpenVinoNetworks([nn.Sequential(layer)], shape).answers(tile))
    assert error(found, layer(tile)) < 2e-6


@pytest.mark.parametrize("planes", [3, 4, 5, 11])
def test_phase_2_convolves_by_planes_and_counts_its_sums(planes: int) -> None:
    layer = made((3, 3, 3))
    torch.manual_seed(7)
    seen = torch.randn(planes, 6, 9, 16)
    out = torch.empty(planes, 6, 9, 24)
    sums = _convolve((seen,), layer, out)
    assert hasattr(layer, "mixed_kernels")
    expected = layer(seen.movedim(-1, 0)[None])[0].movedim(0, -1)
    assert error(out, expected) < 2e-6
    assert torch.allclose(sums[0].float(), expected.sum((0, 1, 2)), atol=1e-4)
