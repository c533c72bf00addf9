"""Train the compact semantic model on synthetic cases; resumable, seeded, scheduled by step."""

from __future__ import annotations

import copy
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import (  # type: ignore[import-untyped]
    PlainConvUNet,
)
from torch.nn import functional

from app.training.augmentation import SPACING_RIP_MM, draw_tile
from app.training.cases import Case, load
from app.training.fast_norms import SingleImageInstanceNorm
from app.training.formats import FEATURES, architecture, write_semantic_model
from operators.anatomy.labels import MODEL_STRUCTURES, Structure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from app.training.augmentation import Tile

    Module = torch.nn.Module
    Progress = Callable[[int, int, float, float], None]

_WARM_UP_STEPS = 100
_FLOOR = 0.01
_PRESENT_VOXELS = 20
_DICE_SMOOTHING = 10.0
_CLASS_WEIGHT = {
    0: 0.8,
    Structure.COSTAL_PROCESS_LEFT: 1.6,
    Structure.COSTAL_PROCESS_RIGHT: 1.6,
    Structure.SUPERIOR_ARTICULAR_LEFT: 1.3,
    Structure.SUPERIOR_ARTICULAR_RIGHT: 1.3,
    Structure.INFERIOR_ARTICULAR_LEFT: 1.3,
    Structure.INFERIOR_ARTICULAR_RIGHT: 1.3,
}


@dataclass(frozen=True, slots=True)
class SemanticOptions:
    """What to train.

    Attributes
    ----------
    cases : Path
        Folder that `app.training.cases.fill` fills; may grow during the training.
    work : Path
        Receives the checkpoint that a later call resumes from.
    model : Path
        Model folder to write.
    steps : int
        Length of the whole schedule.
    patch_rip : tuple of 3 ints
        Tile size along (R, I, P).
    features : tuple of int
        Channels per stage.
    learning_rate : float
        Peak of the schedule.
    seed : int
        Of the initial weights and of every tile.
    save_every : int
        Steps between two checkpoints (with an export of the averaged weights).
    stop_after_seconds : float or None
        End the call early (a later call resumes); None = run to the end.
    half_precision : bool
        bfloat16 autocast.
    """

    cases: Path
    work: Path
    model: Path
    steps: int = 6000
    patch_rip: tuple[int, int, int] = (16, 128, 96)
    features: tuple[int, ...] = FEATURES
    learning_rate: float = 4e-3
    seed: int = 2026
    save_every: int = 250
    stop_after_seconds: float | None = None
    half_precision: bool = True


def build_network(features: tuple[int, ...]) -> torch.nn.Module:
    """Build the compact PlainConvUNet: 1 channel in, 15 classes out."""
    block = architecture(features)["arch_kwargs"]
    block.update(
        conv_op=torch.nn.Conv3d,
        nonlin=torch.nn.LeakyReLU,
    )
    block["norm_op"] = SingleImageInstanceNorm
    network: torch.nn.Module = PlainConvUNet(
        input_channels=1,
        num_classes=len(MODEL_STRUCTURES) + 1,
        deep_supervision=False,
        **block,
    )
    return network


def _loss(logits: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted cross-entropy and mean soft Dice loss over the classes that occur."""
    weights = torch.tensor([_CLASS_WEIGHT.get(s, 1.0) for s in (0, *MODEL_STRUCTURES)])
    entropy = functional.cross_entropy(logits, target, weight=weights)
    probability = logits.softmax(1)
    # Sums by gathering: a one-hot target of this size costs more than the rest of the loss.
    hit = probability.gather(1, target[:, None]).flatten()
    overlap = torch.zeros(logits.shape[1]).index_add(0, target.flatten(), hit)[1:]
    sizes = target.flatten().bincount(minlength=logits.shape[1])[1:]
    total = probability.sum((0, 2, 3, 4))[1:] + sizes
    dice = 1 - (2 * overlap + _DICE_SMOOTHING) / (total + _DICE_SMOOTHING)
    present = sizes > _PRESENT_VOXELS
    return entropy, dice[present].mean() if bool(present.any()) else 0.1 * dice.mean()


def poly_rate(step: int, steps: int, peak: float) -> float:
    """Learning rate: linear warm-up, then polynomial decay by step (power 0.9)."""
    warm = min(1.0, (step + 1) / min(_WARM_UP_STEPS, max(1, steps // 10)))
    decay: float = (1 - step / steps) ** 0.9
    return peak * warm * max(decay, _FLOOR)


class CaseShelf:
    """Keeps the cases of a growing folder in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cases: dict[str, Case] = {}
        self._names: list[str] = []

    def refresh(self) -> int:
        """Look for new files; return the number of cases."""
        self._names = sorted(
            p.name for p in self._folder.glob("[0-9]*.npz") if ".part" not in p.name
        )
        return len(self._names)

    def draw(self, rng: np.random.Generator) -> Case:
        """Draw a random case."""
        name = self._names[int(rng.integers(len(self._names)))]
        if name not in self._cases:
            self._cases[name] = load(self._folder / name)
        return self._cases[name]


def channels_last(network: Module) -> Module:
    """Lay a network's kernels out for channels-last input, in place."""
    for parameter in network.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
    return network


def average_into(average: Module, network: Module, step: int) -> None:
    """Move the averaged weights towards the current ones (EMA, decay up to 0.995)."""
    decay = min(0.995, (step + 1) / (step + 20))
    with torch.no_grad():
        for old, new in zip(average.parameters(), network.parameters(), strict=True):
            old.lerp_(new, 1 - decay)


def export(average: torch.nn.Module, options: SemanticOptions) -> None:
    """Write the averaged weights as a model folder."""
    weights = {k: v.detach().clone().contiguous() for k, v in average.state_dict().items()}
    shared: dict[int, torch.Tensor] = {}
    for name, tensor in average.state_dict().items():
        weights[name] = shared.setdefault(tensor.data_ptr(), weights[name])
    write_semantic_model(
        options.model,
        weights,
        patch_rip=options.patch_rip,
        spacing_rip=SPACING_RIP_MM,
        features=options.features,
    )


def save_state(path: Path, parts: Mapping[str, Any], step: int) -> None:
    """Write the state dicts of the parts and the step; the file is replaced at once."""
    state = {name: part.state_dict() for name, part in parts.items()}
    partial = path.with_suffix(".part")
    torch.save({**state, "step": step}, partial)
    partial.replace(path)


def _tile(options: SemanticOptions, shelf: CaseShelf, step: int) -> Tile:
    rng = np.random.default_rng([options.seed, step])
    return draw_tile(rng, shelf.draw(rng), options.patch_rip)


def train(options: SemanticOptions, progress: Progress | None = None) -> int:
    """Train, or go on training, the compact semantic model.

    Parameters
    ----------
    options : SemanticOptions
        What to train; the same options resume a run that was stopped.
    progress : callable or None
        Receives (step, steps, cross-entropy, Dice loss) after every step.

    Returns
    -------
    int
        Steps done so far, over all calls. The model folder is written at every checkpoint.
    """
    torch.manual_seed(options.seed)
    network = channels_last(build_network(options.features))
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=1e-4)
    parts: dict[str, Any] = {"network": network, "average": average, "optimizer": optimizer}
    options.work.mkdir(parents=True, exist_ok=True)
    path, first = options.work / "semantic.pt", 0
    if path.exists():
        state = torch.load(path, weights_only=True)
        first = int(state["step"])
        for name, part in parts.items():
            part.load_state_dict(state[name])
    shelf, begun = CaseShelf(options.cases), time.monotonic()
    shelf.refresh()
    with ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(_tile, options, shelf, first)
        for step in range(first, options.steps):
            tile = waiting.result()
            if step % options.save_every == 0:
                shelf.refresh()
            waiting = ahead.submit(_tile, options, shelf, step + 1)
            entropy, dice = _step(
                network,
                optimizer,
                tile,
                poly_rate(step, options.steps, options.learning_rate),
                half=options.half_precision,
            )
            average_into(average, network, step)
            if progress is not None:
                progress(step + 1, options.steps, entropy, dice)
            late = (
                options.stop_after_seconds is not None
                and time.monotonic() - begun > options.stop_after_seconds
            )
            if (step + 1) % options.save_every == 0 or step + 1 == options.steps or late:
                save_state(path, parts, step + 1)
                export(average, options)
            if late:
                return step + 1
    return options.steps


def _step(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    tile: Tile,
    rate: float,
    *,
    half: bool,
) -> tuple[float, float]:
    for group in optimizer.param_groups:
        group["lr"] = rate
    image = torch.from_numpy(tile.image)[None, None].to(memory_format=torch.channels_last_3d)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        logits = network(image)
    entropy, dice = _loss(logits.float(), torch.from_numpy(tile.classes).long()[None])
    optimizer.zero_grad(set_to_none=True)
    (entropy + dice).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    return float(entropy.detach()), float(dice.detach())
