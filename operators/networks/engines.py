"""What runs the networks of phase 1: PyTorch, or OpenVINO on a CPU (decision 0016)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor, nn

from operators.errors import ModelUnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openvino import CompiledModel

    from operators.networks.precision import Precision

_SIZES_KEPT = 4
"""Tile sizes that stay compiled: whole images come in the few sizes of a site's protocols, and a
graph of the bundled network holds 60 MB of weights as the processor wants them."""

Engine = Literal["torch", "openvino"]


def runs_in_openvino(device: str) -> bool:
    """Whether OpenVINO is meant for a device: the CPU.

    Parameters
    ----------
    device : str
        A torch device.
    """
    return torch.device(device).type == "cpu"


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where and how networks run.

    Attributes
    ----------
    engine : {"torch", "openvino"}
        Library.
    device : device
        For ``openvino``: the CPU.
    precision : {"fp32", "bf16"}
        Number format of the convolutions.
    """

    engine: Engine
    device: torch.device
    precision: Precision

    @property
    def profile(self) -> str:
        """Name for results that agree bit by bit, such as ``cpu-openvino-fp32``."""
        return f"{self.device.type}-{self.engine}-{self.precision}"


class Networks(Protocol):
    """The networks of all folds, ready to run."""

    @property
    def runtime(self) -> Runtime:
        """Where they run."""

    def answers(self, tile: Tensor) -> Iterator[Tensor]:
        """Logits of every network in turn, each memory of its own.

        Parameters
        ----------
        tile : (1, C, Z, Y, X) Tensor of float32
            Normalised image.

        Yields
        ------
        (1, heads, Z, Y, X) Tensor of float32
        """

    def release_memory(self) -> None:
        """Give up what is kept between tiles; the next tile takes it again."""


@dataclass(frozen=True, slots=True)
class TorchNetworks:
    """Networks that PyTorch runs one after the other.

    Attributes
    ----------
    networks : tuple of Module
        One per fold, prepared for inference.
    runtime : Runtime
        Where they are.
    """

    networks: tuple[nn.Module, ...]
    runtime: Runtime

    def answers(self, tile: Tensor) -> Iterator[Tensor]:
        """Logits of every network in turn: see `Networks`."""
        dtype = torch.bfloat16 if self.runtime.precision == "bf16" else torch.float32
        seen = tile.to(dtype).contiguous(memory_format=torch.channels_last_3d)
        return (network(seen).float() for network in self.networks)

    def release_memory(self) -> None:
        """Nothing is kept."""


class OpenVinoNetworks:
    """Networks that OpenVINO runs on the CPU, as one graph per size of tile.

    The bits are the same for any number of threads.

    Attributes
    ----------
    runtime : Runtime
        The CPU and a number format.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        shape: Sequence[int],
        precision: Precision = "fp32",
        *,
        is_example: bool = False,
    ) -> None:
        """Compile for the processor at hand and as many threads as PyTorch has.

        Parameters
        ----------
        networks : sequence of Module
            One per fold, in evaluation mode; not to be used afterwards.
        shape : sequence of 5 int
            Of the first tile: (1, C, Z, Y, X). For tiles of another size, as `largest_tile` allows
            them, the graph is compiled when the first one comes.
        precision : {"fp32", "bf16"}
            Number format of the convolutions and of what lies between them; bf16 is for
            processors that compute in it (`computes_in_bfloat16`).
        is_example : bool
            Tiles of this size need not come: the graph is checked, and not compiled yet.

        Raises
        ------
        ModelUnusableError
            ``not_for_openvino``: see `graph_of`.
        """
        self.runtime = Runtime("openvino", torch.device("cpu"), precision)
        self._networks = tuple(networks)
        self._kept: OrderedDict[tuple[int, ...], CompiledModel] = OrderedDict()
        self._guard = Lock()
        if is_example:
            self._require_graph(shape)
        else:
            self._compiled_for(tuple(shape))

    def answers(self, tile: Tensor) -> Iterator[Tensor]:
        """Logits of every network in turn: see `Networks`."""
        # Not at the top: only where this engine is chosen, and never without the guard in there.
        from operators.networks.openvino_graph import answers_of  # noqa: PLC0415

        compiled = self._compiled_for(tuple(tile.shape))
        for logits in answers_of(compiled, tile.contiguous().numpy()):
            yield torch.from_numpy(logits).permute(0, 4, 1, 2, 3)

    def release_memory(self) -> None:
        """Give up the activations' memory; the weights stay."""
        for compiled in self._kept.values():
            compiled.release_memory()

    def _require_graph(self, shape: Sequence[int]) -> None:
        from operators.networks.openvino_graph import graph_of  # noqa: PLC0415 - as above

        graph_of(self._networks, shape, self.runtime.precision)

    def _compiled_for(self, shape: tuple[int, ...]) -> CompiledModel:
        from operators.networks.openvino_graph import compiled  # noqa: PLC0415 - as above

        with self._guard:
            if shape not in self._kept:
                self._kept[shape] = compiled(
                    self._networks, shape, torch.get_num_threads(), self.runtime.precision
                )
            self._kept.move_to_end(shape)
            while len(self._kept) > _SIZES_KEPT:
                self._kept.popitem(last=False)
            return self._kept[shape]


def ready_networks(
    networks: Sequence[nn.Module],
    shape: Sequence[int],
    device: torch.device,
    precision: Precision,
    *,
    engine: Engine | Literal["auto"],
    is_example: bool = False,
) -> Networks:
    """Hand loaded networks to an engine.

    Parameters
    ----------
    networks : sequence of Module
        One per fold, in evaluation mode, on the CPU; not to be used afterwards.
    shape : sequence of 5 int
        Of the first tile: (1, C, Z, Y, X).
    device : device
        Where they shall run.
    precision : {"fp32", "bf16"}
        Number format of their convolutions.
    engine : {"auto", "torch", "openvino"}
        "auto" is OpenVINO where `runs_in_openvino` says so and the network has nothing that
        `openvino_graph` does not know.
    is_example : bool
        Tiles of this size need not come: see `OpenVinoNetworks`.

    Returns
    -------
    Networks
        Ready for tiles of this size; others take time to prepare.

    Raises
    ------
    ModelUnusableError
        ``not_for_openvino``: OpenVINO is asked for where it does not run, or for a network with a
        layer that it is not told of.
    """
    for network in networks:
        network.requires_grad_(requires_grad=False)
    is_meant = runs_in_openvino(str(device))
    if engine == "openvino" and not is_meant:
        message = f"OpenVINO is not used on {device.type}"
        raise ModelUnusableError(message, reasons=("not_for_openvino",))
    if engine == "openvino" or (engine == "auto" and is_meant):
        try:
            return OpenVinoNetworks(networks, shape, precision, is_example=is_example)
        except ModelUnusableError:
            if engine == "openvino":
                raise
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    there = tuple(network.to(device=device, dtype=dtype) for network in networks)
    return TorchNetworks(there, Runtime("torch", device, precision))
