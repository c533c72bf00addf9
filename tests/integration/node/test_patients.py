"""Whom a study is about is known once the study is received, and after the journal was lost."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from app.node.archive.rebuilding import rebuild
from app.node.journal.tables import PATIENT, STUDY
from tests.builders.dicom_sender import associated, data_set_of, sop_instance_uid_of
from tests.builders.listener import RunningListener, running_listener
from tests.builders.mr_series import make_series

NAME = "Phantom^Lumbar"


@pytest.fixture
def series(tmp_path: Path) -> list[Path]:
    make_series(tmp_path / "in", slices=3)
    return sorted((tmp_path / "in").iterdir())


def send(node: RunningListener, series: list[Path]) -> None:
    with associated(node.port) as sender:
        for path in series:
            assert sender.offer(data_set_of(path), sop_instance_uid_of(path)) == 0


def rename(path: Path, name: str) -> None:
    image = pydicom.dcmread(path)
    image.PatientName = name
    image.save_as(path)


def names(node: RunningListener) -> list[object]:
    return [row["patient_name"] for row in node.rows(PATIENT)]


def test_a_study_that_comes_again_with_another_name_is_marked(series: list[Path], tmp_path: Path):
    with running_listener(tmp_path / "data") as node:
        send(node, series)
        assert names(node) == [NAME]
        (study,) = node.rows(STUDY)
        assert study["patient_changed_at"] is None
        send(node, series)
        (study,) = node.rows(STUDY)
        assert study["patient_changed_at"] is None
        assert study["calling_ae_title"] == "SENDER"
        # Not the first object of its series on its association.
        rename(series[2], "Somebody^Else")
        send(node, series)
        (study,) = node.rows(STUDY)
        assert study["patient_changed_at"] == study["arrived_at"]
        assert names(node) == ["Somebody^Else"]
        told = str(node.told)
    assert "Phantom" not in told
    assert "Somebody" not in told


def test_a_node_that_keeps_no_patients_knows_its_studies(series: list[Path], tmp_path: Path):
    with running_listener(tmp_path / "data", node={"patients": {"keep": False}}) as node:
        send(node, series)
        assert names(node) == []
        assert len(node.rows(STUDY)) == 1


@pytest.mark.parametrize(("keeps", "known"), [(True, [NAME]), (False, [])])
def test_a_journal_that_was_lost_knows_the_patients_again(
    series: list[Path],
    tmp_path: Path,
    keeps: bool,  # noqa: FBT001 - a parametrised case
    known: list[str],
):
    with running_listener(tmp_path / "data") as node:
        send(node, series)
        before = node.rows(PATIENT)
    (tmp_path / "data" / "journal.db").write_bytes(b"spoilt")
    done = rebuild(tmp_path / "data", "NODE", keeps_patients=keeps)
    assert done.patients == len(known)
    assert [row["study_uid"] for row in node.rows(STUDY)] == [before[0]["study_uid"]]
    assert names(node) == known
