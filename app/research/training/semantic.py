"""Phase 1: train a PlainConvUNet on tiles of synthetic or annotated images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import (  # type: ignore[import-untyped]
    PlainConvUNet,
)

from app.research.training.augmentation import draw_tile
from app.research.training.fast_norms import SingleImageInstanceNorm
from app.research.training.finer_stage import begin_with_coarser
from app.research.training.formats import architecture, write_semantic_model
from app.research.training.held_out import PooledDice, held_out_samples
from app.research.training.presets import without_finer_stage
from app.research.training.report import Example, fullest_slice
from app.research.training.supervision import CLASSES, CODE_OF_LABEL, SetLoss
from app.research.training.weights import channels_last, plain_weights
from operators.anatomy.labels import MODEL_STRUCTURES
from operators.errors import ModelUnusableError
from operators.networks.checkpoints import read_checkpoint
from operators.networks.inference_config import find_config, read_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from app.research.training.augmentation import Tile
    from app.research.training.cases import Case
    from app.research.training.presets import Design, SemanticPreset
    from app.research.training.shelf import CaseShelf, JoinedShelves, Mix

SCALING_TILES = 8
"""Tiles over which a finer network that begins with a coarser one's weights gets their scale."""

VALIDATION_TILES = 12
"""Held-out tiles per checkpoint; always the same ones."""


def build_network(design: Design, *, deep_supervision: bool = False) -> torch.nn.Module:
    """Build a PlainConvUNet: 1 channel in, 15 classes out.

    Its instance norms take one image at a time (batches are accumulated), which makes the same
    numbers several times faster on a CPU.
    """
    block = architecture(design)["arch_kwargs"]
    block.update(
        conv_op=torch.nn.Conv3d, nonlin=torch.nn.LeakyReLU, norm_op=SingleImageInstanceNorm
    )
    network: torch.nn.Module = PlainConvUNet(
        input_channels=1, num_classes=CLASSES, deep_supervision=deep_supervision, **block
    )
    return channels_last(network)


def require_fold(folder: Path, fold: int) -> Path:
    """Find a fold's checkpoint in a model folder to start from.

    Raises
    ------
    ModelUnusableError
        If there is none (``fold_missing``).
    """
    path = folder / f"fold_{fold}" / "checkpoint_final.pth"
    if not path.exists():
        raise ModelUnusableError(
            f"the model to start from has no fold {fold}", reasons=("fold_missing",)
        )
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Cases to train on and, where there are any, cases held out.

    Attributes
    ----------
    training : Mix
        What samples are drawn from.
    held_out : CaseShelf or JoinedShelves or None
        What validates.
    has_c1 : bool
        Whether C1 is drawn wherever it is in view, as synthetic spines have it. Data sets of
        SPINEPS's kind have none, so they are not asked.
    """

    training: Mix
    held_out: CaseShelf | JoinedShelves | None = None
    has_c1: bool = False

    @property
    def held_out_cases(self) -> int:
        """How many cases validate."""
        return 0 if self.held_out is None else len(self.held_out.names)


class SemanticPhase:
    """Samples, loss and export of phase 1; see `app.research.training.loop.Phase`.

    Parameters
    ----------
    preset : SemanticPreset
        Network and grid.
    data : TrainingData
        Where the tiles come from.
    model : Path
        Model folder to write.
    seed : int
        Of the initial weights and of every tile.
    fold : int
        Number of the fold's folder.
    """

    def __init__(
        self, preset: SemanticPreset, data: TrainingData, model: Path, *, seed: int, fold: int = 0
    ) -> None:
        torch.manual_seed(seed + fold)
        self.network = build_network(preset.design, deep_supervision=preset.deep_supervision)
        self._preset, self._data, self._model = preset, data, model
        self._seed, self._fold = seed, fold
        self._has_c1 = data.has_c1
        self._loss = SetLoss(preset.class_weights)

    def start_from(self, folder: Path) -> None:
        """Begin with the weights of a model folder's fold instead of random ones.

        Those of a network without the preset's finest stage are taken, too
        (`app.research.training.finer_stage`).

        Raises
        ------
        ModelUnusableError
            If the folder holds no such fold, or its network has another shape.
        """
        path = require_fold(folder, self._fold)
        read = read_checkpoint(path, keep=("network_weights",)).get("network_weights")
        weights = read if isinstance(read, dict) else {}
        if not (_takes(self.network, weights) or self._takes_coarser(weights)):
            raise ModelUnusableError(
                "the model to start from has another network than the preset",
                reasons=("other_network",),
            )
        self._has_c1 |= read_config(find_config(folder)).has_c1

    def _takes_coarser(self, weights: dict[str, torch.Tensor]) -> bool:
        """Begin with the weights of a network that lacks the preset's finest stage."""
        design = without_finer_stage(self._preset.design)
        if design is None:
            return False
        coarser = build_network(design, deep_supervision=self._preset.deep_supervision)
        fits = _takes(coarser, weights)
        if fits:
            begin_with_coarser(self.network, coarser, self._some_images())
        return fits

    def _some_images(self) -> Iterator[torch.Tensor]:
        """Images of the first samples, as the network gets them."""
        for number in range(SCALING_TILES):
            image = torch.from_numpy(self.sample(number).image)[None, None]
            yield image.to(memory_format=torch.channels_last_3d)

    def sample(self, number: int) -> Tile:
        """Tile of this number."""
        rng = np.random.default_rng([self._seed + self._fold, number])
        return draw_tile(rng, self._data.training.draw(rng), self._preset.grid)

    def refresh(self) -> None:
        """Look for new cases."""
        self._data.training.refresh()

    def answer(self, network: torch.nn.Module, sample: Tile) -> list[torch.Tensor]:
        """Logits, finest level first."""
        image = torch.from_numpy(sample.image)[None, None].to(self._device(network))
        logits = network(image.to(memory_format=torch.channels_last_3d))
        return list(logits) if isinstance(logits, list | tuple) else [logits]

    def judge(self, logits: list[torch.Tensor], sample: Tile) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss of every level, weights halving from level to level."""
        target = torch.from_numpy(sample.codes).long()[None].to(logits[0].device)
        entropy = dice = torch.zeros((), device=logits[0].device)
        # nnU-Net leaves the coarsest level out.
        used = logits if len(logits) == 1 else logits[:-1]
        whole = sum(0.5**level for level in range(len(used)))
        for level, answer in enumerate(used):
            at = _nearest(target, answer.shape[2:])
            parts = self._loss(_between(answer, sample), at)
            entropy = entropy + parts[0] * 0.5**level / whole
            dice = dice + parts[1] * 0.5**level / whole
        return entropy, dice

    def validate(self, network: torch.nn.Module) -> dict[str, float]:
        """Dice per label over fixed tiles of held-out cases, voxels pooled."""
        pooled = PooledDice(CLASSES)
        for tile, found in self._held_out(network, VALIDATION_TILES):
            known = tile.codes < CLASSES
            pooled.add(found[known], tile.codes[known])
        figures = {label: pooled.of(int(CODE_OF_LABEL[label])) for label in MODEL_STRUCTURES}
        return {f"dice_{label}": dice for label, dice in figures.items() if dice is not None}

    def examples(self, network: torch.nn.Module, count: int) -> list[Example]:
        """Fullest slices of the first held-out tiles, for the report."""
        shown = []
        for tile, found in self._held_out(network, count):
            reference = np.where(tile.codes < CLASSES, tile.codes, 0)
            at = fullest_slice(reference)
            shown.append(Example(tile.image[at], reference[at], found[at]))
        return shown

    def _held_out(
        self, network: torch.nn.Module, count: int
    ) -> Iterator[tuple[Tile, NDArray[np.int64]]]:
        def draw(rng: np.random.Generator, case: Case) -> Tile:
            return draw_tile(rng, case, self._preset.grid)

        for tile in held_out_samples(self._data.held_out, self._seed, count, draw):
            logits = _between(self.answer(network, tile)[0], tile)
            yield tile, logits.argmax(1)[0].cpu().numpy()

    def export(self, network: torch.nn.Module, step: int) -> None:
        """Write the averaged weights as one fold of a model folder."""
        del step  # the format has no place for it
        weights = plain_weights(network)
        write_semantic_model(
            self._model, weights, self._preset, fold=self._fold, has_c1=self._has_c1
        )

    @staticmethod
    def _device(network: torch.nn.Module) -> torch.device:
        return next(network.parameters()).device


def _takes(network: torch.nn.Module, weights: dict[str, torch.Tensor]) -> bool:
    """Load weights, if they are of such a network."""
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        return False
    return True


def _between(logits: torch.Tensor, tile: Tile) -> torch.Tensor:
    """Logits (1, C, R, I, P) interpolated linearly to where the tile's targets lie.

    Edges are repeated, as `operators.networks.slab_decision` does on the way to a finer grid.
    """
    for axis, shift in enumerate(tile.shift_ip, start=3):
        voxels = shift * logits.shape[axis] / tile.codes.shape[axis - 2]
        if voxels:
            logits = _shifted(logits, axis, voxels)
    return logits


def _shifted(logits: torch.Tensor, axis: int, voxels: float) -> torch.Tensor:
    """Logits at ``voxels`` (-1 to 1) beyond their places along one axis."""
    size = logits.shape[axis]
    if voxels > 0:
        parts = (logits.narrow(axis, 1, size - 1), logits.narrow(axis, size - 1, 1))
    else:
        parts = (logits.narrow(axis, 0, 1), logits.narrow(axis, 0, size - 1))
    return torch.lerp(logits, torch.cat(parts, axis), abs(voxels))


def _nearest(codes: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Codes on a coarser level, nearest neighbour."""
    if codes.shape[1:] == shape:
        return codes
    for axis, size in enumerate(shape, start=1):
        step = codes.shape[axis] / size
        at = ((torch.arange(size, device=codes.device) + 0.5) * step).long()
        codes = codes.index_select(axis, at)
    return codes
