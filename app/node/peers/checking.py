"""Commissioning of a peer: does it answer, what does it take, does it keep what it acknowledged."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pynetdicom.presentation import build_context

from app.errors import PeerRefusedError, PeerUnreachableError
from app.node.peers.dimse import PATIENT, Patience, association, echo
from app.node.peers.query import find_instances
from app.node.peers.store import read_storable, store_files
from operators.dicom.result_kinds import OBJECT_CLASSES, SEGMENTATION
from operators.dicom.uids import derived_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from app.node.peers.dimse import Peer

STUDY_UID: Final = derived_uid("spine-node", "check-peer", "study")
SERIES_UID: Final = derived_uid("spine-node", "check-peer", "series")
SOP_INSTANCE_UID: Final = derived_uid("spine-node", "check-peer", "object")
"""Always the same: a second check leaves no second object behind."""

PATIENT_ID: Final = "SPINENODE-TEST"
_FIND_WITHIN_S: Final = 10.0
_FIND_EVERY_S: Final = 0.5
_EDGE: Final = 16
_FAILURES: Final = (PeerUnreachableError, PeerRefusedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was tried.

    Attributes
    ----------
    name : str
        What.
    is_good : bool
        Whether it worked.
    detail : str
        What was seen, free of patient data.
    is_needed : bool
        Whether deliveries depend on it.
    """

    name: str
    is_good: bool
    detail: str
    is_needed: bool = True


def check_peer(
    peer: Peer,
    our_ae_title: str,
    *,
    stores: bool,
    can_find: bool,
    needed: Collection[str] = (SEGMENTATION,),
    patience: Patience = PATIENT,
) -> Iterator[Finding]:
    """Try a peer, from the connection to an object that is found again.

    Parameters
    ----------
    peer : Peer
        Who is tried.
    our_ae_title : str
        Calling AE title.
    stores : bool
        Also store a test object. DICOM knows no way to delete it: it stays until somebody does.
    can_find : bool
        Also ask for it by C-FIND.
    needed : collection of str
        Groups of results that it has to take; without the others it is sent less.
    patience : Patience
        Limits on every wait.

    Yields
    ------
    Finding
        In order; ends at the first without which the rest is pointless.
    """
    answered = _tried("C-ECHO", lambda: _echo(peer, our_ae_title, patience))
    yield answered
    if not answered.is_good:
        return
    yield from _contexts(peer, our_ae_title, needed, patience)
    if not stores:
        return
    stored = _tried("store", lambda: _store(peer, our_ae_title, patience))
    yield stored
    if stored.is_good and can_find:
        yield _tried("find", lambda: _find(peer, our_ae_title, patience))


def accepted_syntaxes(
    peer: Peer, our_ae_title: str, patience: Patience = PATIENT
) -> dict[str, list[str]]:
    """Ask which results a peer takes: all kinds of objects are proposed in one association.

    Parameters
    ----------
    peer : Peer
        Who is asked.
    our_ae_title : str
        Calling AE title.
    patience : Patience
        Limits on every wait.

    Returns
    -------
    dict of str to list of str
        Group of results -> names of the uncompressed transfer syntaxes in which it takes them;
        none of any where the association fails.
    """
    syntaxes = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    classes = OBJECT_CLASSES.values()
    proposed = [build_context(uid, syntax) for uid in classes for syntax in syntaxes]
    accepted: dict[str, list[str]] = {}
    with (
        suppress(*_FAILURES),
        association(peer, our_ae_title, proposed, patience) as open_one,
    ):
        for context in open_one.accepted_contexts:
            names = accepted.setdefault(str(context.abstract_syntax), [])
            names.append(UID(context.transfer_syntax[0]).name)
    return {group: sorted(accepted.get(uid, ())) for group, uid in OBJECT_CLASSES.items()}


def _tried(name: str, work: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, is_good=True, detail=work())
    except _FAILURES as error:
        return Finding(name=name, is_good=False, detail=error.message)


def _echo(peer: Peer, our_ae_title: str, patience: Patience) -> str:
    echo(peer, our_ae_title, patience)
    return "answered"


def _contexts(
    peer: Peer, our_ae_title: str, needed: Collection[str], patience: Patience
) -> Iterator[Finding]:
    for name, syntaxes in accepted_syntaxes(peer, our_ae_title, patience).items():
        yield Finding(
            name=name,
            is_good=bool(syntaxes),
            detail=", ".join(syntaxes) or "no presentation context accepted",
            is_needed=name in needed,
        )


def _store(peer: Peer, our_ae_title: str, patience: Patience) -> str:
    statuses: list[int | None] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "test.dcm"
        _object().save_as(path, enforce_file_format=True)
        store_files(
            peer,
            our_ae_title,
            [read_storable(path)],
            on_answer=lambda _file, status: statuses.append(status),
            patience=patience,
        )
    (status,) = statuses
    if status is None:
        raise PeerRefusedError("it takes no secondary capture, which the test object is")
    if status not in _KEPT:
        raise PeerRefusedError(f"it answered 0x{status:04X}")
    return f"answered 0x{status:04X}; the object stays there, patient {PATIENT_ID}"


_KEPT: Final = frozenset({0x0000, 0x0111, 0xB000, 0xB006, 0xB007})
"""Success, duplicate, warnings (PS3.4, B.2.3)."""


def _find(peer: Peer, our_ae_title: str, patience: Patience) -> str:
    begun = time.monotonic()
    while True:
        found = find_instances(
            peer, our_ae_title, STUDY_UID, SERIES_UID, timeout_s=patience.message_s
        )
        seconds = time.monotonic() - begun
        if SOP_INSTANCE_UID in found:
            return f"found again after {seconds:.1f} s"
        if seconds > _FIND_WITHIN_S:
            raise PeerRefusedError(f"acknowledged, but not found by C-FIND within {seconds:.0f} s")
        time.sleep(_FIND_EVERY_S)


def _object() -> Dataset:
    """Black secondary capture of nobody (PS3.3, A.8.1); the same bytes every time."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = SecondaryCaptureImageStorage, SOP_INSTANCE_UID
    made.StudyInstanceUID, made.SeriesInstanceUID = STUDY_UID, SERIES_UID
    made.PatientName, made.PatientID = "SPINENODE^TEST", PATIENT_ID
    made.PatientBirthDate = made.PatientSex = made.ReferringPhysicianName = ""
    made.StudyDate = made.StudyTime = made.AccessionNumber = ""
    made.StudyID, made.SeriesNumber, made.InstanceNumber = "TEST", 1, 1
    made.StudyDescription = made.SeriesDescription = "SPINEPS Node connection test, delete me"
    made.Modality, made.ConversionType, made.Laterality = "OT", "SYN", ""
    made.PatientOrientation = ""
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows = made.Columns = _EDGE
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PixelData = bytes(_EDGE * _EDGE)
    made["PixelData"].VR = "OB"
    return made
