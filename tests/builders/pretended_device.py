"""A device without hardware: tensors that compute on the CPU but claim to lie on another device.

On a machine without a GPU this finds what would fail on one: a tensor made without a device, two
devices in one operation, NumPy reading a tensor that was not brought back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

if TYPE_CHECKING:
    from collections.abc import Callable

PRETENDED: Final = torch.device("meta")
"""The one device that every build of torch knows and that nothing here uses for itself."""

_MOVES: Final = (torch.ops.aten._to_copy.default,)
_READ: Final = torch.ops.aten._local_scalar_dense.default
_SIZED_BY_VALUES: Final = (torch.ops.aten.nonzero.default, torch.ops.aten.masked_select.default)


class _Far(torch.Tensor):
    """Stands for a tensor on the pretended device; ``held`` has its values."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Self:
        made: Self = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=PRETENDED,
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_: Any, **__: Any) -> Any:
        raise AssertionError(f"{func} on the pretended device outside of PretendedDevice()")


class PretendedDevice(TorchDispatchMode):
    """While entered, ``PRETENDED`` computes, and refuses what a real device refuses.

    Attributes
    ----------
    operations : int
        Operations that ran on the device.
    waits : int
        How often the program had to wait for the device: a number, an array or a size was read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.waits = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        far = any(isinstance(x, _Far) for x in given)
        # As on a GPU, single numbers may come from the CPU.
        near = [x for x in given if not isinstance(x, _Far) and x.ndim > 0]
        if far and near and func not in _MOVES:
            raise RuntimeError(f"{func}: expected all tensors to be on the same device")
        target = kwargs.get("device")
        if target is not None:
            kwargs["device"] = torch.device("cpu")
        here = [tree_map(lambda x: x.held if isinstance(x, _Far) else x, x) for x in (args, kwargs)]
        result = func(*here[0], **here[1])
        stays = far if target is None else torch.device(target) == PRETENDED
        if far and (func is _READ or not stays or func in _SIZED_BY_VALUES):
            self.waits += 1
        if not stays:
            return result
        self.operations += 1
        return tree_map(lambda x: _Far(x) if isinstance(x, torch.Tensor) else x, result)
