"""C-ECHO, C-STORE, C-FIND and C-MOVE against Orthanc."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from app.errors import PeerRefusedError
from app.node.peers.dimse import echo
from app.node.peers.move import MoveOutcome, move_series
from app.node.peers.query import count_instances, find_instances
from app.node.peers.store import read_storable, store_files
from app.settings.peers import DimsePeerSettings
from tests.builders.faulty_pacs import FaultyPacs, faulty_pacs
from tests.builders.mr_series import MadeSeries, make_series
from tests.builders.orthanc import HOST, Orthanc, needs_orthanc, running_orthanc

pytestmark = needs_orthanc


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("pacs"), UnknownSopClassAccepted=True) as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, pacs: Orthanc) -> MadeSeries:
    series = make_series(tmp_path_factory.mktemp("series"))
    for path in series.paths:
        pacs.upload(path)
    return series


def peer_of(pacs: Orthanc) -> DimsePeerSettings:
    return DimsePeerSettings(name="pacs", ae_title=pacs.ae_title, host=HOST, port=pacs.dicom_port)


def test_orthanc_answers_c_echo(pacs: Orthanc) -> None:
    echo(peer_of(pacs), "SPINENODE")


def test_the_number_of_images_of_a_series_is_what_orthanc_holds(
    pacs: Orthanc, made: MadeSeries
) -> None:
    count = count_instances(peer_of(pacs), "SPINENODE", made.study_uid, made.series_uid)
    assert count == len(made.paths) == 12


def test_a_series_that_orthanc_does_not_know_has_no_count_and_no_instances(
    pacs: Orthanc, made: MadeSeries
) -> None:
    assert count_instances(peer_of(pacs), "SPINENODE", made.study_uid, "1.2.3") is None
    assert find_instances(peer_of(pacs), "SPINENODE", made.study_uid, "1.2.3") == set()


def test_the_instances_of_a_series_are_listed_by_their_uid(pacs: Orthanc, made: MadeSeries) -> None:
    found = find_instances(peer_of(pacs), "SPINENODE", made.study_uid, made.series_uid)
    assert found == set(made.sop_instance_uids)


@pytest.mark.parametrize("uid", ["", "*", "1.2.*", "1.2\\1.3", "1" * 65, "abc"])
def test_a_key_that_would_match_more_than_one_series_is_never_sent(pacs: Orthanc, uid: str) -> None:
    for call in (count_instances, find_instances, move_series):
        with pytest.raises(PeerRefusedError, match="only valid UIDs"):
            call(peer_of(pacs), "SPINENODE", "1.2.3", uid)


def test_orthanc_sends_a_series_to_us_at_our_wish(pacs: Orthanc, made: MadeSeries) -> None:
    with faulty_pacs() as ours:
        assert isinstance(ours, FaultyPacs)
        pacs.set_modality("node", "FAULTY", ours.port)
        outcome = move_series(peer_of(pacs), "FAULTY", made.study_uid, made.series_uid)
    assert outcome == MoveOutcome(completed=12, failed=0)
    assert sorted(ours.held) == sorted(made.sop_instance_uids)


def test_a_move_to_somebody_orthanc_does_not_know_is_refused(
    pacs: Orthanc, made: MadeSeries
) -> None:
    with pytest.raises(PeerRefusedError, match="answered C-MOVE with 0x"):
        move_series(peer_of(pacs), "NOBODY", made.study_uid, made.series_uid)


def test_a_move_of_a_series_orthanc_does_not_know_sends_nothing(pacs: Orthanc) -> None:
    with faulty_pacs() as ours:
        pacs.set_modality("node", "FAULTY", ours.port)
        with pytest.raises(PeerRefusedError, match="0xC000"):
            move_series(peer_of(pacs), "FAULTY", "1.2.3", "1.2.4")
    assert ours.received == []


def test_a_deliberately_old_uid_with_leading_zeros_can_be_asked_for(pacs: Orthanc) -> None:
    assert count_instances(peer_of(pacs), "SPINENODE", "1.02.003", "1.02.004") is None


def test_what_was_stored_by_c_store_is_the_same_file(pacs: Orthanc, tmp_path: Path) -> None:
    series = make_series(tmp_path)
    files = [read_storable(path) for path in series.paths]
    answers: list[int | None] = []
    store_files(
        peer_of(pacs), "SPINENODE", files, on_answer=lambda _file, status: answers.append(status)
    )
    assert answers == [0x0000] * len(files)
    for file in files[:3]:
        size = len(dcmread(file.path).PixelData)
        assert pacs.file(file.sop_instance_uid)[-size:] == file.path.read_bytes()[-size:]
