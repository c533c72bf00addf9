"""Odd studies by folder and through the listener: segmented, or refused by one and the same name.

The whole graph with stand-in networks; real sockets, spool, journal and engine.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pynetdicom import AE

from app.run.execute import Job, execute
from operators.dicom.reading.series import scan
from operators.dicom.selection.outlook import as_json
from operators.dicom.selection.series_selection import decide
from tests.builders.counting_pacs import CountingPacs, counting_pacs
from tests.builders.killable_node import KillableNode, killable_node
from tests.builders.odd_studies import STUDIES, OddStudy
from tests.builders.stub_models import stub_bundle
from tests.builders.waiting import comes_true

CLOCK = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PER_STACK = 2
"""Segmentations; the PACS takes no reports."""
EACH = pytest.mark.parametrize("name", STUDIES)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every study in a folder of its own."""
    made = {}
    for name, study in STUDIES.items():
        made[name] = tmp_path_factory.mktemp("study")
        study.write(made[name], name)
    return made


@EACH
def test_a_folder_is_segmented_or_refused_by_its_name(
    name: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    study = STUDIES[name]
    record = execute(Job(source=folders[name], output=tmp_path, started=CLOCK), stub_bundle())
    assert record.exit_code == study.code
    objects = sorted(tmp_path.glob("*.dcm"))
    assert len(objects) == (PER_STACK + 1) * study.stacks  # and a report
    uids = {pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in objects}
    assert len(uids) == len(objects)
    if study.reason:
        errors = [record.error, *(entry.error for entry in record.series)]
        assert study.reason in {reason for error in errors if error for reason in error.reasons}


@EACH
def test_explain_promises_what_run_does(name: str, folders: dict[str, Path]) -> None:
    study = STUDIES[name]
    rows = as_json(decide(scan(folders[name]).series))
    is_promised = any(row["accepted"] for row in rows)
    # What only the pixels tell, headers cannot promise.
    assert is_promised == (study.stacks > 0 or name == "constant image")
    if study.reason and not is_promised:
        assert study.reason in {reason["name"] for row in rows for reason in row["reasons"]}


@dataclass
class Arrived:
    """What became of the studies that were sent."""

    node: KillableNode
    pacs: CountingPacs
    statuses: dict[str, Counter[int]] = field(default_factory=dict)

    def series(self, folder: Path) -> list[tuple[str, str, str]]:
        """State, decision and completeness of every series of a folder."""
        uids = {
            str(pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID)
            for path in folder.rglob("*.dcm")
        }
        rows = self.node.journal.rows(
            "SELECT series_uid, state, decision, completeness FROM series"
        )
        return [(state, *told) for uid, state, *told in rows if uid in uids]

    def jobs(self, folder: Path) -> list[tuple[str, dict[str, Any]]]:
        """State and record of every job about a folder."""
        uids = {
            str(pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID)
            for path in folder.rglob("*.dcm")
        }
        rows = self.node.journal.rows("SELECT series_uid, state, record FROM job")
        return [(state, json.loads(record)) for uid, state, record in rows if uid in uids]

    def names(self, folder: Path) -> set[str]:
        """Every reason that the page shows for a folder."""
        rows = self.series(folder)
        told = {
            reason["name"]
            for _, decision, _ in rows
            for reason in json.loads(decision).get("reasons", ())
        }
        told |= {name for _, _, readiness in rows for name in json.loads(readiness)["reasons"]}
        errors = [
            error
            for _, record in self.jobs(folder)
            for error in (record.get("error"), *(e["error"] for e in record.get("series", ())))
        ]
        return told | {reason for error in errors if error for reason in error["reasons"]}


def send(port: int, folder: Path) -> Counter[int]:
    """Every file of a folder on one association, as a scanner does."""
    entity = AE("SCANNER")
    paths = sorted(folder.rglob("*.dcm"))
    classes = {pydicom.dcmread(p, stop_before_pixels=True).SOPClassUID for p in paths}
    for sop_class in classes:
        entity.add_requested_context(sop_class, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port, ae_title="SPINENODE")
    assert association.is_established
    statuses = Counter(association.send_c_store(path).Status for path in paths)
    association.release()
    return statuses


@pytest.fixture(scope="module")
def arrived(
    folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Arrived]:
    """All studies sent to one node, which has come to an end with each."""
    with (
        counting_pacs() as pacs,
        killable_node(
            tmp_path_factory.mktemp("node"),
            pacs,
            child=("--graph",),
            completeness={"quiet_s": 1, "query_after_s": 0.1, "deadline_s": 3},
        ) as node,
    ):
        outcome = Arrived(node, pacs)
        for name, folder in folders.items():
            outcome.statuses[name] = send(node.listener.port, folder)
        expected = PER_STACK * sum(study.stacks for study in STUDIES.values())
        busy = (
            "SELECT 1 FROM series WHERE state = 'receiving' "
            "UNION ALL SELECT 1 FROM job WHERE state IN ('queued', 'running', 'waiting')"
        )
        assert comes_true(lambda: not node.journal.has(busy), 600), node.journal.rows(busy)
        assert comes_true(lambda: len(pacs.kept) >= expected, 60), len(pacs.kept)
        yield outcome


@EACH
@pytest.mark.slow
def test_what_arrives_is_segmented_or_refused_by_the_same_name(
    name: str, folders: dict[str, Path], arrived: Arrived
) -> None:
    study = STUDIES[name]
    uids = {
        str(pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID)
        for path in folders[name].rglob("*.dcm")
    }
    objects = [kept for kept in arrived.pacs.kept.values() if kept.source_series_uid in uids]
    assert len(objects) == PER_STACK * study.stacks
    put_aside = study.on_arrival
    assert arrived.statuses[name][0xB007] == put_aside
    if study.reason and not put_aside:
        assert study.reason in arrived.names(folders[name])
        ends = {state for state, *_ in arrived.series(folders[name])}
        ends |= {state for state, _ in arrived.jobs(folders[name])}
        assert ends & {"rejected", "refused", "held"}


def test_no_study_is_both() -> None:
    for study in STUDIES.values():
        assert isinstance(study, OddStudy)
        assert bool(study.stacks) != bool(study.reason)
