"""C-STORE as a user: files leave in their own transfer syntax, byte for byte.

Where a peer takes an object only in Implicit VR Little Endian, the syntax that every application
entity must know (PS3.5, 10.1), an uncompressed object is re-encoded for it; nothing else is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.presentation import build_context

from app.errors import ContextRefusedError, PeerUnreachableError
from app.peers.dimse import MAX_CONTEXTS, PATIENT, association, status_of
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pynetdicom.association import Association
    from pynetdicom.presentation import PresentationContext

    from app.peers.dimse import Patience, Peer

_CONVERTIBLE: Final = frozenset({ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian})
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
                    on_answer(file, _store(open_one, file, message_id, patience))
        except ContextRefusedError:
            for file in group:
                on_answer(file, None)


def _store(
    open_one: Association, file: StorableFile, message_id: int, patience: Patience
) -> int | None:
    accepted = {
        (context.abstract_syntax, context.transfer_syntax[0])
        for context in open_one.accepted_contexts
    }
    wanted = (file.sop_class_uid, file.transfer_syntax_uid)
    fallback = (file.sop_class_uid, ImplicitVRLittleEndian)
    if wanted not in accepted and not (_is_convertible(file) and fallback in accepted):
        return None
    if not open_one.is_established:
        raise PeerUnreachableError("the peer broke off", reasons=("broke_off",))
    open_one.dimse_timeout = patience.message_s + file.size_bytes / patience.bytes_per_s
    content = file.path if wanted in accepted else dcmread(file.path)
    return status_of(open_one.send_c_store(content, msg_id=message_id))


def _contexts(files: Sequence[StorableFile]) -> list[PresentationContext]:
    return [build_context(*key) for key in sorted(set().union(*map(_context_keys, files)))]


def _context_keys(file: StorableFile) -> set[tuple[str, str]]:
    """(SOP class, transfer syntax) to propose: each its own context, so that both can be had."""
    keys = {(file.sop_class_uid, file.transfer_syntax_uid)}
    if _is_convertible(file):
        keys.add((file.sop_class_uid, str(ImplicitVRLittleEndian)))
    return keys


def _is_convertible(file: StorableFile) -> bool:
    return file.transfer_syntax_uid in _CONVERTIBLE


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
