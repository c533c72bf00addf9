"""An object while it is being received: written to a temporary file, digested on the way.

Bytes go to the disk as they come, so that an object of 1 GB needs no more memory than a small one.
Nothing raises while bytes arrive: the sender is heard out, and `finish` tells what was wrong.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from app.errors import DiskFullError, ServiceError, SpoolError

if TYPE_CHECKING:
    from pathlib import Path

    from app.node.archive.disk import DiskReserve

HEAD_BYTES: Final = 1 << 20
"""How much of the data set's beginning is kept in memory for its header, bytes."""

_SYNC_EVERY: Final = 64 << 20
"""A large object is synchronised in parts, so that the last wait is short, bytes."""

_BUFFER_BYTES: Final = 1 << 16
_SUFFIX: Final = ".part"


class DroppedObject:
    """An object that the site never wants: heard out, and kept nowhere."""

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the data set to nowhere."""

    def discard(self) -> None:
        """Nothing is there."""


class IncomingFile:
    """A Part 10 file that is growing.

    Parameters
    ----------
    folder : Path
        Of temporary files, on the file system of the final one.
    prefix : bytes
        Preamble and file meta information.
    reserve : DiskReserve
        Asked at the beginning and once per 64 MiB.
    abandoned : list of Path, optional
        Takes the path of a file that the disk did not let go.

    Attributes
    ----------
    path : Path
        Unique: two associations never share one, even for the same object.
    head : bytearray
        The first bytes of the data set.
    data_bytes : int
        Length of the data set so far.
    size_bytes : int
        Length of the file so far.
    """

    def __init__(
        self,
        folder: Path,
        prefix: bytes,
        reserve: DiskReserve,
        abandoned: list[Path] | None = None,
    ) -> None:
        self.path = folder / f"{secrets.token_hex(16)}{_SUFFIX}"
        self.head = bytearray()
        self.data_bytes = 0
        self._prefix_bytes = len(prefix)
        self._digest = hashlib.sha256()
        self._reserve = reserve
        self._abandoned = [] if abandoned is None else abandoned
        self._failure: ServiceError | None = None
        self._unsynced = 0
        self._file: BinaryIO | None = None
        self._is_settled = False
        try:
            reserve.check()
            self._file = self.path.open("xb", buffering=_BUFFER_BYTES)
            self._file.write(prefix)
        except (OSError, DiskFullError) as error:
            self._fail(error)

    @property
    def size_bytes(self) -> int:
        """Length of the file so far, bytes."""
        return self._prefix_bytes + self.data_bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the data set so far, hexadecimal."""
        return self._digest.hexdigest()

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the data set; after a failure they are only counted."""
        self.data_bytes += len(data)
        if self._file is None or self._failure is not None:
            return
        self._digest.update(data)
        if len(self.head) < HEAD_BYTES:
            self.head += data[: HEAD_BYTES - len(self.head)]
        try:
            self._file.write(data)
            self._unsynced += len(data)
            if self._unsynced >= _SYNC_EVERY:
                self._reserve.check()
                self._file.flush()
                os.fdatasync(self._file.fileno())
                self._unsynced = 0
        except (OSError, DiskFullError) as error:
            self._fail(error)

    def reopen(self) -> BinaryIO:
        """Open what has come of the data set for reading, at its beginning.

        Raises
        ------
        OSError
            If it is not on the disk.
        """
        if self._file is None or self._failure is not None:
            raise FileNotFoundError
        self._file.flush()
        opened = self.path.open("rb")
        opened.seek(self._prefix_bytes)
        return opened

    def finish(self, final: Path) -> None:
        """Put all bytes on the disk and give the file its final name.

        Parameters
        ----------
        final : Path
            Derived from the content: a file that has this name already holds the same data set.
            Its folder is to be synchronised by the caller.

        Raises
        ------
        DiskFullError, SpoolError
            If not all bytes could be written, or the name could not be given.
        """
        if self._file is not None and self._failure is None:
            try:
                self._file.flush()
                self._name(self._file.fileno(), final)
                self._file.close()
            except OSError as error:
                self._fail(error)
        if self._failure is not None:
            raise self._failure
        self._is_settled = True
        self.head.clear()

    def _name(self, handle: int, final: Path) -> None:
        """Name first, then synchronise: one journal entry of the file system carries both.

        Nobody knows the new name before the journal has its row. A name that is there already may
        have been acknowledged: it is replaced only by bytes that are on the disk.
        """
        try:
            os.link(self.path, final)
        except FileExistsError:
            os.fsync(handle)
            self.path.replace(final)
        else:
            os.fsync(handle)
            self.path.unlink()

    def discard(self) -> None:
        """Remove the file, unless it has its final name; where the disk refuses, later.

        Never raises: the sender is still to be answered.
        """
        if self._is_settled:
            return
        if self._file is not None and not self._file.closed:
            # The last bytes may not fit the disk; the file goes anyway.
            with suppress(OSError):
                self._file.close()
        try:
            self.path.unlink(missing_ok=True)
        except OSError:  # a file system that has become read-only
            self._abandoned.append(self.path)
        self._is_settled = True
        self.head.clear()

    def _fail(self, error: Exception) -> None:
        if isinstance(error, DiskFullError):
            self._failure = error
        else:
            self._failure = SpoolError()
            self._failure.__cause__ = error
        self.head.clear()
