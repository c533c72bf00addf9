"""One tile of phase 1 on a CPU: PyTorch's layers and OpenVINO; seconds, CPU seconds, error.

``python -m tests.benchmarks.engines [--rounds N] [--threads 1,2] [--networks bundled,published]``;
``--networks instance`` is a cutout of phase 2 (bundled; given a folder with ``--instance``, its).

All hold the same weights and see the same tile, in one process, in turn (A B C, A B C, ...), so
that a disturbance of the machine meets them alike; ratios are taken within a round, and their
median is printed. On a busy machine the processor's seconds say more than the clock's.
"twelve" is the product's graph without convolution by planes (`winograd`), in phase 2 its layers;
"converted" is OpenVINO's own converter with its own instance norm, which the product does not use.
The figures of decisions 0016 and 0026 come from here.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import torch
from torch import nn

from operators.networks.checkpoints import read_checkpoint
from operators.networks.engines import OpenVinoNetworks
from operators.networks.instances import load_instance_model
from operators.networks.nnunet_network import build_network, load_weights
from operators.networks.nnunet_plans import read_plans
from operators.networks.openvino_graph import ov  # with its guard
from tests.builders.nnunet_folder import published_network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

_MODELS = Path(__file__).resolve().parents[2] / "models"

Tile = torch.Tensor


@dataclass
class Contender:
    """One way to run a network, and what it took."""

    name: str
    start_s: float
    run: Callable[[Tile], Tile]
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def ask(self, tile: Tile) -> None:
        """Run once, timed."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.run(tile)
        self.wall_s.append(time.perf_counter() - wall)
        self.cpu_s.append(time.process_time() - cpu)


def bundled() -> tuple[nn.Module, Sequence[int]]:
    """The bundled network with its weights, and its tile."""
    folder = _MODELS / "spine_t2w_compact"
    plans = read_plans(folder, "3d_fullres")
    checkpoint = folder / "fold_0" / "checkpoint_final.pth"
    network = build_network(plans)
    weights = read_checkpoint(checkpoint, keep=("network_weights",))["network_weights"]
    load_weights(network, weights)  # type: ignore[arg-type]
    return network, plans.patch_size


def published() -> tuple[nn.Module, Sequence[int]]:
    """The published architecture with random weights, and a quarter of its tile."""
    torch.manual_seed(1)
    return published_network(), (64, 128, 128)


_NETWORKS = {"bundled": bundled, "published": published}


def in_pytorch(network: nn.Module, _shape: Sequence[int]) -> Callable[[Tile], Tile]:
    """PyTorch's own layers: the reference."""
    return network


def in_openvino(network: nn.Module, shape: Sequence[int]) -> Callable[[Tile], Tile]:
    """The product's graph for OpenVINO."""
    ready = OpenVinoNetworks([network], shape)
    return lambda tile: next(ready.answers(tile))


def in_bfloat16(network: nn.Module, shape: Sequence[int]) -> Callable[[Tile], Tile]:
    """The product's graph in bfloat16: of use where the processor computes in it."""
    ready = OpenVinoNetworks([network], shape, "bf16")
    return lambda tile: next(ready.answers(tile))


def in_twelve(network: nn.Module, shape: Sequence[int]) -> Callable[[Tile], Tile]:
    """The product's graph with every convolution as it stands."""
    with plain_convolutions():
        return in_openvino(network, shape)


def plain_convolutions() -> AbstractContextManager[object]:
    """Convolve no layer by planes."""
    return mock.patch("operators.networks.winograd.saves_work", return_value=False)


def converted(network: nn.Module, shape: Sequence[int]) -> Callable[[Tile], Tile]:
    """OpenVINO's own graph, traced on the smallest input that the network takes."""
    sides = torch.tensor(network.encoder.strides).prod(0)  # type: ignore[arg-type, union-attr]
    sides[0] *= 2  # a norm refuses a single value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(network, torch.zeros(1, 1, *sides.tolist()), check_trace=False)
        model = ov.convert_model(traced)
    model.reshape(list(shape))
    threads = torch.get_num_threads()
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    request = ov.Core().compile_model(model, "CPU", options).create_infer_request()

    def run(tile: Tile) -> Tile:
        request.infer([tile.numpy()], share_inputs=True)
        return torch.from_numpy(request.get_output_tensor(0).data.copy())

    return run


_CONTENDERS = {
    "pytorch": in_pytorch,
    "openvino": in_openvino,
    "bf16": in_bfloat16,
    "twelve": in_twelve,
    "converted": converted,
}


def measure(name: str, threads: int, rounds: int) -> None:
    """Print the table of one network at one number of threads."""
    torch.set_num_threads(threads)
    _say(f"{name}, {threads} thread(s), {rounds} rounds")
    contenders = []
    for kind, made in _CONTENDERS.items():
        network, patch = _NETWORKS[name]()
        start = time.process_time()
        run = made(network, (1, 1, *patch))
        contenders.append(Contender(kind, time.process_time() - start, run))
    torch.manual_seed(2)
    tile = torch.randn(1, 1, *patch)
    answers = [contender.run(tile).clone() for contender in contenders]
    for _ in range(rounds):
        for contender in contenders:
            contender.ask(tile)
    reference, own = answers[0], contenders[1]  # ratios are against the product's own choice
    for contender, answer in zip(contenders, answers, strict=True):
        error = float((answer - reference).abs().max() / (reference.max() - reference.min()))
        same = float((answer.argmax(1) == reference.argmax(1)).float().mean())
        wall, cpu = (
            median(a / b for a, b in zip(ours, theirs, strict=True))
            for ours, theirs in ((own.wall_s, contender.wall_s), (own.cpu_s, contender.cpu_s))
        )
        digest = hashlib.sha256(answer.contiguous().numpy().tobytes()).hexdigest()[:8]
        _say(
            f"  {contender.name:10}  start {contender.start_s:5.2f} s"
            f"  wall {median(contender.wall_s):7.3f} s (x{wall:5.2f})"
            f"  cpu {median(contender.cpu_s):7.3f} s (x{cpu:5.2f})"
            f"  error {error:.1e}  same class {same:.6f}  bits {digest}"
        )


def measure_cutout(folder: Path, threads: int, rounds: int) -> None:
    """Print the table of one cutout of phase 2 at one number of threads."""
    torch.set_num_threads(threads)
    model = load_instance_model(folder)
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, 10, [size // 8 for size in model.config.cutout_size_zyx])
    classes = blocks.repeat(8, 0).repeat(8, 1).repeat(8, 2).astype(np.uint8)
    _say(f"cutout of {folder.name}, {model.network.profile}, {threads} thread(s)")

    def twelve() -> NDArray[np.uint8]:
        with plain_convolutions():
            return model.network.answer(classes)

    ways = {"by planes": lambda: model.network.answer(classes), "twelve": twelve}
    answers = {name: way() for name, way in ways.items()}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            cpu[name].append(time.process_time() - begun)
    same = float((answers["by planes"] == answers["twelve"]).mean())
    for name, seconds in cpu.items():
        _say(f"  {name:10}  cpu {median(seconds):7.3f} s  same class {same:.6f}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--networks", default="bundled,published")
    parser.add_argument("--instance", type=Path, default=_MODELS / "vertebra_instance_compact")
    options = parser.parse_args()
    with torch.inference_mode():
        for name in options.networks.split(","):
            for threads in options.threads.split(","):
                if name == "instance":
                    measure_cutout(options.instance, int(threads), options.rounds)
                else:
                    measure(name, int(threads), options.rounds)


if __name__ == "__main__":
    main()
