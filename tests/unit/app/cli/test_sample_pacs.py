"""The demo's PACS keeps what it is sent once, and says what it holds."""

from __future__ import annotations

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from app.cli.sample_pacs import AE_TITLE, SamplePacs
from app.node.peers.query import count_instances, find_instances
from app.node.peers.store import read_storable, store_files
from app.research.synthetic.dicom_series import write_study
from app.settings.peers import DimsePeerSettings


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_study(folder, 3)
    return folder


@pytest.fixture
def pacs(tmp_path):
    pacs = SamplePacs(tmp_path / "pacs")
    yield pacs
    pacs.stop()


def peer(port):
    return DimsePeerSettings(name="pacs", ae_title=AE_TITLE, host="127.0.0.1", port=port)


def test_each_object_is_received_once_however_often_it_is_sent(pacs, study):
    files = [read_storable(path) for path in sorted(study.rglob("*.dcm"))[:4]]
    answers = []
    to = peer(pacs.start())
    for _ in range(2):
        store_files(to, "TEST", files, on_answer=lambda _, status: answers.append(status))
    assert answers == [0] * 8
    assert {held.sop_uid for held in pacs.received()} == {file.sop_instance_uid for file in files}
    assert len(pacs.received()) == 4
    syntaxes = {read_storable(held.path).transfer_syntax_uid for held in pacs.received()}
    assert syntaxes == {ExplicitVRLittleEndian}


def test_a_held_study_is_counted_per_series_and_is_not_what_it_received(pacs, study):
    paths = pacs.hold(study)
    to = peer(pacs.start())
    by_series = {}
    for held in pacs._held.values():
        by_series.setdefault((held.study_uid, held.series_uid), set()).add(held.sop_uid)
    assert sum(map(len, by_series.values())) == len(paths)
    for (study_uid, series_uid), uids in by_series.items():
        assert count_instances(to, "TEST", study_uid, series_uid) == len(uids)
        assert find_instances(to, "TEST", study_uid, series_uid) == uids
    assert pacs.received() == ()


def test_an_unknown_series_is_not_known(pacs):
    assert count_instances(peer(pacs.start()), "TEST", "1.2.3", "1.2.3.4") is None
