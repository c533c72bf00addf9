"""Canaries go through the whole node; none may sing where others read.

Names, numbers, texts and UIDs of the patient's study may stand in the archive's own index and on
the page behind the node's door. They may not stand in logs, metrics, file names, the job engine's
database, or any column of the journal that is not the index.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage, SegmentationStorage

from tests.builders.counting_pacs import CountingPacs, counting_pacs
from tests.builders.killable_node import KillableNode, killable_node, peer_entry
from tests.builders.mr_series import MadeSeries
from tests.builders.node_processes import NodeProcess, role_command
from tests.builders.stub_models import spine_series
from tests.builders.waiting import comes_true

CANARY = "CANARY"
TEXTS = {
    "PatientName": f"{CANARY}NAME^ADA",
    "PatientID": f"{CANARY}ID4711",
    "PatientComments": f"{CANARY}COMMENT",
    "OtherPatientNames": f"{CANARY}OTHER^NAME",
    "AccessionNumber": f"{CANARY}ACC",
    "StudyID": f"{CANARY}STUDYID",
    "StudyDescription": f"{CANARY}STUDYTEXT",
    "InstitutionName": f"{CANARY}HOUSE",
    "ReferringPhysicianName": f"{CANARY}DOC^BOB",
    "ProtocolName": f"{CANARY}PROTOCOL t2_tse_sag",
}

ARCHIVE_INDEX = {
    "instance": {"sop_instance_uid", "series_uid", "study_uid"},
    "study": {"study_uid"},
    "patient": {
        "study_uid",
        "patient_name",
        "name_key",
        "patient_id",
        "accession_number",
        "study_description",
    },
    "series": {"series_uid", "study_uid", "description", "decision"},
    "job": {"series_uid", "study_uid"},
    "job_input": {"sop_instance_uid"},
    "result": {"sop_instance_uid", "series_uid"},
    "delivery": {"sop_instance_uid"},
    "audit": {"subject"},
    "level_correction": {"series_uid"},
    "level_neighbours": {"series_uid"},
}
"""Columns that are there to find the patient's study again."""


@dataclass
class Trial:
    """A node after the canaries went through."""

    node: KillableNode
    web: NodeProcess
    folder: Path
    uids: set[str]

    def logs(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def secrets(self) -> set[str]:
        return {CANARY, *self.uids}

    def found_in(self, text: str) -> list[str]:
        return sorted({secret[:12] for secret in self.secrets() if secret in text})


def canary_series(folder: Path, description: str, **changes: object) -> MadeSeries:
    tags = {
        **TEXTS,
        "SeriesDescription": f"{CANARY}SERIES {description}",
        "ImagesInAcquisition": 8,
        **dict(changes.pop("tags", {})),
    }
    return spine_series(
        folder / description, slices=8, name=description, study=description, tags=tags, **changes
    )


def uids_of(path: Path) -> set[str]:
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    keywords = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
    return {str(dataset[word].value) for word in keywords if dataset.get(word)}


def send(port: int, *items: Path | Dataset) -> list[int]:
    entity = AE("STUBBORN")
    entity.add_requested_context(MRImageStorage, "1.2.840.10008.1.2.1")
    entity.add_requested_context(SegmentationStorage, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port, ae_title="SPINENODE")
    assert association.is_established
    statuses = [association.send_c_store(item).Status for item in items]
    association.release()
    return statuses


def broken_objects(path: Path) -> tuple[Dataset, ...]:
    """Objects that arrive, but cannot be filed as they are."""
    without_series, hostile, unreadable = (pydicom.dcmread(path) for _ in range(3))
    with pydicom.config.disable_value_validation():
        del without_series.SeriesInstanceUID
        hostile.SeriesInstanceUID = f"../../{CANARY}/1.2"
        unreadable.ImagePositionPatient = None
        unreadable.add_new(0x00280010, "LO", f"{CANARY}ROWS")
    for number, dataset in enumerate((without_series, hostile, unreadable)):
        dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID[:40]}.77{number}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return without_series, hostile, unreadable


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder = tmp_path_factory.mktemp("canaries")
    refusal = Dataset()
    refusal.Status, refusal.ErrorComment = 0xC123, f"no {CANARY}NAME wanted here"
    with counting_pacs() as pacs, counting_pacs(refusal=refusal) as rude:
        sections = {
            "peers": [peer_entry("pacs", pacs), peer_entry("rude", rude)],
            "routes": [{"destinations": ["pacs", "rude"]}],
            "worker": {"lease_s": 2, "retry_after_s": 0.1, "attempts": 2},
            "web": {"port": 0},
        }
        with killable_node(folder, pacs, child=("--work", "0"), **sections) as node:
            web = NodeProcess("web", role_command("web", node.config), folder / "web.log")
            web.start()
            try:
                web.wait_ready()
                yield Trial(node, web, folder, let_fly(folder, node, pacs))
            finally:
                web.kill()


def let_fly(folder: Path, node: KillableNode, pacs: CountingPacs) -> set[str]:
    """Send everything, wait until the node has nothing left to do; all UIDs involved."""
    cage = folder / "cage"
    made = [
        canary_series(cage, "good"),
        canary_series(cage, "stub-refuse"),
        canary_series(cage, "stub-crash"),
        canary_series(cage, "t1", echo_times=(9.0,), tags={"RepetitionTime": 500.0}),
        canary_series(cage, "derived", tags={"ImageType": ["DERIVED", "SECONDARY", "MPR"]}),
    ]
    port = node.listener.port
    for series in made:
        assert set(send(port, *series.paths)) == {0}
    send(port, made[0].paths[0])
    send(port, *broken_objects(made[0].paths[0]))
    jobs = "SELECT count(*) FROM job WHERE state IN ('succeeded', 'refused', 'dead')"
    sent = "SELECT count(*) FROM delivery WHERE state IN ('delivered', 'dead', 'parked')"
    rejected = "SELECT count(*) FROM series WHERE state = 'rejected'"
    assert comes_true(
        lambda: [node.journal.rows(query)[0][0] for query in (jobs, sent, rejected)] == [3, 4, 2],
        60,
        every_s=0.2,
    ), [node.journal.rows(query) for query in (jobs, sent, rejected)]
    uids = {uid for series in made for path in series.paths for uid in uids_of(path)}
    for kept in list(pacs.kept.values()):
        uids |= {kept.series_uid, kept.sop_instance_uid}
    return uids


def test_all_three_fates_of_a_job_and_both_of_a_delivery_were_met(trial: Trial):
    rows = trial.node.journal.rows
    assert sorted(rows("SELECT state FROM job")) == [("dead",), ("refused",), ("succeeded",)]
    assert sorted(rows("SELECT DISTINCT destination, state FROM delivery")) == [
        ("pacs", "delivered"),
        ("rude", "dead"),
    ]


def test_derived_images_and_own_results_that_come_back_trigger_nothing(trial: Trial):
    jobs = trial.node.journal.rows("SELECT count(*) FROM job")
    results = sorted((trial.node.data / "results").rglob("*.dcm"))
    assert len(results) == 2
    assert send(trial.node.listener.port, *results) == [0, 0]
    foreign = pydicom.dcmread(results[0])
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        setattr(foreign, keyword, f"{foreign[keyword].value[:40]}.77")
    foreign.file_meta.MediaStorageSOPInstanceUID = foreign.SOPInstanceUID
    assert send(trial.node.listener.port, foreign) == [0]
    trial.uids |= {str(foreign.SOPInstanceUID), str(foreign.SeriesInstanceUID)}
    query = "SELECT state, decision FROM series WHERE series_uid = '%s'"
    own = str(pydicom.dcmread(results[0]).SeriesInstanceUID)
    assert trial.node.journal.rows(query % own) == []
    ((state, decision),) = trial.node.journal.rows(query % foreign.SeriesInstanceUID)
    assert state == "rejected"
    assert "not_an_image" in decision
    derived = trial.node.journal.rows(
        "SELECT decision FROM series WHERE state = 'rejected' AND description LIKE '%derived'"
    )
    assert "derived" in derived[0][0].lower()
    assert trial.node.journal.rows("SELECT count(*) FROM job") == jobs


def test_errors_of_the_page_do_not_repeat_what_was_asked(trial: Trial):
    (series_uid,) = trial.node.journal.rows("SELECT series_uid FROM series LIMIT 1")[0]
    with httpx.Client(base_url=f"http://127.0.0.1:{trial.web.port}", timeout=10) as client:
        for path in (
            "/",
            "/arrivals",
            "/jobs",
            f"/series/{series_uid}",
            f"/jobs/{CANARY}",
            f"/jobs/{CANARY}/files/{CANARY}.png",
            f"/{CANARY}?name={CANARY}",
            f"/api/v1/series/{CANARY}",
            f"/api/v1/series?state={CANARY}",
            f"/arrivals?offset={CANARY}",
        ):
            assert client.get(path).status_code < 500, path
        for path in (f"/actions/series/{CANARY}", f"/api/v1/series/{series_uid}/discard"):
            assert client.post(path, data={"csrf_token": CANARY}).status_code in range(400, 500)
        done = client.post(f"/api/v1/series/{series_uid}/discard", headers={"X-Spine-Node": "test"})
        assert done.status_code == 200, done.text
        refused = client.get("/", headers={"Host": f"{CANARY}.example.org"})
        assert refused.status_code in range(400, 500)
    assert trial.found_in(trial.logs()) == []


def test_logs_tell_events_of_every_process_and_no_canary(trial: Trial):
    lines = trial.logs().splitlines()
    numbers = {json.loads(line)["number"] for line in lines if line.startswith("{")}
    assert {110, 113, 301, 303, 312, 313, 315, 402, 502, 505} <= numbers
    assert trial.found_in("\n".join(lines)) == []
    assert [line for line in lines if not line.startswith("{")] == []


def test_metrics_and_probes_hold_no_canary(trial: Trial):
    with httpx.Client(base_url=f"http://127.0.0.1:{trial.web.port}", timeout=10) as client:
        for path in ("/metrics", "/healthz", "/readyz", "/api/v1/status", "/api/v1/destinations"):
            answer = client.get(path)
            assert answer.text
            assert trial.found_in(answer.text) == [], path


def test_no_column_of_the_journal_outside_the_index_holds_a_canary(trial: Trial):
    seen = 0
    with closing(sqlite3.connect(trial.node.journal.path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            cursor = connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - from the schema
            names = [column[0] for column in cursor.description]
            for row in cursor:
                for name, value in zip(names, row, strict=True):
                    if name in ARCHIVE_INDEX.get(table, ()):
                        continue
                    seen += isinstance(value, str)
                    assert trial.found_in(str(value)) == [], f"{table}.{name}"
    assert seen > 100


def test_the_index_itself_does_hold_them_so_this_search_can_find_something(trial: Trial):
    for table, column in (("series", "description"), ("instance", "sop_instance_uid")):
        values = trial.node.journal.rows(f"SELECT {column} FROM {table}")  # noqa: S608 - constants
        assert trial.found_in(str(values)), table


def test_the_engine_s_database_holds_no_canary(trial: Trial):
    files = [path for path in trial.node.data.glob("queue.db*") if not path.name.endswith("-shm")]
    assert files
    for path in files:
        assert trial.found_in(path.read_bytes().decode("latin-1")) == [], path.name


def test_no_file_is_named_after_a_patient(trial: Trial):
    names = [str(path.relative_to(trial.node.data)) for path in trial.node.data.rglob("*")]
    assert len(names) > 30
    assert trial.found_in("\n".join(names)) == []
