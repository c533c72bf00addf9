"""The training loop of both phases: resumable, seeded, scheduled by step, averaged weights."""

from __future__ import annotations

import copy
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import torch

from app.training.compact_state import pack_optimizer, pack_weights, unpack_optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from app.training.presets import Schedule

    Module = torch.nn.Module
    Progress = Callable[[int, int, float, float], None]
    Losses = tuple[torch.Tensor, torch.Tensor]

Sample = TypeVar("Sample")

_MOST_AVERAGED = 0.995
_LARGEST_GRADIENT = 5.0
_RECORD_EVERY = 50


class Phase(Protocol[Sample]):
    """What a phase brings to the loop."""

    network: torch.nn.Module

    def sample(self, number: int) -> Sample:
        """Draw the sample of this number; the same cases give the same sample."""

    def answer(self, network: torch.nn.Module, sample: Sample) -> Any:  # noqa: ANN401 - one tensor, or one per level
        """Logits of one sample."""

    def judge(self, logits: Any, sample: Sample) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401 - as above
        """Cross-entropy and Dice loss of the logits, in float32."""

    def refresh(self) -> None:
        """Look for new data."""

    def validate(self, network: torch.nn.Module) -> dict[str, float]:
        """Figures on held-out samples; empty where nothing is held out."""

    def export(self, network: torch.nn.Module, step: int) -> None:
        """Write the model folder from the averaged weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopOptions:
    """How to train.

    Attributes
    ----------
    state : Path
        File to resume from and to write at every checkpoint.
    steps : int
        Length of the whole schedule, in batches.
    schedule : Schedule
        Learning rate.
    optimizer : str
        ``adamw`` (decay 1e-4) or ``sgd`` (Nesterov .99, decay 3e-5).
    batch : int
        Samples per step; their gradients are added up one by one.
    seed : int
        Of the initial weights and of every sample.
    save_every : int
        Steps between two checkpoints, each with a validation and an export.
    stop_after_seconds : float or None
        End the call early (a later call resumes); None = run to the end.
    device : str
        A torch device.
    half_precision : bool
        bfloat16 autocast.
    """

    state: Path
    steps: int
    schedule: Schedule
    optimizer: str = "adamw"
    batch: int = 1
    seed: int = 2026
    save_every: int = 250
    stop_after_seconds: float | None = None
    device: str = "cpu"
    half_precision: bool = True


@dataclass(slots=True)
class History:
    """What a report shows.

    Attributes
    ----------
    losses : list of (step, cross-entropy, Dice loss)
        Means over up to 50 steps each.
    validation : list of dict
        ``step`` and the figures of each checkpoint.
    """

    losses: list[tuple[int, float, float]] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)


class Training(Generic[Sample]):
    """One training run: networks, optimizer, step count.

    Parameters
    ----------
    phase : Phase
        Network, samples, loss, export.
    options : LoopOptions
        How to train.
    """

    def __init__(self, phase: Phase[Sample], options: LoopOptions) -> None:
        self._phase, self._options = phase, options
        self.network = phase.network.to(options.device)
        self.average = copy.deepcopy(self.network)
        self.optimizer = _optimizer(options, self.network)
        self.history = History()
        self.step = 0
        if options.state.exists():
            self._resume()

    def _resume(self) -> None:
        state = torch.load(self._options.state, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        unpack_optimizer(self.optimizer, state["optimizer"])
        self.step = int(state["step"])
        self.history = History(
            [(int(s), e, d) for s, e, d in state["losses"]], list(state["validation"])
        )

    def save(self) -> None:
        """Write the state (half of the weights' size four times at most), replacing the file."""
        path = self._options.state
        path.parent.mkdir(parents=True, exist_ok=True)
        state: dict[str, Any] = {
            "step": self.step,
            "network": pack_weights(self.network.state_dict()),
            "average": pack_weights(self.average.state_dict()),
            "optimizer": pack_optimizer(self.optimizer),
            "losses": [list(entry) for entry in self.history.losses],
            "validation": self.history.validation,
        }
        partial = path.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(path)

    def run(self, progress: Progress | None = None) -> int:
        """Train to the end of the schedule, or until the time is up.

        Parameters
        ----------
        progress : callable or None
            Receives (step, steps, cross-entropy, Dice loss) after every step.

        Returns
        -------
        int
            Steps done so far, over all calls. Every checkpoint exports the averaged weights.
        """
        options, begun = self._options, time.monotonic()
        recent: list[tuple[float, float]] = []
        with ThreadPoolExecutor(1) as ahead:
            waiting = ahead.submit(self._batch, self.step)
            while self.step < options.steps:
                samples = waiting.result()
                if self.step % options.save_every == 0:
                    self._phase.refresh()
                waiting = ahead.submit(self._batch, self.step + 1)
                recent.append(self._step(samples))
                self.step += 1
                if progress is not None:
                    progress(self.step, options.steps, *recent[-1])
                limit = options.stop_after_seconds
                late = limit is not None and time.monotonic() - begun > limit
                due = self.step % options.save_every == 0 or self.step == options.steps or late
                if due or len(recent) == _RECORD_EVERY:
                    self._record(recent)
                if due:
                    self._checkpoint()
                if late:
                    break
        return self.step

    def _batch(self, step: int) -> list[Sample]:
        first = step * self._options.batch
        return [self._phase.sample(first + k) for k in range(self._options.batch)]

    def _step(self, samples: list[Sample]) -> tuple[float, float]:
        options = self._options
        for group in self.optimizer.param_groups:
            group["lr"] = options.schedule.rate(self.step, options.steps)
        self.optimizer.zero_grad(set_to_none=True)
        sums = [0.0, 0.0]
        device = torch.device(options.device).type
        for sample in samples:
            with torch.autocast(device, torch.bfloat16, enabled=options.half_precision):
                logits = self._phase.answer(self.network, sample)
            entropy, dice = self._phase.judge(logits, sample)
            ((entropy + dice) / len(samples)).backward()  # type: ignore[no-untyped-call]
            sums[0] += float(entropy.detach()) / len(samples)
            sums[1] += float(dice.detach()) / len(samples)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self.optimizer.step()
        average_into(self.average, self.network, self.step)
        return sums[0], sums[1]

    def _record(self, recent: list[tuple[float, float]]) -> None:
        entropy, dice = (sum(values) / len(recent) for values in zip(*recent, strict=True))
        self.history.losses.append((self.step, entropy, dice))
        recent.clear()

    def _checkpoint(self) -> None:
        with torch.no_grad():
            figures = self._phase.validate(self.average)
        if figures:
            self.history.validation.append({"step": float(self.step), **figures})
        self.save()
        self._phase.export(self.average, self.step)


def _optimizer(options: LoopOptions, network: Module) -> torch.optim.Optimizer:
    rate = options.schedule.peak
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), lr=rate, momentum=0.99, nesterov=True, weight_decay=3e-5
        )
    return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)


def average_into(average: Module, network: Module, step: int) -> None:
    """Move the averaged weights towards the current ones (EMA, decay up to 0.995)."""
    decay = min(_MOST_AVERAGED, (step + 1) / (step + 20))
    with torch.no_grad():
        for old, new in zip(average.parameters(), network.parameters(), strict=True):
            old.lerp_(new, 1 - decay)


def channels_last(network: Module) -> Module:
    """Lay a network's kernels out for channels-last input, in place."""
    for parameter in network.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
    return network


def plain_weights(network: Module) -> dict[str, torch.Tensor]:
    """State dict of a network for a file: contiguous, on the CPU, tied names kept tied."""
    shared: dict[int, torch.Tensor] = {}
    weights: Mapping[str, torch.Tensor] = network.state_dict()
    return {
        name: shared.setdefault(tensor.data_ptr(), tensor.detach().cpu().clone().contiguous())
        for name, tensor in weights.items()
    }
