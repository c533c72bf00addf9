"""Build an nnU-Net from its plans, put weights into it, and ask several of them together.

Only the classes in the tables below can be built, whatever the plans name.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, cast

import torch
from dynamic_network_architectures.architectures.unet import (  # type: ignore[import-untyped]
    PlainConvUNet,
    ResidualEncoderUNet,
    ResidualUNet,
)
from torch import Tensor, nn

from operators.errors import ModelUnusableError
from operators.networks.fold_votes import Answer, Votes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operators.networks.engines import Networks
    from operators.networks.lateral_mirror import LateralMirror
    from operators.networks.nnunet_plans import Plans

_NETWORKS = {
    "PlainConvUNet": PlainConvUNet,
    "ResidualEncoderUNet": ResidualEncoderUNet,
    "ResidualUNet": ResidualUNet,
}

_LAYERS: dict[str, type[nn.Module]] = {
    layer.__name__: layer
    for layer in (
        nn.Conv3d,
        nn.InstanceNorm3d,
        nn.BatchNorm3d,
        nn.Dropout3d,
        nn.LeakyReLU,
        nn.ReLU,
        nn.GELU,
        nn.SiLU,
        nn.ELU,
    )
}

_CLASS_ARGUMENTS = ("conv_op", "norm_op", "dropout_op", "nonlin")

_ALIASES = (".all_modules.", "decoder.encoder.")
"""Parts of names under which a checkpoint holds the same weights a second time."""

_WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes that distributed or compiled training leaves."""


def build_network(plans: Plans) -> nn.Module:
    """Build the network of a configuration with random weights and a single output.

    Parameters
    ----------
    plans : Plans
        As read from the folder.

    Returns
    -------
    Module
        Input (1, channels, Z, Y, X), output (1, heads, Z, Y, X), in the network's axis order.

    Raises
    ------
    ModelUnusableError
        ``unknown_architecture``: a class or an argument that is not known.
    """
    wanted = plans.architecture
    try:
        architecture = _NETWORKS[wanted.network_class]
        arguments = dict(wanted.arguments)
        for name in _CLASS_ARGUMENTS:
            if arguments.get(name) is not None:
                arguments[name] = _LAYERS[str(arguments[name]).rsplit(".", maxsplit=1)[-1]]
        network = architecture(
            **arguments,
            input_channels=plans.channels,
            num_classes=plans.heads,
            deep_supervision=False,
        )
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
        message = f"the plans name an architecture that cannot be built: {error!r:.80}"
        raise ModelUnusableError(message, reasons=("unknown_architecture",)) from error
    return cast("nn.Module", network.eval())


def load_weights(network: nn.Module, weights: Mapping[str, object]) -> None:
    """Put a checkpoint's weights into a network, every one exactly once.

    Parameters
    ----------
    network : Module
        Changed.
    weights : mapping of str to Tensor
        ``network_weights`` of a checkpoint; names that are aliases of others are ignored.

    Raises
    ------
    ModelUnusableError
        ``weights_do_not_fit``: a weight is missing, too much, of another shape or not finite.
    """
    given = {
        _bare(name): value
        for name, value in weights.items()
        if isinstance(value, Tensor) and not any(alias in name for alias in _ALIASES)
    }
    own = dict(network.named_parameters()) | dict(network.named_buffers())
    wrong = sorted(
        name
        for name in own.keys() | given.keys()
        if name not in own or name not in given or own[name].shape != given[name].shape
    )
    if wrong:
        message = f"{len(wrong)} weights do not fit the plans, first: {wrong[0]}"
        raise ModelUnusableError(message, reasons=("weights_do_not_fit",))
    with torch.no_grad():
        for name, target in own.items():
            target.copy_(given[name])
            if not bool(torch.isfinite(target).all()):
                message = f"weight {name} holds values that are not finite"
                raise ModelUnusableError(message, reasons=("weights_do_not_fit",))


@dataclass(frozen=True)
class Ensemble:
    """The networks of all folds, asked together.

    Attributes
    ----------
    networks : Networks
        Ready to run.
    mirror_axes : tuple of int
        Spatial axes (0-2) over whose mirror images the logits are averaged.
    lateral : LateralMirror or None
        Average with the left/right mirror image too, sides exchanged.
    is_polled : bool
        Also say how many of the answers agree (`fold_votes`).
    """

    networks: Networks
    mirror_axes: tuple[int, ...] = ()
    lateral: LateralMirror | None = None
    is_polled: bool = False

    def ask(self, tile: Tensor) -> Answer:
        """Mean logits over folds and mirror images, and whether these agree.

        Parameters
        ----------
        tile : (1, C, Z, Y, X) Tensor of float32
            Normalised image.

        Returns
        -------
        Answer
            Logits, and the share of agreeing answers where the ensemble is polled.
        """
        votes = Votes() if self.is_polled else None
        mean = self._mean_logits(tile, votes)
        if self.lateral is not None:
            side = self.lateral.axis + 2
            turned = self._mean_logits(tile.flip(side), votes, self.lateral)
            other = turned.flip(side)[:, list(self.lateral.heads)]
            mean = mean.add_(other).div_(2)
        return Answer(mean, None if votes is None else votes.agreement(mean))

    def _mean_logits(
        self, tile: Tensor, votes: Votes | None, mirror: LateralMirror | None = None
    ) -> Tensor:
        total: Tensor | None = None
        asked = 0
        for count in range(len(self.mirror_axes) + 1):
            for axes in combinations(self.mirror_axes, count):
                dims = [axis + 2 for axis in axes]
                view = tile.flip(dims) if dims else tile
                for logits in self.networks.answers(view):
                    answer = logits.flip(dims) if dims else logits
                    if votes is not None:
                        votes.add(answer, mirror)
                    total = answer if total is None else total.add_(answer)
                    asked += 1
        if total is None:
            raise ModelUnusableError("a model without networks", reasons=("fold_missing",))
        return total if asked == 1 else total.div_(asked)


def _bare(name: str) -> str:
    for prefix in _WRAPPERS:
        name = name.removeprefix(prefix)
    return name
