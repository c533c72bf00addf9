"""The training loop of both phases: resumable, seeded, scheduled by step, averaged weights.

A checkpoint is smaller than the memory it describes (`app.research.training.compact_state`), so
a training that only wrote checkpoints would go on with other numbers than one that reads them.
Therefore every training goes on with what its checkpoint says: killed and called again, it ends
with the same bytes on the same device. Stopped between two checkpoints (time, Ctrl-C), it writes
one more, and ends with the same weights up to rounding.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import torch

from app.research.training.compact_state import pack_optimizer, pack_weights, unpack_optimizer
from app.research.training.drawing_ahead import DrawnAhead, default_workers
from app.research.training.own_state import other_training, read_own_state
from app.research.training.weights import average_into
from operators.networks.precision import computes_in_bfloat16

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from app.research.training.presets import Schedule

    Module = torch.nn.Module
    Progress = Callable[[int, int, float, float], None]

Sample = TypeVar("Sample")

_LARGEST_GRADIENT = 5.0
_RECORD_EVERY = 50


class Phase(Protocol[Sample]):
    """What a phase brings to the loop."""

    network: torch.nn.Module

    def sample(self, number: int) -> Sample:
        """Draw the sample of this number, in any thread; the same cases give the same sample."""

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
        bfloat16 autocast where the device computes in it (`computes_in_bfloat16`).
    workers : int or None
        Threads that draw samples ahead; None = `default_workers`. It changes no sample.
    identity : mapping of str to plain values
        What makes this training another one; a state that says otherwise is refused.
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
    workers: int | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)


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

    Raises
    ------
    ConfigurationError
        If the state is of another training (``other_training``).
    """

    def __init__(self, phase: Phase[Sample], options: LoopOptions) -> None:
        self._phase, self._options = phase, options
        self.network = phase.network.to(options.device)
        self.average = copy.deepcopy(self.network)
        self.optimizer = _optimizer(options, self.network)
        self.history = History()
        self.step = 0
        fast = options.half_precision and computes_in_bfloat16(torch.device(options.device))
        self.precision: Literal["bf16", "fp32"] = "bf16" if fast else "fp32"
        state = read_own_state(options.state, options.identity)
        if state is not None:
            self._resume(state)

    def _resume(self, state: Mapping[str, Any]) -> None:
        try:
            self._adopt(state)
        except (RuntimeError, ValueError) as error:
            raise other_training(self._options.state, "it has another network") from error
        self.step = int(state["step"])
        self.history = History(
            [(int(s), e, d) for s, e, d in state["losses"]], list(state["validation"])
        )

    def _adopt(self, packed: Mapping[str, Any]) -> None:
        """Go on with the numbers of a checkpoint."""
        self.network.load_state_dict(packed["network"])
        self.average.load_state_dict(packed["average"])
        unpack_optimizer(self.optimizer, packed["optimizer"])

    def _packed(self) -> dict[str, Any]:
        return {
            "network": pack_weights(self.network.state_dict()),
            "average": pack_weights(self.average.state_dict()),
            "optimizer": pack_optimizer(self.optimizer),
        }

    def _save(self, packed: Mapping[str, Any]) -> None:
        """Write the state, six bytes per weight with AdamW, replacing the file."""
        path = self._options.state
        path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            **packed,
            "step": self.step,
            "losses": [list(entry) for entry in self.history.losses],
            "validation": self.history.validation,
            "identity": dict(self._options.identity),
        }
        partial = path.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(path)

    def run(
        self, progress: Progress | None = None, stop: Callable[[], bool] = lambda: False
    ) -> int:
        """Train to the end of the schedule, or until the time is up.

        Parameters
        ----------
        progress : callable or None
            Receives (step, steps, cross-entropy, Dice loss) after every step.
        stop : callable
            Asked after every step whether to stop at once, with a checkpoint that isn't validated.

        Returns
        -------
        int
            Steps done so far, over all calls. Every checkpoint exports the averaged weights; a
            training that is over already does nothing else.
        """
        options, begun = self._options, time.monotonic()
        if self.step >= options.steps:
            self._phase.export(self.average, self.step)
            return self.step
        recent: list[tuple[float, float]] = []
        workers = options.workers or default_workers(options.device)
        with DrawnAhead(self._phase.sample, self.step, options.batch, workers) as ahead:
            ahead.allow(self.step)
            while self.step < options.steps:
                samples = ahead.take()
                if self.step % options.save_every == 0:
                    self._phase.refresh()
                next_refresh = (self.step // options.save_every + 1) * options.save_every
                ahead.allow(min(next_refresh, options.steps - 1))
                recent.append(self._step(samples))
                self.step += 1
                if progress is not None:
                    progress(self.step, options.steps, *recent[-1])
                limit = options.stop_after_seconds
                asked = stop()
                late = asked or (limit is not None and time.monotonic() - begun > limit)
                due = self.step % options.save_every == 0 or self.step == options.steps or late
                if due or len(recent) == _RECORD_EVERY:
                    self._record(recent)
                if due:
                    self._checkpoint(is_urgent=asked)
                if late:
                    break
        return self.step

    def _step(self, samples: list[Sample]) -> tuple[float, float]:
        options = self._options
        for group in self.optimizer.param_groups:
            group["lr"] = options.schedule.rate(self.step, options.steps)
        self.optimizer.zero_grad(set_to_none=True)
        sums = [0.0, 0.0]
        for sample in samples:
            with torch.autocast(
                torch.device(options.device).type, torch.bfloat16, enabled=self.precision == "bf16"
            ):
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

    def _checkpoint(self, *, is_urgent: bool) -> None:
        """Save and export; whoever waits for the process to end waits for no validation."""
        packed = self._packed()
        self._adopt(packed)
        if not is_urgent:
            with torch.no_grad():
                figures = self._phase.validate(self.average)
            if figures:
                self.history.validation.append({"step": float(self.step), **figures})
        self._save(packed)
        self._phase.export(self.average, self.step)


def _optimizer(options: LoopOptions, network: Module) -> torch.optim.Optimizer:
    rate = options.schedule.peak
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), lr=rate, momentum=0.99, nesterov=True, weight_decay=3e-5
        )
    return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
