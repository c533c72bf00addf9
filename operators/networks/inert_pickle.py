"""A pickle reader that can build containers and describe tensors, and can do nothing else.

Every name in a pickle passes through one table (`_ALLOWED`). A name that is not in it becomes a
subclass of `InertObject`: calling it, setting its state, appending to it only records. Tensors are
described, not built, so that even torch is out of a pickle's reach.
"""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN_NUMBER = re.compile(r"[<>|=]?[biufc][0-9]{1,2}")
"""numpy dtypes whose scalars are plain numbers: bool, int, unsigned, float, complex."""


@dataclass(frozen=True)
class StorageHandle:
    """Raw numbers somewhere in a checkpoint file.

    Attributes
    ----------
    kind : str
        Name of the storage's type, such as ``FloatStorage``.
    key : str
        Name of the storage in the file.
    count : int
        Number of elements.
    start : int
        First element of a view into the storage (legacy files only).
    """

    kind: str
    key: str
    count: int
    start: int = 0


@dataclass(frozen=True)
class PendingTensor:
    """A tensor that is described but not read yet."""

    handle: StorageHandle
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class Mapped(dict[object, object]):
    """Stands for the dict subclasses of checkpoints; keeps the items and drops attributes."""

    def __setstate__(self, state: object) -> None:
        """Ignore attributes such as ``_metadata`` of a state dict."""


class InertObject:
    """Stands for an object of a class that is not on the table: it holds data and does nothing.

    Attributes
    ----------
    pickled_as : str
        Module and name under which the class was pickled.
    arguments : tuple
        What it was called with.
    state : object
        What its attributes were set to, usually a dict.
    """

    pickled_as = ""

    def __new__(cls, *arguments: object, **keywords: object) -> InertObject:  # noqa: PYI034  # inert
        """Record the arguments; nothing is called."""
        made = super().__new__(cls)
        made.arguments = (*arguments, *keywords.values())
        made.state = None
        return made

    def __init__(self, *_arguments: object, **_keywords: object) -> None:
        """Accept whatever the pickle passes."""
        self.arguments: tuple[object, ...]
        self.state: object

    def __setstate__(self, state: object) -> None:
        """Keep the attributes as data."""
        self.state = state

    def __call__(self, *_arguments: object, **_keywords: object) -> InertObject:
        """Do nothing: what a pickle calls here is only data."""
        return self

    def __setitem__(self, key: object, value: object) -> None:
        """Drop an item: the class may have been a mapping."""

    def append(self, item: object) -> None:
        """Drop an item: the class may have been a list."""

    def extend(self, items: object) -> None:
        """Drop items: the class may have been a list."""

    def add(self, item: object) -> None:
        """Drop an item: the class may have been a set."""


class _Allowed:
    """A function that a pickle may call but can neither replace nor change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *arguments: object) -> object:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("an attempt to change a function")


@dataclass(frozen=True)
class _StorageKind:
    name: str


@dataclass
class _ScalarType:
    """A numpy dtype of a plain number; set up in two steps, as numpy pickles it."""

    code: str

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in {"<", ">", "|", "="}:
            self.code = str(state[1]) + self.code.lstrip("<>|=")


class InertUnpickler(pickle.Unpickler):
    """Unpickles structure; see the module's text.

    Attributes
    ----------
    handles : list of StorageHandle
        Every storage that the pickle names, in order of appearance.
    """

    def __init__(self, stream: BinaryIO | object) -> None:
        """Read from an open binary file."""
        super().__init__(cast("BinaryIO", stream))
        self.handles: list[StorageHandle] = []

    def find_class(self, module_name: str, global_name: str) -> object:
        """Answer a name with an entry of the table or an inert class, never with the real thing."""
        if module_name in {"torch", "torch.storage"} and global_name.endswith("Storage"):
            return _StorageKind(global_name)
        found = _ALLOWED.get((module_name, global_name))
        if found is not None:
            return found
        name = f"{module_name}.{global_name}"
        return type("InertObject", (InertObject,), {"pickled_as": name})

    def persistent_load(self, pid: object) -> StorageHandle:
        """Describe a storage that lies outside the pickle."""
        if not isinstance(pid, tuple) or len(pid) not in {5, 6} or pid[0] != "storage":
            raise pickle.UnpicklingError("unknown kind of persistent object")
        kind, key, _location, count = pid[1:5]
        if not isinstance(kind, _StorageKind) or not isinstance(count, int) or count < 0:
            raise pickle.UnpicklingError("malformed storage")
        view = pid[5] if len(pid) == 6 else None  # noqa: PLR2004  # legacy: (key, offset, size)
        start = _whole(view[1]) if isinstance(view, tuple) else 0
        handle = StorageHandle(kind.name, str(key), count, start)
        self.handles.append(handle)
        return handle


def _whole(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise pickle.UnpicklingError("whole number expected")
    return value


def _tensor(
    handle: object, offset: object, size: object, stride: object, *_unused: object
) -> PendingTensor:
    if not isinstance(handle, StorageHandle):
        raise pickle.UnpicklingError("tensor without storage")
    if not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise pickle.UnpicklingError("tensor without shape")
    return PendingTensor(
        handle,
        handle.start + _whole(offset),
        tuple(_whole(n) for n in size),
        tuple(_whole(n) for n in stride),
    )


def _parameter(data: object, *_unused: object) -> object:
    return data


def _size(values: object = ()) -> tuple[object, ...]:
    return values if isinstance(values, tuple) else ()


def _device(kind: object, index: object = None) -> str:
    return str(kind) if index is None else f"{kind}:{index}"


def _encode(text: object, encoding: object = "latin1") -> bytes:
    """Bytes as pickle protocol 2 writes them; other codecs (zip, bz2) are not wanted here."""
    if not isinstance(text, str) or encoding not in {"latin1", "latin-1"}:
        raise pickle.UnpicklingError("unexpected text encoding")
    return text.encode("latin-1")


def _scalar_type(code: object, *_unused: object) -> _ScalarType:
    return _ScalarType(str(code))


def _scalar(kind: object, raw: object = b"") -> object:
    if not isinstance(kind, _ScalarType) or not isinstance(raw, bytes):
        return InertObject(kind, raw)
    if not _PLAIN_NUMBER.fullmatch(kind.code):
        return InertObject(kind, raw)
    dtype = np.dtype(kind.code)
    if dtype.itemsize != len(raw):
        return InertObject(kind, raw)
    return np.frombuffer(raw, dtype)[0].item()


def _set(items: object = ()) -> set[object]:
    return set(items) if isinstance(items, list | tuple) else set()


_ALLOWED: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): Mapped,
    ("torch._utils", "_rebuild_tensor"): _Allowed(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Allowed(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Allowed(_parameter),
    ("torch", "Size"): _Allowed(_size),
    ("torch", "device"): _Allowed(_device),
    ("_codecs", "encode"): _Allowed(_encode),
    ("numpy", "dtype"): _Allowed(_scalar_type),
    ("numpy.core.multiarray", "scalar"): _Allowed(_scalar),
    ("numpy._core.multiarray", "scalar"): _Allowed(_scalar),
    ("builtins", "set"): _Allowed(_set),
    ("__builtin__", "set"): _Allowed(_set),
}
"""Everything a pickle may reach. Real functions and classes are not among it."""
