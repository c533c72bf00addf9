"""Read the weights of published checkpoints without running anything that they contain.

PyTorch files are pickles, and a pickle may call any function it names. Here a name is either on a
short table of harmless constructors or becomes an inert object that does nothing when called, so
that a file with an unknown options class loads and a hostile one cannot act. Tensors are rebuilt
from raw bytes afterwards, and only those that are asked for. Nothing is written here.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from typing import TYPE_CHECKING, BinaryIO

import torch

from operators.errors import ModelUnusableError
from operators.networks.inert_pickle import (
    InertUnpickler,
    PendingTensor,
    StorageHandle,
)
from operators.networks.inference_config import InferenceConfig, find_config, read_config

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from torch import Tensor

__all__ = ["InferenceConfig", "find_config", "read_checkpoint", "read_config"]

_ZIP_MAGIC = b"PK\x03\x04"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_MAX_PICKLE_BYTES = 512 * 2**20
"""The structure of a checkpoint is a few MB; the weights lie outside its pickle."""

_DTYPES: dict[str, torch.dtype] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

_BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    OSError,
    EOFError,
    ArithmeticError,
    AttributeError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a damaged or hostile file can raise while it is read; all become one named error."""


def read_checkpoint(path: Path, *, keep: Collection[str] | None = None) -> dict[str, object]:
    """Read a PyTorch checkpoint (zip or legacy format) as plain data.

    Parameters
    ----------
    path : Path
        A ``.pth`` or ``.ckpt`` file.
    keep : collection of str, optional
        Top-level keys to return; the tensors of all others (optimizer state) are never read.
        Default: all.

    Returns
    -------
    dict
        Plain dicts, lists, tuples, numbers, text and CPU tensors. An object of any other class is
        an `InertObject` that only holds what was pickled. Tensors that share storage in the file
        share it here.

    Raises
    ------
    ModelUnusableError
        ``checkpoint_unreadable``: absent, damaged, not a PyTorch file, or not a dict.
    """
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == _ZIP_MAGIC
            file.seek(0)
            return _read_zip(file, keep) if is_zip else _read_legacy(file, keep)
    except _BROKEN as error:
        message = f"checkpoint {path.name} cannot be read as plain weights ({type(error).__name__})"
        raise ModelUnusableError(message, reasons=("checkpoint_unreadable",)) from error


def _read_zip(file: BinaryIO, keep: Collection[str] | None) -> dict[str, object]:
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("not one data.pkl")
        root = pickles[0].removesuffix("data.pkl")
        # PyTorch stores without compression; anything else could blow up in memory.
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise ValueError("compressed members")
        if members[pickles[0]].file_size > _MAX_PICKLE_BYTES:
            raise ValueError("pickle too long")
        order = f"{root}byteorder"
        if order in members and archive.read(order).strip() != b"little":
            raise ValueError("big-endian weights")
        with archive.open(pickles[0]) as stream:
            content = InertUnpickler(stream).load()

        def read(handle: StorageHandle) -> bytes:
            return archive.read(f"{root}data/{handle.key}")

        return _Rebuilder(read).plain_dict(content, keep)


def _read_legacy(file: BinaryIO, keep: Collection[str] | None) -> dict[str, object]:
    """Read the format before PyTorch 1.6: five pickles in a row, then the raw storages."""
    magic, protocol, system = (InertUnpickler(file).load() for _ in range(3))
    if magic != _LEGACY_MAGIC or protocol != _LEGACY_PROTOCOL:
        raise ValueError("not a PyTorch file")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("big-endian weights")
    structure = InertUnpickler(file)
    content = structure.load()
    keys = InertUnpickler(file).load()
    if not isinstance(keys, list):
        raise TypeError("no list of storages")
    sizes = {handle.key: _DTYPES[handle.kind].itemsize for handle in structure.handles}
    places: dict[str, tuple[int, int]] = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        length = count * sizes[str(key)]
        places[str(key)] = (file.tell(), length)
        file.seek(length, 1)

    def read(handle: StorageHandle) -> bytes:
        start, length = places[handle.key]
        file.seek(start)
        return file.read(length)

    return _Rebuilder(read).plain_dict(content, keep)


class _Rebuilder:
    """Turns the unpickled structure into plain data, reading each storage at most once."""

    def __init__(self, read: Callable[[StorageHandle], bytes]) -> None:
        self._read = read
        self._storages: dict[str, Tensor] = {}
        # A part that is named twice is turned once: nested repeats cannot blow up.
        self._done: dict[int, object] = {}

    def plain_dict(self, content: object, keep: Collection[str] | None) -> dict[str, object]:
        if not isinstance(content, dict):
            raise TypeError("the checkpoint is not a dict")
        return {
            str(key): self.plain(value)
            for key, value in content.items()
            if keep is None or key in keep
        }

    def plain(self, value: object) -> object:
        if not isinstance(value, PendingTensor | dict | list | tuple):
            return value
        if id(value) not in self._done:
            self._done[id(value)] = self._turned(value)
        return self._done[id(value)]

    def _turned(
        self, value: PendingTensor | dict[object, object] | list[object] | tuple[object, ...]
    ) -> object:
        if isinstance(value, PendingTensor):
            return self._tensor(value)
        if isinstance(value, dict):
            return {key: self.plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        return tuple(self.plain(item) for item in value)

    def _tensor(self, pending: PendingTensor) -> Tensor:
        storage = self._storage(pending.handle)
        # as_strided refuses to reach outside the storage.
        return storage.as_strided(pending.size, pending.stride, pending.offset)

    def _storage(self, handle: StorageHandle) -> Tensor:
        if handle.key not in self._storages:
            dtype = _DTYPES[handle.kind]
            raw = self._read(handle)
            if len(raw) != handle.count * dtype.itemsize:
                raise ValueError("storage of another size than announced")
            empty = torch.empty(0, dtype=dtype)
            whole = torch.frombuffer(bytearray(raw), dtype=dtype) if raw else empty
            self._storages[handle.key] = whole
        found = self._storages[handle.key]
        if found.dtype != _DTYPES[handle.kind]:
            raise ValueError("one storage under two types")
        return found
