"""Phase 2: train a Unet3D on cut-outs of label maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from app.research.training.cutout_drawing import CutoutSample, draw_cutout
from app.research.training.cutout_loss import CutoutLoss
from app.research.training.fast_norms import with_fast_group_norms
from app.research.training.held_out import PooledDice, held_out_samples
from app.research.training.instance_format import write_instance_model
from app.research.training.report import Example, fullest_slice
from app.research.training.weights import channels_last
from operators.errors import ModelUnusableError, UnreadableInputError
from operators.networks.checkpoints import read_checkpoint
from operators.networks.instances import weights_file
from operators.networks.unet3d import Unet3D, Unet3DShape, unet3d_from_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from app.research.training.cases import Case
    from app.research.training.presets import InstancePreset
    from app.research.training.semantic import TrainingData

CHANNELS = 11
"""One-hot channels: 10 classes and one unused, the layout of SPINEPS's channelwise networks."""

CLASSES = 4
VALIDATION_CUTOUTS = 12
_PUBLISHED_KERNEL = 7
_MOST_DRAWS = 1000
_NAMES = {1: "dice_above", 2: "dice_centre", 3: "dice_below"}


def build_network(base: int, first_kernel: int) -> Unet3D:
    """Build the Unet3D for training: 11 one-hot channels in, 4 classes out.

    With a ``first_kernel`` of 3 only the inner 3^3 of the first 7^3 kernel is trained (the rest
    stays 0): that layer would cost as much as all the others. `published_weights` restores it.
    """
    widths = (base, 2 * base, 4 * base, 8 * base)
    shape = Unet3DShape(channels_in=CHANNELS, dim=base, widths=widths, classes_out=CLASSES)
    network = Unet3D(shape)
    network.init_conv = torch.nn.Conv3d(CHANNELS, base, first_kernel, padding=first_kernel // 2)
    with_fast_group_norms(network)
    channels_last(network)
    return network


def published_weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """State dict in the published shape, first kernel padded with zeros to 7^3."""
    weights = {k: v.detach().cpu().clone().contiguous() for k, v in network.state_dict().items()}
    first = "init_conv.weight"
    padding = (_PUBLISHED_KERNEL - weights[first].shape[-1]) // 2
    weights[first] = functional.pad(weights[first], (padding,) * 6)
    return weights


class InstancePhase:
    """Samples, loss and export of phase 2; see `app.research.training.loop.Phase`.

    Parameters
    ----------
    preset : InstancePreset
        Network and grid.
    data : TrainingData
        Where the cut-outs come from.
    model : Path
        Model folder to write.
    seed : int
        Of the initial weights and of every sample.
    """

    def __init__(
        self, preset: InstancePreset, data: TrainingData, model: Path, *, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.network: torch.nn.Module = build_network(preset.base, preset.first_kernel)
        self._preset, self._data, self._model, self._seed = preset, data, model, seed
        self._loss = CutoutLoss()

    def start_from(self, folder: Path) -> None:
        """Begin with the weights of a model folder instead of random ones.

        Raises
        ------
        ModelUnusableError
            If its weights cannot be read, or its network has another shape than the preset's, of
            which an untrained rim of the first kernel is no part (``other_network``).
        """
        checkpoint = read_checkpoint(weights_file(folder), keep=("state_dict",))
        weights = unet3d_from_checkpoint(checkpoint).state_dict()
        first = "init_conv.weight"
        rim = (weights[first].shape[-1] - self._preset.first_kernel) // 2
        inner = functional.pad(weights[first], (-rim,) * 6)
        fits = int(inner.count_nonzero()) == int(weights[first].count_nonzero())
        try:
            self.network.load_state_dict({**weights, first: inner} if fits else {})
        except RuntimeError as error:
            raise ModelUnusableError(
                "the model to start from has another network than the preset",
                reasons=("other_network",),
            ) from error

    def sample(self, number: int) -> CutoutSample:
        """Cut-out of this number; cases without a body are passed over.

        Raises
        ------
        UnreadableInputError
            If no case shows a labelled vertebral body.
        """
        rng = np.random.default_rng([self._seed, number])
        for _ in range(_MOST_DRAWS):
            case = self._data.training.draw(rng)
            sample = draw_cutout(rng, case, self._preset.cutout, self._preset.spoiling)
            if sample is not None:
                return sample
        raise UnreadableInputError(
            "no training case shows a vertebral body with its number",
            reasons=("no_numbered_bodies",),
        )

    def refresh(self) -> None:
        """Look for new cases."""
        self._data.training.refresh()

    def answer(self, network: torch.nn.Module, sample: CutoutSample) -> torch.Tensor:
        """Logits of the four classes."""
        classes = torch.from_numpy(sample.classes).long()[None]
        classes = classes.to(next(network.parameters()).device)
        one_hot = functional.one_hot(classes, CHANNELS).permute(0, 4, 1, 2, 3).float()
        logits: torch.Tensor = network(one_hot.contiguous(memory_format=torch.channels_last_3d))
        return logits

    def judge(
        self, logits: torch.Tensor, sample: CutoutSample
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy and mean soft Dice loss of the vertebrae that occur."""
        target = torch.from_numpy(sample.target).long()[None].to(logits.device)
        return self._loss(logits, target)

    def validate(self, network: torch.nn.Module) -> dict[str, float]:
        """Dice of the vertebra above, in the centre and below over fixed held-out cut-outs."""
        pooled = PooledDice(CLASSES)
        for sample, found in self._held_out(network, VALIDATION_CUTOUTS):
            pooled.add(found, sample.target)
        figures = {name: pooled.of(number) for number, name in _NAMES.items()}
        return {name: dice for name, dice in figures.items() if dice is not None}

    def examples(self, network: torch.nn.Module, count: int) -> list[Example]:
        """Fullest sagittal slices of the first held-out cut-outs, for the report."""
        shown = []
        for sample, found in self._held_out(network, count):
            classes, target, answer = (
                volume.transpose(2, 1, 0) for volume in (sample.classes, sample.target, found)
            )
            at = fullest_slice(target)
            shown.append(Example(classes[at], target[at], answer[at], tuple(_NAMES.values())))
        return shown

    def _held_out(
        self, network: torch.nn.Module, count: int
    ) -> Iterator[tuple[CutoutSample, NDArray[np.int64]]]:
        def draw(rng: np.random.Generator, case: Case) -> CutoutSample | None:
            return draw_cutout(rng, case, self._preset.cutout, self._preset.spoiling)

        for sample in held_out_samples(self._data.held_out, self._seed, count, draw):
            found = self.answer(network, sample).argmax(1)[0].cpu().numpy()
            # As inference: only inside the mask that it is given.
            yield sample, np.where(sample.classes > 0, found, 0)

    def export(self, network: torch.nn.Module, step: int) -> None:
        """Write the averaged weights as a model folder."""
        write_instance_model(self._model, published_weights(network), self._preset, steps=step)
