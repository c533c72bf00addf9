"""Commissioning of a peer: does it answer, what does it take, does it keep what it acknowledged."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from app.errors import PeerRefusedError, PeerUnreachableError
from app.node.peers.statuses import Answer
from app.node.peers.store import read_storable
from operators.dicom.identity.result_kinds import OBJECT_CLASSES, SEGMENTATION
from operators.dicom.identity.uids import derived_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from app.node.peers.commitment import CommitmentReport
    from app.node.peers.destination import Destination, Reply

STUDY_UID: Final = derived_uid("spine-node", "check-peer", "study")
SERIES_UID: Final = derived_uid("spine-node", "check-peer", "series")
SOP_INSTANCE_UID: Final = derived_uid("spine-node", "check-peer", "object")
"""Always the same: a second check leaves no second object behind."""

PATIENT_ID: Final = "SPINENODE-TEST"
FIND_WITHIN_S: Final = 10.0
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
    destination: Destination,
    *,
    stores: bool,
    can_find: bool,
    needed: Collection[str] = (SEGMENTATION,),
    find_within_s: float = FIND_WITHIN_S,
) -> Iterator[Finding]:
    """Try a peer, from the connection to an object that is found again.

    Parameters
    ----------
    destination : Destination
        Who is tried.
    stores : bool
        Also store a test object. DICOM knows no way to delete it: it stays until somebody does.
    can_find : bool
        Also ask whether it holds it.
    needed : collection of str
        Groups of results that it has to take; without the others it is sent less.
    find_within_s : float
        How long that may take, s.

    Yields
    ------
    Finding
        In order; ends at the first without which the rest is pointless.
    """
    answered = _tried(destination.echo_name, lambda: _echo(destination))
    yield answered
    if not answered.is_good:
        return
    yield from _kinds_taken(destination, needed)
    if not stores:
        return
    stored = _tried("store", lambda: _store(destination))
    yield stored
    if stored.is_good and can_find:
        yield _tried("find", lambda: _find(destination, find_within_s))
    if stored.is_good and destination.commits:
        yield _tried("commitment", lambda: _commit(destination))


def accepted_syntaxes(destination: Destination) -> dict[str, list[str]] | None:
    """Ask which results a destination takes.

    Parameters
    ----------
    destination : Destination
        Who is asked.

    Returns
    -------
    dict of str to list of str, or None
        Group of results -> names of the uncompressed transfer syntaxes in which it takes them;
        none of any where the conversation fails. None: there is no way to ask.
    """
    accepted = destination.takes(OBJECT_CLASSES.values())
    if accepted is None:
        return None
    return {group: sorted(accepted.get(str(uid), ())) for group, uid in OBJECT_CLASSES.items()}


def _tried(name: str, work: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, is_good=True, detail=work())
    except _FAILURES as error:
        return Finding(name=name, is_good=False, detail=error.message)


def _echo(destination: Destination) -> str:
    destination.echo()
    return "answered"


def _kinds_taken(destination: Destination, needed: Collection[str]) -> Iterator[Finding]:
    """Which kinds of objects it takes, where that can be asked."""
    for name, syntaxes in (accepted_syntaxes(destination) or {}).items():
        yield Finding(
            name=name,
            is_good=bool(syntaxes),
            detail=", ".join(syntaxes) or "no presentation context accepted",
            is_needed=name in needed,
        )


def _store(destination: Destination) -> str:
    replies: list[Reply] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "test.dcm"
        _object().save_as(path, enforce_file_format=True)
        destination.store([read_storable(path)], lambda _file, reply: replies.append(reply))
    (reply,) = replies
    if reply.answer is Answer.UNWANTED:
        raise PeerRefusedError("it takes no secondary capture, which the test object is")
    told = reply.name if reply.status is None else f"0x{reply.status:04X}"
    if reply.answer is not Answer.STORED:
        raise PeerRefusedError(f"it answered {told}")
    return f"answered {told}; the object stays there, patient {PATIENT_ID}"


@dataclass(frozen=True, slots=True)
class _TestObject:
    study_uid: str = STUDY_UID
    series_uid: str = SERIES_UID
    sop_class_uid: str = SecondaryCaptureImageStorage
    sop_instance_uid: str = SOP_INSTANCE_UID


def _find(destination: Destination, within_s: float) -> str:
    begun = time.monotonic()
    while True:
        found = destination.holds([_TestObject()])
        seconds = time.monotonic() - begun
        if found is None:
            raise PeerRefusedError("it cannot be asked")
        if SOP_INSTANCE_UID in found:
            return f"found again after {seconds:.1f} s"
        if seconds > within_s:
            raise PeerRefusedError(f"acknowledged, but not found within {seconds:.0f} s")
        time.sleep(_FIND_EVERY_S)


def _commit(destination: Destination) -> str:
    reports: list[CommitmentReport] = []
    if not destination.commit(derived_uid(secrets.token_hex()), [_TestObject()], reports.append):
        raise PeerRefusedError("it offers no storage commitment")
    if any(SOP_INSTANCE_UID in report.failed for report in reports):
        raise PeerRefusedError("acknowledged, but not committed")
    return "committed" if reports else "asked; its report comes to the listener"


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
