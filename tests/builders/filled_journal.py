"""A journal with a series, a job and a delivery in every state, as a busy week leaves it behind."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from app.node.intake.readiness import Readiness, Verdict
from app.node.journal.audit import Deed, record_deed
from app.node.journal.destinations import note_failure, note_success, open_breaker
from app.node.journal.engine import transaction
from app.node.journal.patients import PatientAttributes, keep_patient
from app.node.journal.processes import Heartbeat, beat
from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.journal.tables import COUNTER, JOB_INPUT
from app.run.record import ErrorRecord, ResultRecord, SeriesRecordEntry
from operators.anatomy.levels import LevelName, numbering_text
from operators.dicom.selection.reasons import Reason, against, hint, in_favour
from tests.builders.journal_rows import insert

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection, Engine

NOW: Final = 1_700_000_000.0
STUDY: Final = "1.2.840.1"
PACS, RESEARCH = "pacs", "research"

SLICES_MM: Final = tuple(round(4.4 * n, 2) for n in range(19))
GAP_MM: Final = (30.8, 35.2)
"""Slices 8 and 9 of 19."""

WHOLE: Final = Readiness(
    verdict=Verdict.COMPLETE_PROVEN,
    reasons=("peer_count",),
    present=19,
    expected=19,
    expected_source="c_find",
    places_mm=SLICES_MM,
)
HOLED: Final = Readiness(
    verdict=Verdict.INCOMPLETE,
    reasons=("missing_slice", "fewer_than_at_peer"),
    present=17,
    expected=19,
    expected_source="c_find",
    places_mm=tuple(place for place in SLICES_MM if place not in GAP_MM),
    missing_mm=GAP_MM,
)
GROWING: Final = Readiness(
    verdict=Verdict.WAITING, reasons=(), present=9, places_mm=SLICES_MM[:9], expected=None
)

T2_REASONS: Final = (
    in_favour("sagittal", "up to 3 degrees off the sagittal plane"),
    in_favour("t2_weighted", "TE 102 ms, TR 3500 ms"),
    hint("text_names_spine", "spine", speaks_for=True),
    hint("spine_sized_field_of_view", "long side 320 mm", speaks_for=True),
)
STIR_REASONS: Final = (
    in_favour("sagittal", "up to 3 degrees off the sagittal plane"),
    against("short_inversion_time", "TI 160 ms"),
    hint("fat_suppressed", speaks_for=False),
)

RECORD: Final = ResultRecord(
    status="ok",
    exit_code=0,
    series=(
        SeriesRecordEntry(
            key="series2",
            status="ok",
            files=("series2_semantic.dcm", "series2_instances.dcm"),
            vertebrae=7,
            vertebra_numbers=(2, 3, 4, 5, 6, 7, 8),
            numbering=numbering_text((2,)),
            levels={
                str(n): LevelName(
                    n + 16, 0.991, ("sacrum below the lowest vertebra",), 25, (1.0, 9.0, -32.0 * n)
                ).as_json()
                for n in range(4, 9)
            },
            volumes_ml={"corpus": 212.4, "disc": 61.2, "spinal_canal": 48.0, "sacrum": 101.9},
            durations_s={
                "assemble_volume": 0.8,
                "segment_semantic": 21.4,
                "segment_instances": 9.7,
                "postprocess": 2.2,
                "measure_spine": 0.4,
                "write_segmentation": 1.1,
            },
        ),
    ),
    models={
        "semantic": {"name": "spine_t2w_compact", "version": "1.0.0", "digest": "a" * 64},
        "instance": {"name": "vertebra_instance_compact", "version": "1.0.0", "digest": "b" * 64},
    },
    profile="cpu-fp32",
    duration_s=36.0,
)
REFUSED: Final = ResultRecord(
    status="failed",
    exit_code=12,
    series=(
        SeriesRecordEntry(
            key="series3",
            status="failed",
            error=ErrorRecord(
                code="SPN-1200",
                message="slices are missing",
                reasons=("missing_slice",),
                exit_code=12,
            ),
        ),
    ),
)


def fill(engine: Engine, data: Path | None = None, *, description: str = "") -> None:
    """Write a row of everything.

    Parameters
    ----------
    engine : Engine
        An empty journal.
    data : Path, optional
        Where the overlay of the succeeded job is written; without it, its file is missing.
    description : str
        Prefix of every series description: hostile in some tests.
    """
    with transaction(engine) as c:
        _series(c, description)
        _studies(c, description)
        _jobs(c)
        _deliveries(c)
        for outcome, count in (("stored", 4100), ("duplicate", 210), ("refused_A700", 3)):
            c.execute(COUNTER.insert().values(name="objects", label=outcome, value=count))
        for role, age in (("listener", 1.0), ("worker", 2.0), ("web", 1.5)):
            detail = {"pid": 4000, "associations": 3 if role == "listener" else 0}
            beat(c, Heartbeat(process_id=f"node1:{role}", role=role, beat=NOW - age, detail=detail))
        record_deed(
            c,
            Deed(at=NOW - 300, actor="local", action="job.replay", subject="j-dead", detail="done"),
        )
    if data is not None:
        folder = data / "results" / "j-succeeded"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "series2_semantic.dcm").write_bytes(b"\0" * 128 + b"DICM")


def _studies(c: Connection, prefix: str) -> None:
    """Study with everything in it, and one whose patient nobody knows any more."""
    insert(c, "study", study_uid=STUDY, arrived_at=NOW - 60)
    insert(c, "study", study_uid=f"{STUDY}.900", arrived_at=NOW - 120)
    keep_patient(
        c,
        STUDY,
        PatientAttributes(
            patient_name=f"{prefix}DOE^JANE",
            patient_id="PID-0815",
            birth_date="19700131",
            accession_number="A1001",
            study_date="20231113",
            study_description=f"{prefix}MR lumbar spine",
        ),
    )


def series_uid_of(state: str) -> str:
    """UID of the series in that state."""
    return f"{STUDY}.{list(SeriesState).index(SeriesState(state)) + 1}"


def _series(c: Connection, prefix: str) -> None:
    told: dict[str, tuple[str, Readiness | None, tuple[Reason, ...], int]] = {
        SeriesState.RECEIVING: ("t2_tse_sag lower", GROWING, (), 9),
        SeriesState.HELD: ("t2_tse_sag cervical", HOLED, (), 17),
        SeriesState.REJECTED: ("t2_tirm_sag", WHOLE, STIR_REASONS, 19),
        SeriesState.ACCEPTED: ("t2_tse_sag lumbar", WHOLE, T2_REASONS, 19),
        SeriesState.DISCARDED: ("", WHOLE, T2_REASONS, 19),
    }
    for number, (state, (text, readiness, reasons, count)) in enumerate(told.items(), 1):
        uid = f"{STUDY}.{number}"
        accepted = all(reason.speaks_for or not reason.decides for reason in reasons)
        insert(
            c,
            "series",
            series_uid=uid,
            study_uid=STUDY if number != 2 else f"{STUDY}.900",
            state=state,
            first_instance_at=NOW - 400 + number,
            last_instance_at=NOW - 60 * number,
            last_activity_at=NOW - 60 * number,
            description=f"{prefix}{text}",
            modality="MR",
            revision=2 if state == SeriesState.ACCEPTED else 1,
            expected_count=19 if state == SeriesState.HELD else None,
            expected_source="c_find" if state == SeriesState.HELD else None,
            completeness=json.dumps(readiness.as_json() if readiness else {}),
            decision=json.dumps(_decision(reasons, accepted=accepted) if reasons else {}),
        )
        for n in range(count):
            insert(
                c,
                "instance",
                sop_instance_uid=f"{uid}.{n}",
                series_uid=uid,
                study_uid=STUDY,
                path=f"series/aa/{number}/{n}.dcm",
            )
    insert(
        c,
        "instance",
        sop_instance_uid="9.9.9",
        series_uid="",
        state="quarantined",
        path="q.dcm",
        received_at=NOW - 7200,
    )


def _decision(reasons: tuple[Reason, ...], *, accepted: bool) -> dict[str, object]:
    return {
        "accepted": accepted,
        "frames": 19,
        "frames_taken": 19 if accepted else 0,
        "problems": ["duplicate_instances: 1 of 20 files"],
        "reasons": [asdict(reason) for reason in reasons],
    }


def _jobs(c: Connection) -> None:
    told: dict[str, dict[str, object]] = {
        JobState.WAITING: {"created_at": NOW - 5},
        JobState.QUEUED: {"created_at": NOW - 90, "priority": 10},
        JobState.RUNNING: {"step": "segment_semantic", "fraction": 0.42, "attempts": 0},
        JobState.SUCCEEDED: {
            "finished_at": NOW - 1200,
            "step": "publish",
            "fraction": 1.0,
            "record": json.dumps(RECORD.as_dict()),
            "predecessor_job_id": "j-earlier",
            "revision": 2,
        },
        JobState.REFUSED: {
            "finished_at": NOW - 1100,
            "revision": 3,
            "step": "assemble_volume",
            "error_code": "SPN-1200",
            "error_message": "slices are missing",
            "record": json.dumps(REFUSED.as_dict()),
        },
        JobState.DEAD: {
            "finished_at": NOW - 800,
            "revision": 3,
            "step": "segment_instances",
            "attempts": 3,
            "error_code": "SPN-9400",
            "error_message": "The inference process died, hung or used too much memory.",
        },
        JobState.CANCELLED: {"finished_at": NOW - 700, "cancel_requested": 1},
    }
    begun = {JobState.WAITING: None, JobState.QUEUED: None}
    for state, values in told.items():
        job = {
            "job_id": f"j-{state}",
            "series_uid": series_uid_of(SeriesState.ACCEPTED),
            "study_uid": STUDY,
            "state": state,
            "created_at": NOW - 1300,
            "started_at": begun.get(JobState(state), NOW - 1240),
            "worker_id": None if state in begun else "node1:0",
        }
        insert(c, "job", **job | values)
    for n in range(19):
        uid = f"{STUDY}.4.{n}"
        c.execute(JOB_INPUT.insert().values(job_id="j-succeeded", sop_instance_uid=uid, digest="0"))
    for name, number in (("semantic", 1), ("instances", 2)):
        insert(
            c,
            "result",
            job_id="j-succeeded",
            name=f"series2_{name}.dcm",
            path=f"results/j-succeeded/series2_{name}.dcm",
            sop_instance_uid=f"2.25.{number}",
            size_bytes=1_234_567,
        )
    insert(
        c,
        "result",
        job_id="j-succeeded",
        name="series2_overlay.png",
        kind="overlay",
        path="results/j-succeeded/series2_overlay.png",
        sop_instance_uid="",
        size_bytes=345_678,
    )


def _deliveries(c: Connection) -> None:
    told: dict[str, dict[str, object]] = {
        DeliveryState.HELD: {},
        DeliveryState.QUEUED: {
            "attempts": 4,
            "next_attempt_at": NOW + 75,
            "last_error": "unreachable",
        },
        DeliveryState.SENT: {"attempts": 1, "sent_at": NOW - 12, "last_status": 0},
        DeliveryState.DELIVERED: {
            "attempts": 1,
            "sent_at": NOW - 900,
            "delivered_at": NOW - 899,
            "confirmed_by": "c_find",
            "last_status": 0,
        },
        DeliveryState.PARKED: {"attempts": 1, "last_status": 0x0122, "last_error": "status_0122"},
        DeliveryState.DEAD: {
            "attempts": 2,
            "last_status": 0xC000,
            "last_error": "status_C000",
            "generation": 2,
        },
        DeliveryState.DISCARDED: {},
        DeliveryState.DECLINED: {"attempts": 1, "last_error": "context_refused"},
    }
    for number, (state, values) in enumerate(told.items()):
        delivery = {
            "delivery_id": f"d-{state}",
            "job_id": "j-succeeded",
            "state": state,
            "destination": RESEARCH if number % 3 == 1 else PACS,
            "sop_instance_uid": f"2.25.{1 + number % 2}",
            "created_at": NOW - 1000 + number,
        }
        insert(c, "delivery", **delivery | values)
    insert_destinations(c)


def insert_destinations(c: Connection) -> None:
    """One that works, one that is paused."""
    note_success(c, PACS, NOW - 900)
    for _ in range(6):
        note_failure(c, RESEARCH, NOW - 30, error="unreachable")
    open_breaker(c, RESEARCH, NOW + 75)
