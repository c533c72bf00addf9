"""Train the compact instance network on synthetic label maps; resumable, seeded, by step."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from app.training.cutout_drawing import CUTOUT_PIR, SPACING_PIR_MM, CutoutSample, draw_cutout
from app.training.fast_norms import with_fast_group_norms
from app.training.formats import write_instance_model
from app.training.semantic import CaseShelf, average_into, channels_last, poly_rate, save_state
from operators.networks.unet3d import Unet3D, Unet3DShape

if TYPE_CHECKING:
    from pathlib import Path

    from app.training.semantic import Module, Progress

CHANNELS = 11
"""One-hot channels: 10 classes and one unused, the layout of SPINEPS's channelwise networks."""

CLASSES = 4
_DICE_SMOOTHING = 5.0
_TRAINED_KERNEL = 3
_PADDING = (7 - _TRAINED_KERNEL) // 2


@dataclass(frozen=True, slots=True)
class InstanceOptions:
    """What to train.

    Attributes
    ----------
    cases : Path
        Folder that `app.training.cases.fill` fills.
    work : Path
        Receives the checkpoint that a later call resumes from.
    model : Path
        Model folder to write.
    steps : int
        Length of the whole schedule.
    dim : int
        Features of the first convolution; levels have 1, 2, 4 and 8 times as many.
    learning_rate : float
        Peak of the schedule.
    seed : int
        Of the initial weights and of every sample.
    save_every : int
        Steps between two checkpoints.
    stop_after_seconds : float or None
        End the call early (a later call resumes); None = run to the end.
    half_precision : bool
        bfloat16 autocast.
    """

    cases: Path
    work: Path
    model: Path
    steps: int = 1500
    dim: int = 8
    learning_rate: float = 3e-3
    seed: int = 2027
    save_every: int = 100
    stop_after_seconds: float | None = None
    half_precision: bool = True


def build_network(dim: int) -> Unet3D:
    """Build the compact Unet3D for training: 11 one-hot channels in, 4 classes out.

    Only the inner 3^3 of the first 7^3 kernel is trained (the rest stays 0): that layer would cost
    as much as all the others. `published_weights` restores the 7^3 shape.
    """
    widths = (dim, 2 * dim, 4 * dim, 8 * dim)
    shape = Unet3DShape(channels_in=CHANNELS, dim=dim, widths=widths, classes_out=CLASSES)
    network = Unet3D(shape)
    network.init_conv = torch.nn.Conv3d(CHANNELS, dim, _TRAINED_KERNEL, padding=1)
    with_fast_group_norms(network)
    return network


def published_weights(network: Module) -> dict[str, torch.Tensor]:
    """State dict in the published shape, first kernel padded with zeros to 7^3."""
    weights = {k: v.detach().clone().contiguous() for k, v in network.state_dict().items()}
    first = "init_conv.weight"
    weights[first] = functional.pad(weights[first], (_PADDING,) * 6)
    return weights


def _sample(options: InstanceOptions, shelf: CaseShelf, step: int) -> CutoutSample:
    rng = np.random.default_rng([options.seed, step])
    while True:
        sample = draw_cutout(rng, shelf.draw(rng))
        if sample is not None:
            return sample


def _loss(logits: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy and mean soft Dice loss of the vertebrae that occur."""
    entropy = functional.cross_entropy(logits, target)
    probability = logits.softmax(1)
    hit = probability.gather(1, target[:, None]).flatten()
    overlap = torch.zeros(CLASSES).index_add(0, target.flatten(), hit)[1:]
    sizes = target.flatten().bincount(minlength=CLASSES)[1:]
    total = probability.sum((0, 2, 3, 4))[1:] + sizes
    dice = 1 - (2 * overlap + _DICE_SMOOTHING) / (total + _DICE_SMOOTHING)
    return entropy, dice[sizes > 0].mean() if bool((sizes > 0).any()) else dice.mean()


def _step(
    network: Module, optimizer: torch.optim.Optimizer, sample: CutoutSample, *, half: bool
) -> tuple[float, float]:
    classes = torch.from_numpy(sample.classes).long()[None]
    one_hot = functional.one_hot(classes, CHANNELS).permute(0, 4, 1, 2, 3).float()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        logits = network(one_hot.contiguous(memory_format=torch.channels_last_3d))
    entropy, dice = _loss(logits.float(), torch.from_numpy(sample.target).long()[None])
    optimizer.zero_grad(set_to_none=True)
    (entropy + dice).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    return float(entropy.detach()), float(dice.detach())


def export(average: Module, options: InstanceOptions, step: int) -> None:
    """Write the averaged weights as a model folder."""
    weights = published_weights(average)
    write_instance_model(
        options.model, weights, cutout_pir=CUTOUT_PIR, spacing_pir=SPACING_PIR_MM, steps=step
    )


def train(options: InstanceOptions, progress: Progress | None = None) -> int:
    """Train, or go on training, the compact instance model.

    Parameters
    ----------
    options : InstanceOptions
        What to train; the same options resume a run that was stopped.
    progress : callable or None
        Receives (step, steps, cross-entropy, Dice loss) after every step.

    Returns
    -------
    int
        Steps done so far, over all calls. The model folder is written at every checkpoint.
    """
    torch.manual_seed(options.seed)
    network = channels_last(build_network(options.dim))
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=1e-4)
    parts: dict[str, Any] = {"network": network, "average": average, "optimizer": optimizer}
    options.work.mkdir(parents=True, exist_ok=True)
    path, first = options.work / "instance.pt", 0
    if path.exists():
        state = torch.load(path, weights_only=True)
        first = int(state["step"])
        for name, part in parts.items():
            part.load_state_dict(state[name])
    shelf, begun = CaseShelf(options.cases), time.monotonic()
    shelf.refresh()
    for step in range(first, options.steps):
        for group in optimizer.param_groups:
            group["lr"] = poly_rate(step, options.steps, options.learning_rate)
        sample = _sample(options, shelf, step)
        entropy, dice = _step(network, optimizer, sample, half=options.half_precision)
        average_into(average, network, step)
        if progress is not None:
            progress(step + 1, options.steps, entropy, dice)
        limit = options.stop_after_seconds
        late = limit is not None and time.monotonic() - begun > limit
        if (step + 1) % options.save_every == 0 or step + 1 == options.steps or late:
            save_state(path, parts, step + 1)
            export(average, options, step + 1)
        if late:
            return step + 1
    return options.steps
