"""The networks of phase 1 as one OpenVINO graph for the CPU.

Why not OpenVINO's own converter: it runs the network several times to trace it (seconds with the
published size, at every start, by a function that PyTorch has deprecated), and its instance norm
sums a whole channel in one float32: of 10**6 voxels 4 digits are left, and they depend on the
number of threads. Here the layers are read without running them, and the norm sums plane by plane.
"""

from __future__ import annotations

import operator
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, fx, nn

from operators.errors import ModelUnusableError
from operators.networks import way_up, winograd

# The package that comes with OpenVINO reports every import to a server, asked or not. OpenVINO runs
# without it where it cannot be imported, and None here says just that to Python.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino as ov  # noqa: E402
from openvino import opset13 as op  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from operators.networks.precision import Precision

    _Lowerings = dict[type[nn.Module], Callable[..., Any]]

_FORMATS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}
"""OpenVINO's names. Without any it takes bfloat16 wherever a processor has it."""

_SPACE = (2, 3, 4)
"""Axes of (1, C, Z, Y, X) that a norm sums over."""

_PLANES = _SPACE[0]

_VOXELS_TOGETHER = 2**13
"""Of one plane of every group that is convolved at a time: enough for two threads, while the six
mixtures of planes stay small beside the activations."""

_LEAST_VOXELS = 2**9
"""Of a plane that is worth it. The deepest layers hold most of the weights, which would take twice
the memory and be slow to prepare, and 3 % of the work."""

_LEAST_CHANNELS = 16
"""In and out: what narrower layers cost is passes through memory, of which this makes more. """


def compiled(
    networks: Sequence[nn.Module], shape: Sequence[int], threads: int, precision: Precision
) -> ov.CompiledModel:
    """Compile `graph_of` networks for the processor at hand.

    Parameters
    ----------
    networks, shape, precision
        See `graph_of`.
    threads : int
        How many it may use.

    Returns
    -------
    CompiledModel
        On the CPU.

    Raises
    ------
    ModelUnusableError
        ``not_for_openvino``: see `graph_of`.
    """
    options = {
        "INFERENCE_PRECISION_HINT": _FORMATS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # beside other work a pinned thread only waits
    }
    graph = graph_of(networks, shape, precision)
    with _named_error():
        return ov.Core().compile_model(graph, "CPU", options)


def answers_of(compiled: ov.CompiledModel, tile: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Run a compiled graph, in any thread.

    Parameters
    ----------
    compiled : CompiledModel
        `compiled`.
    tile : (1, C, Z, Y, X) ndarray of float32
        Contiguous.

    Returns
    -------
    list of (1, Z, Y, X, heads) ndarray of float32
        One per network; OpenVINO writes into their memory, and no copy is held.
    """
    request = compiled.create_infer_request()  # a thread's own
    answers = [np.empty(list(output.shape), np.float32) for output in compiled.outputs]
    for number, answer in enumerate(answers):
        request.set_output_tensor(number, ov.Tensor(answer, shared_memory=True))
    request.infer([tile], share_inputs=True)
    return answers


@contextmanager
def _named_error() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        message = "OpenVINO cannot run the network on tiles of the size that the plans name"
        raise ModelUnusableError(message, reasons=("not_for_openvino",)) from error


def graph_of(
    networks: Sequence[nn.Module], shape: Sequence[int], precision: Precision = "fp32"
) -> ov.Model:
    """Put networks that see the same tile into one graph, in which they share their memory.

    Parameters
    ----------
    networks : sequence of Module
        U-Nets in evaluation mode; the graph shares their weights' memory.
    shape : sequence of 5 int
        Of the tile: (1, C, Z, Y, X).
    precision : {"fp32", "bf16"}
        What the graph will run in. bfloat16 has too few digits for the mixtures of planes
        (`winograd`), so that it convolves as it stands.

    Returns
    -------
    Model
        One output (1, Z, Y, X, heads) of float32 per network, in their order.

    Raises
    ------
    ModelUnusableError
        ``not_for_openvino``: a network has a layer that is not in the tables below, or decides on
        its way what comes next; or the tile does not fit the network's strides.
    """
    layers = _LAYERS if precision == "fp32" else _LAYERS | {nn.Conv3d: _plain_convolution}
    tile = op.parameter(list(shape), np.float32)
    # Channels last: how the last layer leaves them, and what adds up tiles wants them.
    order = _integers(0, 2, 3, 4, 1)
    with _named_error():
        outputs = [op.transpose(_lowered(network, tile, layers), order) for network in networks]
    return ov.Model(outputs, [tile])


def _lowered(network: nn.Module, tile: Any, kinds: _Lowerings) -> Any:  # noqa: ANN401 - nodes of OpenVINO's graph
    try:
        traced = fx.symbolic_trace(network)
    except fx.proxy.TraceError as error:
        message = "the network's way depends on what it sees, which OpenVINO cannot be told"
        raise ModelUnusableError(message, reasons=("not_for_openvino",)) from error
    layers = dict(traced.named_modules())
    composed = way_up.ways_up(traced.graph, layers)
    passed_over = {node for way in composed.values() for node in (way.up, way.joined)}
    known: dict[fx.Node, Any] = {}
    for node in traced.graph.nodes:
        if node in composed:
            way = composed[node]
            seen = (known[way.up.all_input_nodes[0]], known[way.beside])
            known[node] = _composed(layers[node.target], layers[way.up.target], *seen)
        elif node not in passed_over:
            sources = [tile] if node.op == "placeholder" else []
            sources += [known[source] for source in node.all_input_nodes]
            known[node] = _one_node(node, layers, kinds)(*sources)
    return known[traced.graph.output_node()]


def _one_node(node: fx.Node, layers: Mapping[str, nn.Module], kinds: _Lowerings) -> Any:  # noqa: ANN401
    """Choose what makes a node of OpenVINO's out of the nodes before."""
    if node.op in ("placeholder", "output"):
        return lambda seen: seen
    if node.op == "call_module":
        layer = layers[str(node.target)]
        if type(layer) in kinds:
            return partial(kinds[type(layer)], layer)
    if node.op == "call_function" and node.target in _FUNCTIONS:
        return _FUNCTIONS[node.target]
    message = f"OpenVINO is not told how to run {node.target!s:.60}"
    raise ModelUnusableError(message, reasons=("not_for_openvino",))


def _integers(*values: int) -> Any:  # noqa: ANN401
    return op.constant(np.array(values, np.int64))


def _number(value: float) -> Any:  # noqa: ANN401
    return op.constant(np.float32(value))


def _weights(values: Tensor) -> Any:  # noqa: ANN401
    return op.constant(values.detach().float().contiguous().numpy(), shared_memory=True)


def _per_channel(values: Tensor) -> Any:  # noqa: ANN401
    return _weights(values.detach().reshape(1, -1, 1, 1, 1))


def _biased(x: Any, bias: Tensor | None) -> Any:  # noqa: ANN401
    return x if bias is None else op.add(x, _per_channel(bias))


def _convolution(layer: nn.Conv3d, x: Any) -> Any:  # noqa: ANN401
    _, _, count, height, width = x.shape
    is_worth_it = height * width >= _LEAST_VOXELS and min(layer.weight.shape[:2]) >= _LEAST_CHANNELS
    if is_worth_it and winograd.saves_work(layer, count):
        return _biased(_by_planes(layer, x), layer.bias)
    return _plain_convolution(layer, x)


def _plain_convolution(layer: nn.Conv3d, x: Any) -> Any:  # noqa: ANN401
    pads = [int(p) for p in layer.padding]
    stride, dilation = list(layer.stride), list(layer.dilation)
    product = op.convolution(x, _weights(layer.weight), stride, pads, pads, dilation)
    return _biased(product, layer.bias)


def _by_planes(layer: nn.Conv3d, x: Any) -> Any:  # noqa: ANN401
    """Convolve groups of four planes (`winograd`), as many at a time as fill the processor."""
    pads, stride, dilation = (
        [alone, *list(sizes)[1:]]
        for alone, sizes in ((0, layer.padding), (1, layer.stride), (1, layer.dilation))
    )
    kernels = [
        _weights(kernel[:, :, None]) for kernel in winograd.mixed_kernels(layer.weight.detach())
    ]
    _, channels, count, height, width = x.shape
    nothing = op.constant(np.zeros((1, channels, 1, height, width), np.float32))
    groups = winograd.groups(count)
    beyond = winograd.OUT * groups - count + 1
    planes = op.split(x, op.constant(np.int64(_PLANES)), count).outputs()
    planes = [nothing, *planes, *[nothing] * beyond]
    together = max(1, _VOXELS_TOGETHER // (height * width))
    found: list[Any] = []
    for begin in range(0, groups, together):
        some = range(begin, min(begin + together, groups))
        seen = [
            _joined([planes[winograd.OUT * group + place] for group in some])
            for place in range(winograd.IN)
        ]
        mixed = winograd.mixed_planes(seen, _plus)
        products = [
            op.convolution(plane, kernel, stride, pads, pads, dilation)
            for plane, kernel in zip(mixed, kernels, strict=True)
        ]
        sums = winograd.sums_of(products, _plus)
        parts = [_parted(plane, len(some)) for plane in sums]
        found.extend(part[group] for group in range(len(some)) for part in parts)
    return _joined(found[:count])


def _plus(a: Any, b: Any, factor: float) -> Any:  # noqa: ANN401
    if factor == 1:
        return op.add(a, b)
    return op.subtract(a, b) if factor == -1 else op.add(a, op.multiply(b, _number(factor)))


def _joined(planes: list[Any]) -> Any:  # noqa: ANN401
    return planes[0] if len(planes) == 1 else op.concat(planes, _PLANES)


def _parted(planes: Any, count: int) -> list[Any]:  # noqa: ANN401
    if count == 1:
        return [planes]
    parts: list[Any] = op.split(planes, op.constant(np.int64(_PLANES)), count).outputs()
    return parts


def _upsampling(layer: nn.ConvTranspose3d, x: Any) -> Any:  # noqa: ANN401
    pads = [int(p) for p in layer.padding]
    product = op.convolution_backprop_data(
        x,
        _weights(layer.weight),
        list(layer.stride),
        pads_begin=pads,
        pads_end=pads,
        dilations=list(layer.dilation),
        output_padding=list(layer.output_padding),
    )
    return _biased(product, layer.bias)


def _composed(mixing: nn.Conv3d, enlarging: nn.ConvTranspose3d, coarse: Any, beside: Any) -> Any:  # noqa: ANN401
    """Convolve an enlarged level joined with another one (`way_up`)."""
    given = way_up.composed(mixing, enlarging, *beside.shape[3:])
    pads, ones = list(way_up.PADDING), [1, 1, 1]
    own = op.convolution(beside, _weights(given.from_beside), ones, pads, pads, ones)
    enlarged = op.convolution_backprop_data(
        coarse,
        _weights(given.from_coarse),
        list(enlarging.stride),
        pads_begin=pads,
        pads_end=pads,
    )
    total = op.add(own, enlarged)
    if given.shift is not None:
        total = op.add(total, _weights(given.shift))
    return _biased(total, mixing.bias)


def _instance_norm(layer: nn.InstanceNorm3d, x: Any) -> Any:  # noqa: ANN401
    """Two passes, each summed per plane before the planes are: 6 digits whatever the size.

    A plane is always summed by one thread, so that the bits are the same for any number of them.
    """
    across, along = _integers(*_SPACE[1:]), _integers(_SPACE[0])
    share = _number(1 / int(np.prod([x.shape[axis] for axis in _SPACE[1:]])))

    def mean(per_plane: Any) -> Any:  # noqa: ANN401
        return op.multiply(op.reduce_mean(per_plane, along, keep_dims=True), share)

    centred = op.subtract(x, mean(op.reduce_sum(x, across, keep_dims=True)))
    length = op.reduce_l2(centred, across, keep_dims=True)
    variance = mean(op.multiply(length, length))
    scale = op.power(op.add(variance, _number(layer.eps)), _number(-0.5))
    if not layer.affine:
        return op.multiply(centred, scale)
    return _biased(op.multiply(centred, op.multiply(scale, _per_channel(layer.weight))), layer.bias)


def _batch_norm(layer: nn.BatchNorm3d, x: Any) -> Any:  # noqa: ANN401
    twin = nn.BatchNorm3d(layer.num_features).double().eval()
    twin.load_state_dict(layer.state_dict(), strict=False)  # without weights: 1 and 0
    mean, variance = cast("Tensor", twin.running_mean), cast("Tensor", twin.running_var)
    scale = twin.weight / torch.sqrt(variance + layer.eps)
    shift = twin.bias - mean * scale
    return _biased(op.multiply(x, _per_channel(scale)), shift)


def _average(layer: nn.AvgPool3d, x: Any) -> Any:  # noqa: ANN401
    kernel, stride, pads = (
        [int(n) for n in (value if isinstance(value, tuple | list) else (value,) * 3)]
        for value in (layer.kernel_size, layer.stride, layer.padding)
    )
    return op.avg_pool(x, stride, pads, pads, kernel, exclude_pad=not layer.count_include_pad)


def _same(_layer: nn.Module, x: Any) -> Any:  # noqa: ANN401
    return x


_LAYERS: _Lowerings = {
    nn.Conv3d: _convolution,
    nn.ConvTranspose3d: _upsampling,
    nn.InstanceNorm3d: _instance_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.AvgPool3d: _average,
    nn.Dropout3d: _same,
    nn.Identity: _same,
    nn.LeakyReLU: lambda layer, x: op.prelu(x, _number(layer.negative_slope)),
    nn.ReLU: lambda _layer, x: op.relu(x),
    nn.ELU: lambda layer, x: op.elu(x, layer.alpha),
    nn.SiLU: lambda _layer, x: op.swish(x),
    nn.GELU: lambda layer, x: op.gelu(x, "tanh" if layer.approximate == "tanh" else "erf"),
}
"""Every layer that `nnunet_network` can build, and those that its architectures add."""

_FUNCTIONS: dict[object, Callable[..., Any]] = {
    torch.cat: lambda *parts: op.concat(list(parts), 1),
    operator.add: op.add,
    operator.iadd: op.add,
}
"""Joined along the channels, the only way in which these architectures join."""
