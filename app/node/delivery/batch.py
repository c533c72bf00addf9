"""Send every DICOM file of a folder to a peer, and count what became of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.errors import PeerRefusedError, PeerUnreachableError
from app.node.peers.dimse import PATIENT
from app.node.peers.statuses import Answer, answer_of
from app.node.peers.store import read_storable, store_files
from operators.dicom.reading.input_files import files_below
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from app.node.peers.dimse import Patience, Peer
    from app.node.peers.store import StorableFile
    from operators.dicom.reading.input_files import PassedOver

DICOMDIR: Final = "1.2.840.10008.1.3.10"
"""Media Storage Directory: describes files, is never sent itself (PS3.3, annex F)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a folder holds.

    Attributes
    ----------
    files : tuple of StorableFile
        Objects to send.
    not_dicom : int
        Files that are none.
    passed_over : tuple of PassedOver
        Links, folders and special files that are not followed or read; their paths may hold
        patient data.
    """

    files: tuple[StorableFile, ...]
    not_dicom: int
    passed_over: tuple[PassedOver, ...] = ()


@dataclass(slots=True, kw_only=True)
class BatchReport:
    """How sending went; free of patient data.

    Attributes
    ----------
    total : int
        Objects to send.
    sent : int
        Objects that the peer holds, be it with a warning or from before (0x0111).
    answers : Counter of str
        How often each status other than 0x0000 was answered; ``no presentation context`` where
        the peer takes no such objects.
    uncompressed : int
        Objects in RLE Lossless that were sent uncompressed, since the peer does not take that.
    failure : str
        What ended it early; empty: every object was offered.
    """

    total: int
    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    uncompressed: int = 0
    failure: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether the peer has everything."""
        return self.sent == self.total and not self.failure

    def as_dict(self) -> dict[str, Any]:
        """Plain dict for JSON."""
        return {
            "total": self.total,
            "sent": self.sent,
            "answers": dict(sorted(self.answers.items())),
            "uncompressed": self.uncompressed,
            "failure": self.failure,
        }


def collect(folder: Path) -> Batch:
    """Find the DICOM files below a folder.

    Parameters
    ----------
    folder : Path
        A folder, or one file.

    Returns
    -------
    Batch
        In the order of their paths. No link is followed, as when a folder is segmented
        (`operators.dicom.reading.input_files`).
    """
    candidates, passed_over = files_below(folder)
    files: list[StorableFile] = []
    others = 0
    for path in candidates:
        try:
            file = read_storable(path)
        except UnreadableInputError:
            others += 1
            continue
        if file.sop_class_uid == DICOMDIR:
            others += 1
        else:
            files.append(file)
    return Batch(files=tuple(files), not_dicom=others, passed_over=passed_over)


def send_batch(
    peer: Peer,
    our_ae_title: str,
    files: Sequence[StorableFile],
    *,
    on_progress: Callable[[int], None],
    patience: Patience = PATIENT,
) -> BatchReport:
    """Send files, each once.

    Parameters
    ----------
    peer : Peer
        Who gets them.
    our_ae_title : str
        Calling AE title.
    files : sequence of StorableFile
        As `collect` gives them.
    on_progress : callable
        Called after each answer with the number of objects offered so far.
    patience : Patience
        Limits on every wait.

    Returns
    -------
    BatchReport
        A failure of the peer is told there, not raised.
    """
    report = BatchReport(total=len(files))
    offered = 0

    def note(_file: StorableFile, status: int | None) -> None:
        nonlocal offered
        offered += 1
        if status is None:
            report.answers["no presentation context"] += 1
        elif status:
            report.answers[f"0x{status:04X}"] += 1
        report.sent += answer_of(status) is Answer.STORED
        on_progress(offered)

    def count_uncompressed(_file: StorableFile) -> None:
        report.uncompressed += 1

    try:
        store_files(
            peer,
            our_ae_title,
            files,
            on_answer=note,
            on_uncompressed=count_uncompressed,
            patience=patience,
        )
    except (PeerUnreachableError, PeerRefusedError) as error:
        report.failure = error.message
    return report
