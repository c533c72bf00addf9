"""C-STORE as a user: files leave in their own transfer syntax, byte for byte.

Two exceptions, for peers that do not take that. An uncompressed object is re-encoded in Implicit VR
Little Endian, the syntax that every application entity must know (PS3.5, 10.1). A segmentation or
a picture in RLE Lossless, as this product writes it, is sent uncompressed: the same object, nothing
is lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)
from pynetdicom.presentation import build_context

from app.errors import ContextRefusedError, PeerUnreachableError
from app.node.peers.dimse import MAX_CONTEXTS, PATIENT, association, status_of
from operators.dicom.identity.result_kinds import SECONDARY_CAPTURE_STORAGE, SEGMENTATION_STORAGE
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pynetdicom.association import Association
    from pynetdicom.presentation import PresentationContext

    from app.node.peers.dimse import Patience, Peer

_FALLBACKS: Final[dict[str, tuple[str, ...]]] = {
    ExplicitVRLittleEndian: (ImplicitVRLittleEndian,),
    DeflatedExplicitVRLittleEndian: (ImplicitVRLittleEndian,),
}
"""Transfer syntax of a file -> what it may be sent in where the peer does not take that."""
_UNDECODABLE: Final = (AttributeError, NotImplementedError, RuntimeError, ValueError)
"""What pydicom raises at pixel data that are not what the header says."""
_WRITTEN_IN_RLE: Final = frozenset({SEGMENTATION_STORAGE, SECONDARY_CAPTURE_STORAGE})
_UNCOMPRESSED: Final = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
_LAST_MESSAGE_ID: Final = 0xFFFF
_IDENTITY: Final = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorableFile:
    """A DICOM file as its file meta information describes it (PS3.10, 7.1)."""

    path: Path
    size_bytes: int
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def read_storable(path: Path) -> StorableFile:
    """Read what C-STORE needs to know of a file; the data set stays unread.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    StorableFile
        Its class, identity and transfer syntax.

    Raises
    ------
    UnreadableInputError
        If it is not a DICOM file with complete file meta information.
    """
    try:
        meta = read_file_meta_info(path)
        size_bytes = path.stat().st_size
    except (OSError, InvalidDicomError, AttributeError, ValueError, EOFError) as error:
        raise UnreadableInputError("not a DICOM file") from error
    uids = [str(meta.get(keyword, "")) for keyword in _IDENTITY]
    if not all(re.fullmatch(r"[0-9.]{1,64}", uid) for uid in uids):
        raise UnreadableInputError("not a DICOM file: its file meta information is incomplete")
    sop_class_uid, sop_instance_uid, transfer_syntax_uid = uids
    return StorableFile(
        path=path,
        size_bytes=size_bytes,
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
    )


def store_files(
    peer: Peer,
    our_ae_title: str,
    files: Sequence[StorableFile],
    *,
    on_answer: Callable[[StorableFile, int | None], None],
    on_uncompressed: Callable[[StorableFile], None] = lambda _file: None,
    patience: Patience = PATIENT,
) -> None:
    """C-STORE files, in one association unless they need more than 128 presentation contexts.

    Parameters
    ----------
    peer : Peer
        Who gets them.
    our_ae_title : str
        Calling AE title.
    files : sequence of StorableFile
        In this order, except that kinds of objects are kept together where there are too many.
    on_answer : callable
        Called after each object with the status of the response, None where the peer accepted no
        presentation context for it. What it raises aborts the association.
    on_uncompressed : callable
        Called before `on_answer` where an object in RLE Lossless was sent uncompressed.
    patience : Patience
        Limits on every wait.

    Raises
    ------
    PeerUnreachableError
        If the association is not established or breaks off; objects answered before were told.
    PeerRefusedError
        If the peer rejects the association permanently.
    """
    for group in _groups(files):
        try:
            with association(peer, our_ae_title, _contexts(group), patience) as open_one:
                for number, file in enumerate(group):
                    message_id = number % _LAST_MESSAGE_ID + 1
                    syntax = _accepted(open_one, file)
                    status = _store(
                        open_one, file, syntax, message_id=message_id, patience=patience
                    )
                    if status is not None and syntax != file.transfer_syntax_uid == RLELossless:
                        on_uncompressed(file)
                    on_answer(file, status)
        except ContextRefusedError:
            for file in group:
                on_answer(file, None)


def _accepted(open_one: Association, file: StorableFile) -> str | None:
    """First of the syntaxes proposed for a file that the peer takes."""
    taken = {
        context.transfer_syntax[0]
        for context in open_one.accepted_contexts
        if context.abstract_syntax == file.sop_class_uid
    }
    return next((syntax for syntax in syntaxes_of(file) if syntax in taken), None)


def _store(
    open_one: Association,
    file: StorableFile,
    syntax: str | None,
    *,
    message_id: int,
    patience: Patience,
) -> int | None:
    content = content_in(file, syntax)
    if content is None:
        return None
    if not open_one.is_established:
        raise PeerUnreachableError("the peer broke off", reasons=("broke_off",))
    size_bytes = file.size_bytes
    if isinstance(content, Dataset):
        size_bytes += len(content.get("PixelData", b""))
    open_one.dimse_timeout = patience.message_s + size_bytes / patience.bytes_per_s
    return status_of(open_one.send_c_store(content, msg_id=message_id))


def content_in(file: StorableFile, syntax: str | None) -> Path | Dataset | None:
    """Give what is handed over in a transfer syntax.

    Parameters
    ----------
    file : StorableFile
        An object.
    syntax : str or None
        Its own transfer syntax, or another of `syntaxes_of`; None: the peer takes none.

    Returns
    -------
    Path, Dataset or None
        The file itself, or its data set, to be encoded in `syntax`; None where no syntax is taken
        or the pixel data are damaged.
    """
    if syntax is None or syntax == file.transfer_syntax_uid:
        return None if syntax is None else file.path
    dataset = dcmread(file.path)
    if file.transfer_syntax_uid == RLELossless:
        try:
            dataset.decompress(as_rgb=False, generate_instance_uid=False)
        except _UNDECODABLE:
            return None
    return dataset


def _contexts(files: Sequence[StorableFile]) -> list[PresentationContext]:
    return [build_context(*key) for key in sorted(set().union(*map(_context_keys, files)))]


def _context_keys(file: StorableFile) -> set[tuple[str, str]]:
    """(SOP class, transfer syntax) to propose: each its own context, so that all can be had."""
    return {(file.sop_class_uid, syntax) for syntax in syntaxes_of(file)}


def syntaxes_of(file: StorableFile) -> tuple[str, ...]:
    """Give the transfer syntaxes a file can be sent in, best first."""
    own = file.transfer_syntax_uid
    if own == RLELossless and file.sop_class_uid in _WRITTEN_IN_RLE:
        return own, *_UNCOMPRESSED
    return own, *_FALLBACKS.get(own, ())


def _groups(files: Sequence[StorableFile]) -> list[list[StorableFile]]:
    """Split so that no group needs more contexts than one association has."""
    groups: list[list[StorableFile]] = []
    keys: set[tuple[str, str]] = set()
    all_keys = set().union(*map(_context_keys, files))
    ordered = (
        files
        if len(all_keys) <= MAX_CONTEXTS
        else sorted(files, key=lambda file: (file.sop_class_uid, file.transfer_syntax_uid))
    )
    for file in ordered:
        wider = keys | _context_keys(file)
        if not groups or len(wider) > MAX_CONTEXTS:
            groups.append([])
            wider = _context_keys(file)
        groups[-1].append(file)
        keys = wider
    return groups
