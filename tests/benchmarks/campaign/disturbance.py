"""A disk and a clock that misbehave on order, for the processes of one node.

`disturbance.c` is compiled with the machine's C compiler and preloaded (LD_PRELOAD). It sees what
the processes call by the C library, SQLite included, and steers nothing else: the kernel's own
cache, the disk below it and the file system's order of writes are not looked at.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("disturbance.c")
BLOCK_BYTES: Final = 4096
"""What a disk writes whole or not at all: a page, the smallest unit of ext4 and XFS."""

_CONTROL: Final = struct.Struct("=iiq")
_NS: Final = 1_000_000_000


def compiler() -> str:
    """Path of a C compiler, empty where there is none."""
    return shutil.which("cc") or shutil.which("gcc") or ""


@dataclass
class Disturbance:
    """The library, compiled into `folder`, and what it is told.

    `data` is the folder that it watches. With `keeps`, it knows at any time what a power loss would
    leave of it.
    """

    folder: Path
    data: Path
    keeps: bool = False
    losses: int = 0
    _control: mmap.mmap = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        library, control = self.folder / "disturbance.so", self.folder / "control"
        command = [compiler(), "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        control.write_bytes(bytes(_CONTROL.size))
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), _CONTROL.size)
        self.memory.mkdir(exist_ok=True)
        self._library = ctypes.CDLL(str(library))
        if self.keeps:
            self._remember_everything()

    @property
    def memory(self) -> Path:
        """What is on the disk for sure."""
        return self.folder / "memory"

    @property
    def environment(self) -> dict[str, str]:
        """Of every process that is to be disturbed."""
        told = {
            "LD_PRELOAD": str(self.folder / "disturbance.so"),
            "DISTURBED_ROOT": str(self.data),
            "DISTURBED_CONTROL": str(self.folder / "control"),
        }
        return told | ({"DISTURBED_MEMORY": str(self.memory)} if self.keeps else {})

    def refuse(self, error: int) -> None:
        """Every write answers this errno from now on; 0: none does."""
        _, unused, offset = _CONTROL.unpack(self._control[:])
        self._control[:] = _CONTROL.pack(error, unused, offset)

    def set_clock(self, seconds: float) -> None:
        """The time of day is so many seconds ahead of the true one, or behind."""
        error, unused, _ = _CONTROL.unpack(self._control[:])
        self._control[:] = _CONTROL.pack(error, unused, round(seconds * _NS))

    def lose_power(self, generator: random.Random) -> None:
        """Put back what was synchronised. Nobody may use the folder meanwhile.

        Of what was not, nothing has reached the disk, or a part has: that is drawn, for each block
        of a file and for each folder's names. A name whose file was never synchronised has a file
        without bytes, or with some of its blocks.
        """
        luck = generator.choice((0.0, 0.0, 0.5))
        after = self.folder / "after"
        shutil.rmtree(after, ignore_errors=True)
        after.mkdir(mode=0o700)
        made: dict[str, Path] = {}
        now = {self._key(path): path for path in (self.data, *self.data.rglob("*"))}
        self._put_back(self._key(self.data), after, _Luck(now, made, generator, luck))
        shutil.rmtree(self.data)
        after.rename(self.data)
        self.losses += 1
        shutil.rmtree(self.memory)
        self.memory.mkdir()
        self._remember_everything()

    def _put_back(self, key: str, target: Path, luck: _Luck) -> None:
        for kind, child, name in self._names(key, luck):
            path = target / name
            if kind == "d":
                path.mkdir()
                self._put_back(child, path, luck)
            elif child in luck.made:
                os.link(luck.made[child], path)
            else:
                path.write_bytes(self._content(child, luck))
                luck.made[child] = path

    def _names(self, key: str, luck: _Luck) -> list[tuple[str, str, str]]:
        """Kind, key and name of everything in a folder, as the disk has it."""
        folder = luck.now.get(key)
        if folder is not None and luck.has():
            return [
                ("d" if path.is_dir() else "f", self._key(path), path.name)
                for path in sorted(folder.iterdir())
            ]
        kept = self.memory / key
        lines = kept.read_text("utf-8", "surrogateescape").splitlines() if kept.exists() else []
        return [(kind, child, name) for kind, child, name in (line.split(" ", 2) for line in lines)]

    def _content(self, key: str, luck: _Luck) -> bytes:
        kept, path = self.memory / key, luck.now.get(key)
        old = kept.read_bytes() if kept.exists() else b""
        if path is None or not luck.share:
            return old
        new = path.read_bytes()
        size = len(new) if luck.has() else len(old)
        mixed = bytearray(old[:size].ljust(size, b"\0"))
        for start in range(0, size, BLOCK_BYTES):
            if luck.has():
                block = new[start : min(start + BLOCK_BYTES, size)]
                mixed[start : start + len(block)] = block
        return bytes(mixed)

    def _remember_everything(self) -> None:
        """What is in the folder now is on the disk."""
        for path in (self.data, *self.data.rglob("*")):
            key = self._key(path)
            if path.is_dir():
                lines = [
                    f"{'d' if child.is_dir() else 'f'} {self._key(child)} {child.name}\n"
                    for child in path.iterdir()
                ]
                (self.memory / key).write_text("".join(lines), "utf-8", "surrogateescape")
            else:
                shutil.copyfile(path, self.memory / key)

    def _key(self, path: Path) -> str:
        found = ctypes.create_string_buffer(128)
        name = os.fsencode(path)
        if self._library.disturbance_key(-100, name, found, len(found)):  # -100: AT_FDCWD
            raise FileNotFoundError(path.name)
        return found.value.decode()


@dataclass(frozen=True)
class _Luck:
    """What was in the folder before the loss, what is made already, how much has got through."""

    now: dict[str, Path]
    made: dict[str, Path]
    generator: random.Random
    share: float

    def has(self) -> bool:
        return self.generator.random() < self.share
