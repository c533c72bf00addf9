"""Begin a network of a finer grid with the weights of a coarser one: one stage more at both ends.

A network that has learnt on voxels of 1.25 mm in the plane need not learn everything again to see
and decide at 0.625 mm. The network of the finer grid has one stage more, whose weights are set so
that the whole computes what the coarser one did, its logits interpolated linearly to the finer
voxels; training goes on from there.

Down: the new stage's first channels hold the image moved by one voxel in each of the directions in
which the old first kernel has a weight; the old first convolution, now with stride 2, takes from
each the voxel that lies one more step in that direction. So it sees what it saw before, every
second voxel of the finer image, but for the outermost voxels. Up: each voxel is doubled, and the
mean of a voxel and the next one is the linear interpolation. What instance norms take away in
between is given back: exactly going down (the norm that follows takes it away again), in the mean
over some images going up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

_ABOVE_ZERO: Final = 4.0
"""Standard deviations that lift a z-scored image, whose darkest voxels lie about 2 below its mean,
above the leaky part of the activation."""

_FIRST, _SECOND = "encoder.stages.0.0.convs.0", "encoder.stages.1.0.convs.0"


def begin_with_coarser(
    network: torch.nn.Module, coarser: torch.nn.Module, images: Iterable[Tensor]
) -> None:
    """Give a network the weights of the one without its first stage, in place.

    Parameters
    ----------
    network : Module
        PlainConvUNet of the design `app.research.training.presets.with_finer_stage`.
    coarser : Module
        The same without the finer stage.
    images : iterable of (1, 1, R, I, P) Tensor
        z-scored images on the finer grid: over them the answer has the old one's scale.
    """
    new, old = network.state_dict(), coarser.state_dict()  # names of the network's own memory
    last = sum(name.startswith("decoder.transpconvs.") for name in new) // 2 - 1
    for name, tensor in old.items():
        kind, _, rest = name.partition("encoder.stages.")
        if not rest:
            new[name].copy_(tensor)
        elif not kind:  # the decoder's names of the encoder are the same memory
            stage, _, part = rest.partition(".")
            moved = new[f"encoder.stages.{int(stage) + 1}.{part}"]
            if moved.shape == tensor.shape:
                moved.copy_(tensor)
    _move_the_image(new, old[f"{_FIRST}.conv.weight"])
    _interpolate(new, last)
    for part in ("weight", "bias"):
        new[f"decoder.seg_layers.{last}.{part}"].copy_(old[f"decoder.seg_layers.{last - 1}.{part}"])
    _match_scale(network, new, last, images)


def _move_the_image(new: Mapping[str, Tensor], kernel: Tensor) -> None:
    """Set the new first convolution, its norm, and the old first one, with ``kernel``, behind."""
    copies, taken = new[f"{_FIRST}.conv.weight"], new[f"{_SECOND}.conv.weight"]
    places = [(i, p) for i in range(kernel.shape[3]) for p in range(kernel.shape[4])]
    taken.zero_()
    for channel, (i, p) in enumerate(places):
        copies[channel] = 0.0
        copies[channel, 0, 0, i, p] = 1.0
        taken[:, channel, :, i, p] = kernel[:, 0, :, i, p]
    new[f"{_FIRST}.conv.bias"].zero_()
    new[f"{_FIRST}.norm.bias"][: len(places)] = _ABOVE_ZERO


def _interpolate(new: Mapping[str, Tensor], last: int) -> None:
    """Set the last way up: voxel i to the voxels 2 i and, in the mean with i + 1, 2 i + 1.

    What comes past the coarser stages has no weight at first.
    """
    up, mix = (
        new[f"decoder.{name}.weight"] for name in (f"transpconvs.{last}", _last_convolution(last))
    )
    up.zero_()
    mix.zero_()
    for channel in range(up.shape[0]):
        up[channel, channel] = 1.0
        mix[channel, channel, 0, 1:, 1:] = 0.25
    new[f"decoder.transpconvs.{last}.bias"].zero_()
    new[f"decoder.{_last_convolution(last)}.bias"].zero_()


def _match_scale(
    network: torch.nn.Module, new: Mapping[str, Tensor], last: int, images: Iterable[Tensor]
) -> None:
    """Let the last norm give each channel the mean and the deviation that it has on images."""
    seen: list[Tensor] = []

    def look(_module: torch.nn.Module, _given: object, answer: Tensor) -> None:
        values = answer.float().flatten(2)[0]
        seen.append(torch.stack((values.mean(1), values.std(1))))

    convolution = network.get_submodule(f"decoder.{_last_convolution(last)}")
    hook = convolution.register_forward_hook(look)
    with torch.no_grad():
        for image in images:
            network(image)
    hook.remove()
    mean, deviation = torch.stack(seen).mean(0)
    new[f"decoder.stages.{last}.convs.0.norm.weight"].copy_(deviation)
    new[f"decoder.stages.{last}.convs.0.norm.bias"].copy_(mean)


def _last_convolution(last: int) -> str:
    return f"stages.{last}.convs.0.conv"
