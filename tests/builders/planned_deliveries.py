"""A finished job with small segmentation objects on disk, and its deliveries in the journal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.sop_class import SegmentationStorage
from sqlalchemy.engine import Engine

from app.node.journal.deliveries import DeliveryGroup, plan
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.journal.tables import DELIVERY
from app.node.telemetry.events import Event
from app.settings import NodeSettings
from app.settings.peers import DimsePeerSettings
from operators.dicom.identity.result_kinds import MEASUREMENT_REPORT, SEMANTIC
from operators.dicom.identity.uids import derived_uid
from operators.dicom.results.run_length import compress
from tests.builders.journal_rows import insert

START = 1_800_000_000.0


class VirtualClock:
    """Epoch seconds that pass only when told."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Heard:
    """An event log that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[int, dict[str, object]]] = []

    def __call__(self, event: Event, **values: object) -> None:
        assert set(values) <= set(event.fields), (event.number, values)
        self.events.append((event.number, values))

    def numbers(self) -> list[int]:
        return [number for number, _ in self.events]


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """A job whose deliveries are planned."""

    job_id: str
    study_uid: str
    series_uid: str
    sop_instance_uids: tuple[str, ...]
    paths: tuple[Path, ...]

    def group(self, destination: str = "pacs", generation: int = 1) -> DeliveryGroup:
        return DeliveryGroup(job_id=self.job_id, destination=destination, generation=generation)


def node_of(data: Path, *peers: DimsePeerSettings, **delivery: Any) -> NodeSettings:
    """Settings of a node with these peers."""
    return NodeSettings.model_validate(
        {
            "data": data,
            "peers": [peer.model_dump() for peer in peers],
            "delivery": {"release": "auto", **delivery},
        }
    )


def journal_in(data: Path) -> Engine:
    """The journal of a data folder; quick, since no test here takes the power away."""
    data.mkdir(parents=True, exist_ok=True)
    engine = open_journal(journal_url(data, None))
    engine.dispose()
    sa.event.listen(
        engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF")
    )
    return engine


def segmentation_file(  # noqa: PLR0913 - one per property of the object
    path: Path,
    study_uid: str,
    series_uid: str,
    uid: str,
    *,
    size_bytes: int = 4000,
    is_compressed: bool = False,
    sop_class_uid: str = SegmentationStorage,
) -> str:
    """Write an object, by default of the segmentation class; answers its SHA-256.

    A compressed one holds two frames of 64 x 64 with 0 and 1; `size_bytes` does not count there.
    """
    dataset = Dataset()
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = uid
    dataset.StudyInstanceUID = study_uid
    dataset.SeriesInstanceUID = series_uid
    dataset.PatientID = "CANARY-ID"
    dataset.PatientName = "CANARY^NAME"
    dataset.Modality = "SEG"
    dataset.Rows = dataset.Columns = 64
    dataset.PixelData = (uid.encode() * (size_bytes // len(uid) + 1))[: size_bytes // 2 * 2]
    dataset["PixelData"].VR = "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if is_compressed:
        dataset.NumberOfFrames, dataset.SamplesPerPixel = 2, 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.PixelRepresentation = 0
        dataset.PixelData = (bytes(1000) + bytes(range(2)) * 200).ljust(2 * 64 * 64, b"\0")
        compress(dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def plan_job(  # noqa: PLR0913 - one per property of the job
    engine: Engine,
    data: Path,
    name: str = "a",
    *,
    destinations: Sequence[str] = ("pacs",),
    objects: int = 2,
    is_compressed: bool = False,
    reports: int = 0,
    **choices: Any,
) -> PlannedJob:
    """Write the files of a job, its rows, and plan its deliveries (`release`, `now`).

    The first `reports` objects are of the report's class, the others segmentations.
    """
    choices = {"release": "auto", "now": START, **choices}
    job_id = hashlib.sha256(name.encode()).hexdigest()
    study_uid, series_uid = derived_uid(name, "study"), derived_uid(name, "series")
    uids = tuple(sorted(derived_uid(name, str(number)) for number in range(objects)))
    paths = tuple(data / "results" / job_id / f"{number}.dcm" for number in range(objects))
    with transaction(engine) as c:
        insert(c, "job", job_id=job_id, study_uid=study_uid, state="succeeded")
        for number, (uid, path) in enumerate(zip(uids, paths, strict=True)):
            kind = MEASUREMENT_REPORT if number < reports else SEMANTIC
            insert(
                c,
                "result",
                job_id=job_id,
                name=path.name,
                kind=kind.group,
                path=str(path.relative_to(data)),
                digest=segmentation_file(
                    path,
                    study_uid,
                    series_uid,
                    uid,
                    is_compressed=is_compressed,
                    sop_class_uid=kind.sop_class_uid,
                ),
                sop_class_uid=kind.sop_class_uid,
                sop_instance_uid=uid,
                series_uid=series_uid,
            )
        plan(c, job_id, uids, destinations=destinations, **choices)
    return PlannedJob(
        job_id=job_id,
        study_uid=study_uid,
        series_uid=series_uid,
        sop_instance_uids=uids,
        paths=paths,
    )


def delivery_rows(engine: Engine, job: PlannedJob, destination: str = "pacs") -> list[Any]:
    """The job's deliveries, by SOP Instance UID."""
    with reading(engine) as c:
        return list(
            c.execute(
                sa.select(DELIVERY)
                .where(DELIVERY.c.job_id == job.job_id, DELIVERY.c.destination == destination)
                .order_by(DELIVERY.c.sop_instance_uid)
            )
        )


def states_of(engine: Engine, job: PlannedJob, destination: str = "pacs") -> list[str]:
    """States of the job's deliveries, by SOP Instance UID."""
    return [row.state for row in delivery_rows(engine, job, destination)]
