"""One transposed and one plain convolution give a whole way up, and others are left alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn

from operators.networks import way_up

HEIGHT, WIDTH = 10, 12


class Level(nn.Module):
    """The last way up of a U-Net, with what a test gives it instead of parts of it."""

    def __init__(self, enlarging: nn.Module, mixing: nn.Module, *, is_used_again: bool = False):
        super().__init__()
        self.enlarging, self.mixing, self.is_used_again = enlarging, mixing, is_used_again

    def forward(self, coarse: Tensor, beside: Tensor) -> Tensor:
        up = self.enlarging(coarse)
        found: Tensor = self.mixing(torch.cat((up, beside), 1))
        return found + up[:, :2] if self.is_used_again else found


def enlarging(kernel: tuple[int, int, int] = (1, 2, 2), *, bias: bool = True) -> nn.ConvTranspose3d:
    return nn.ConvTranspose3d(5, 3, kernel, kernel, bias=bias)


def mixing(kernel: tuple[int, int, int] = (1, 3, 3), stride: int = 1) -> nn.Conv3d:
    around = kernel[0] // 2, kernel[1] // 2, kernel[2] // 2
    return nn.Conv3d(3 + 4, 2, kernel, stride, around)


def ways_up(level: Level) -> dict[fx.Node, way_up.WayUp]:
    traced = fx.symbolic_trace(level)
    return way_up.ways_up(traced.graph, dict(traced.named_modules()))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stride", [(1, 2, 2), (1, 1, 2), (1, 2, 1)])
def test_both_convolutions_together_give_the_level(
    stride: tuple[int, int, int], *, bias: bool
) -> None:
    torch.manual_seed(8)
    up, mix = enlarging(stride, bias=bias), mixing()
    level = Level(up, mix).double()
    assert len(ways_up(level)) == 1
    coarse = torch.randn(1, 5, 4, HEIGHT // stride[1], WIDTH // stride[2], dtype=torch.float64)
    beside = torch.randn(1, 4, 4, HEIGHT, WIDTH, dtype=torch.float64)
    with torch.inference_mode():
        expected = level(coarse, beside)
        given = way_up.composed(mix, up, HEIGHT, WIDTH)
        found = nn.functional.conv_transpose3d(
            coarse, given.from_coarse, stride=stride, padding=way_up.PADDING
        )
        found += nn.functional.conv3d(beside, given.from_beside, mix.bias, padding=way_up.PADDING)
        assert (given.shift is None) != bias
        found += 0 if given.shift is None else given.shift
    assert torch.allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(
    "level",
    [
        lambda: Level(enlarging((2, 2, 2)), mixing()),
        lambda: Level(enlarging(), mixing((3, 3, 3))),
        lambda: Level(enlarging(), mixing((1, 1, 1))),
        lambda: Level(enlarging(), mixing(stride=2)),
        lambda: Level(enlarging(), mixing(), is_used_again=True),
        lambda: Level(nn.Upsample(scale_factor=2), mixing()),
    ],
    ids=["over slices", "mixes slices", "no ring", "strides", "used again", "no weights"],
)
def test_another_way_up_is_left_as_it_is(level: Callable[[], Level]) -> None:
    assert not ways_up(level())
