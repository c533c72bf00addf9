"""The spool: received objects as Part 10 files, their data set byte for byte as it came.

Names are hashes: nothing that a peer sent becomes part of a path, and a listing of the folder
names no patient. A file appears under its final name only when all of it is on the disk.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.errors import SpoolError
from app.node.archive.incoming import IncomingFile
from operators.dicom.identity.uids import derived_uid
from operators.dicom.reading.durable import sync

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from app.node.archive.disk import DiskReserve

IMPLEMENTATION_CLASS_UID: Final = derived_uid("spine-node", "implementation")
IMPLEMENTATION_VERSION_NAME: Final = "SPINENODE"

_PREAMBLE: Final = bytes(128) + b"DICM"
_GROUP_LENGTH: Final = struct.pack("<HH2sH", 0x0002, 0x0000, b"UL", 4)
_VERSION: Final = struct.pack("<HH2sHL", 0x0002, 0x0001, b"OB", 0, 2) + b"\x00\x01"
_NAME_DIGITS: Final = 32
_DIGEST_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file at its final place.

    Attributes
    ----------
    path : str
        Relative to the spool.
    digest : str
        SHA-256 of the data set, hexadecimal.
    size_bytes : int
        Of the file.
    folder : Path
        To be synchronised before the object is acknowledged (`Spool.sync`).
    """

    path: str
    digest: str
    size_bytes: int
    folder: Path


class Spool:
    """The files of received objects below one folder.

    Parameters
    ----------
    root : Path
        Made if absent.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self._abandoned: list[Path] = []
        self.incoming.mkdir(parents=True, exist_ok=True)
        (root / "series").mkdir(exist_ok=True)
        sync(root)

    def receive(
        self,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        reserve: DiskReserve,
    ) -> IncomingFile:
        """Begin a temporary file.

        Parameters
        ----------
        sop_class_uid, sop_instance_uid, transfer_syntax_uid : str
            For the file meta information (PS3.10, 7.1).
        reserve : DiskReserve
            Space that must stay free.

        Returns
        -------
        IncomingFile
            To be given to `keep` or discarded.
        """
        prefix = _file_meta(sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        return IncomingFile(self.incoming, prefix, reserve, self._abandoned)

    def keep(self, incoming: IncomingFile, *, series_uid: str, sop_instance_uid: str) -> StoredFile:
        """Give a temporary file its final name, all of its bytes on the disk.

        Parameters
        ----------
        incoming : IncomingFile
            All of its bytes have come.
        series_uid, sop_instance_uid : str
            Any text: only their hashes are used.

        Returns
        -------
        StoredFile
            Its folder is not yet synchronised.

        Raises
        ------
        DiskFullError, SpoolError
            If the file or its folder cannot be written.
        """
        series = _hashed(series_uid)
        digest = incoming.digest
        path = f"series/{series[:2]}/{series}/{_hashed(sop_instance_uid)}-{digest[:_DIGEST_DIGITS]}"
        final = self.root / f"{path}.dcm"
        try:
            self._make(final.parent)
        except OSError as error:
            raise SpoolError from error
        incoming.finish(final)
        return StoredFile(
            path=f"{path}.dcm", digest=digest, size_bytes=incoming.size_bytes, folder=final.parent
        )

    def sync(self, folders: Iterable[Path]) -> None:
        """Put the names in these folders on the disk.

        Raises
        ------
        SpoolError
            If the disk refuses.
        """
        try:
            for folder in folders:
                sync(folder)
        except OSError as error:
            raise SpoolError from error

    def absolute(self, relative: str) -> Path:
        """Where a stored file lies.

        Raises
        ------
        SpoolError
            If the path leads out of the spool.
        """
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise SpoolError("a path in the journal leads out of the spool")
        return path

    def sweep_incoming(self) -> int:
        """Remove the temporary files of a listener that is no more.

        Returns
        -------
        int
            How many there were.
        """
        leftovers = [path for path in self.incoming.iterdir() if path.is_file()]
        for path in leftovers:
            path.unlink(missing_ok=True)
        return len(leftovers)

    def remove_abandoned(self) -> None:
        """Try again to remove what the disk did not let go before."""
        for _ in range(len(self._abandoned)):
            path = self._abandoned.pop(0)
            try:
                path.unlink(missing_ok=True)
            except OSError:
                self._abandoned.append(path)

    def _make(self, folder: Path) -> None:
        """Make the folder of a series; every new name is on the disk when this returns."""
        if folder.is_dir():
            return
        folder.mkdir(parents=True, exist_ok=True)
        sync(folder.parent)
        sync(folder.parent.parent)


def _hashed(uid: str) -> str:
    return hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:_NAME_DIGITS]


def _file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble and file meta information (PS3.10, 7.1).

    Packed here because pydicom would warn about an odd identifier by quoting it.
    """
    elements = b"".join(
        (
            _VERSION,
            _element(0x0002, b"UI", sop_class_uid),
            _element(0x0003, b"UI", sop_instance_uid),
            _element(0x0010, b"UI", transfer_syntax_uid),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
        )
    )
    return _PREAMBLE + _GROUP_LENGTH + struct.pack("<L", len(elements)) + elements


def _element(number: int, vr: bytes, text: str) -> bytes:
    """Element of group 0002, Explicit VR Little Endian, padded to even length (PS3.5, 6.2)."""
    value = text.encode("ascii", "replace")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 0x0002, number, vr, len(value)) + value
