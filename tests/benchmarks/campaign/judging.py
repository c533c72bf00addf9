"""What a part of the campaign did, and what was wrong afterwards: asked of the PACS, not of us.

The PACS is Orthanc, or dcmtk's dcmqrscp where there is none. Orthanc keeps the first content that
came under a SOP Instance UID and refuses the others (dcmqrscp keeps the last), so that an object
whose content changed between two attempts shows as one that differs from the file which the node
says it sent.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from tests.builders.dcmqrscp import Dcmqrscp
from tests.builders.killable_node import KillableNode
from tests.builders.orthanc import Orthanc
from tests.builders.stubborn_sender import StubbornSender, data_set_bytes

Pacs = Orthanc | Dcmqrscp
KINDS = ("SPINEPS semantic", "SPINEPS instances")
KINDS_OF_WRONG = ("objects lost", "results lost", "duplicate results", "stuck", "not refused")


@dataclass
class Findings:
    """How often which fault was inflicted, what came of it, and what was wrong.

    `times`: fault -> how often; `outcomes`: fault -> outcome -> how often, where faults differ in
    that; `traffic`: what went through the node meanwhile; `wrong` empty: nothing was lost or
    doubled, and nothing stayed behind.
    """

    times: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    traffic: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=dict)

    def note(self, kind: str, detail: str) -> None:
        self.wrong.setdefault(kind, []).append(detail)

    def came_out(self, fault: str, outcome: str) -> None:
        """One more try of a fault, and what became of it."""
        self.times[fault] += 1
        self.outcomes.setdefault(fault, Counter())[outcome] += 1


@dataclass(frozen=True)
class Held:
    """One object of a PACS: the series it is made from, and its content."""

    source_series_uid: str
    description: str
    dataset: Dataset


def held_by(pacs: Pacs) -> dict[str, Held]:
    """Everything it holds, by SOP Instance UID."""
    held = {}
    for uid in pacs.sop_instance_uids():
        dataset = pydicom.dcmread(io.BytesIO(pacs.file(uid)))
        source = str(dataset.ReferencedSeriesSequence[0].SeriesInstanceUID)
        held[uid] = Held(source, str(dataset.SeriesDescription), dataset)
    return held


def digest_of(file: Path) -> str:
    """SHA-256 of its data set; empty where it is no DICOM file (any more)."""
    try:
        return hashlib.sha256(data_set_bytes(file)).hexdigest()
    except (InvalidDicomError, EOFError, AttributeError, struct.error):
        return ""


def is_the_same(file: Path, held: Dataset) -> bool:
    """Whether a file is what the PACS holds."""
    try:
        return bool(pydicom.dcmread(file) == held)
    except (InvalidDicomError, OSError):
        return False


def check_objects(node: KillableNode, senders: Iterable[StubbornSender], found: Findings) -> None:
    """Every acknowledged object is in the journal and in the spool, byte for byte."""
    query = "SELECT sop_instance_uid, digest, path FROM instance WHERE state = 'stored'"
    # One UID may have come with several contents, such as a half before or after the whole.
    held: dict[str, dict[str, str]] = {}
    for uid, digest, path in node.journal.rows(query):
        held.setdefault(uid, {})[digest] = path
    for sender in senders:
        found.traffic["acknowledged objects"] += len(sender.acknowledged)
        for uid, digest in sender.acknowledged.items():
            known = held.get(uid, {})
            file = node.data / "spool" / known.get(digest, "")
            if not known:
                found.note("objects lost", "acknowledged and not in the journal")
            elif digest not in known:
                found.note("objects lost", "acknowledged and kept with other bytes")
            elif not file.is_file():
                found.note("objects lost", "acknowledged and not in the spool")
            elif digest_of(file) != digest:
                found.note("objects lost", "acknowledged and kept with other bytes")


def check_results(held: dict[str, Held], series: Sequence[str], found: Findings) -> None:
    """Two segmentations per series, each once."""
    found.traffic["series"] += len(series)
    found.traffic["results at the PACS"] += len(held)
    kinds: dict[str, Counter[str]] = {uid: Counter() for uid in series}
    for item in held.values():
        if item.source_series_uid not in kinds:
            found.note("duplicate results", "a result of a series that nobody finished sending")
        else:
            kinds[item.source_series_uid][item.description] += 1
    for counts in kinds.values():
        for kind in KINDS:
            if not counts[kind]:
                found.note("results lost", f"a series without {kind}")
            elif counts[kind] > 1:
                found.note("duplicate results", f"{counts[kind]} x {kind} for one series")


def check_books(node: KillableNode, held: dict[str, Held], found: Findings) -> None:
    """Objects held by the PACS = results in the journal, and their content is that of the files."""
    query = "SELECT sop_instance_uid, path FROM result WHERE sop_instance_uid <> ''"
    noted: dict[str, str] = dict(node.journal.rows(query))
    if lost := noted.keys() - held.keys():
        found.note("results lost", f"{len(lost)} in the journal and not at the PACS")
    if more := held.keys() - noted.keys():
        found.note("duplicate results", f"{len(more)} at the PACS and not in the journal")
    for uid in noted.keys() & held.keys():
        if not is_the_same(node.data / noted[uid], held[uid].dataset):
            found.note("duplicate results", "two contents under one UID, or the file is gone")


def check_rest(node: KillableNode, found: Findings) -> None:
    """Nothing is left half done: no job, no delivery, no temporary file."""
    for table, good in (
        ("job", "'succeeded'"),
        ("delivery", "'delivered'"),
        ("series", "'accepted'"),
    ):
        query = f"SELECT state, count(*) FROM {table} WHERE state NOT IN ({good}) GROUP BY state"  # noqa: S608 - constants
        for state, count in node.journal.rows(query):
            found.note("stuck", f"{count} x {table} {state}")
    jobs, series = (
        node.journal.rows(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - constants
        for table in ("job", "series")
    )
    if jobs != series:
        found.note("duplicate results", f"{jobs} jobs for {series} series")
    for role in node.silent():
        found.note("stuck", f"{role} does not answer")
    if left := list((node.data / "spool" / "incoming").iterdir()):
        found.note("stuck", f"{len(left)} temporary files in the spool")
