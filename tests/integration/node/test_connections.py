"""Every association leaves its trace: let in, refused, or with nothing accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import (
    CTImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    MRImageStorage,
    Verification,
)

from app.node.journal.tables import ASSOCIATION, COUNTER
from tests.builders.listener import RunningListener, running_listener
from tests.builders.mr_series import make_series
from tests.builders.waiting import eventually

LITTLE = "1.2.840.10008.1.2.1"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RunningListener]:
    with running_listener(tmp_path / "data") as running:
        yield running


@contextmanager
def calling(node: RunningListener, *classes: str, called: str = "NODE") -> Iterator[Association]:
    entity = AE("SCANNER")
    for uid in classes:
        entity.add_requested_context(uid, LITTLE)
    association = entity.associate("127.0.0.1", node.port, ae_title=called)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def rows_of(node: RunningListener, is_enough: Callable[[list[dict[str, object]]], bool] = bool):
    eventually(lambda: is_enough(node.rows(ASSOCIATION)))
    return node.rows(ASSOCIATION)


def counters(node: RunningListener, name: str) -> dict[object, object]:
    return {row["label"]: row["value"] for row in node.rows(COUNTER) if row["name"] == name}


def test_a_series_leaves_one_row_with_its_counts(node: RunningListener, tmp_path: Path):
    sent = make_series(tmp_path / "in", slices=3)
    with calling(node, MRImageStorage) as association:
        for path in sent.paths:
            assert association.send_c_store(pydicom.dcmread(path)).Status == 0
    (row,) = rows_of(node)
    assert (row["calling_ae_title"], row["called_ae_title"]) == ("SCANNER", "NODE")
    assert (row["peer_address"], row["outcome"]) == ("127.0.0.1", "released")
    assert (row["objects"], row["statuses"]) == (3, '{"0000": 3}')
    assert {entry["association_id"] for entry in node.instances()} == {row["association_id"]}
    assert counters(node, "associations") == {"released": 1}


def test_a_ct_and_a_presentation_state_are_on_record_as_not_accepted(node: RunningListener):
    with calling(node, CTImageStorage, GrayscaleSoftcopyPresentationStateStorage):
        pass
    (row,) = rows_of(node)
    assert (row["outcome"], row["objects"]) == ("nothing_accepted", 0)
    assert "CT Image Storage" in str(row["rejected_contexts"])
    assert "Grayscale Softcopy Presentation State" in str(row["rejected_contexts"])
    assert counters(node, "contexts") == {"abstract_syntax_not_supported": 2}


def test_a_wrong_title_is_on_record_and_in_the_log_with_title_and_address(node: RunningListener):
    for _ in range(3):
        with calling(node, Verification, called="ELSEWHERE") as association:
            assert association.is_rejected
    (row,) = rows_of(node, lambda rows: sum(int(str(row["repeats"])) for row in rows) == 3)
    assert (row["outcome"], row["called_ae_title"]) == ("called_ae_title_unknown", "ELSEWHERE")
    told = [values for number, values in node.told if number == 101]
    assert told[0]["calling"] == "SCANNER"
    assert (told[0]["called"], told[0]["address"]) == ("ELSEWHERE", "127.0.0.1")
    assert counters(node, "associations") == {"called_ae_title_unknown": 3}


def test_an_association_that_breaks_off_says_so(node: RunningListener):
    with calling(node, Verification) as association:
        association.abort()
    (row,) = rows_of(node)
    assert row["outcome"] == "broken_off"


def test_a_class_that_the_site_never_wants_is_answered_counted_and_not_kept(tmp_path: Path):
    sent = make_series(tmp_path / "in", slices=1)
    dataset = pydicom.dcmread(sent.paths[0])
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    options = {"dropped_sop_classes": [str(CTImageStorage)]}
    with running_listener(tmp_path / "data", **options) as node:
        with calling(node, CTImageStorage, MRImageStorage) as association:
            assert association.send_c_store(dataset).Status == 0
            assert association.send_c_store(pydicom.dcmread(sent.paths[0])).Status == 0
        (row,) = rows_of(node)
        assert (row["objects"], row["statuses"]) == (2, '{"0000": 2}')
        assert node.counters() == {"dropped": 1, "stored": 1}
        assert len(node.files()) == len(node.instances()) == 1
        assert node.incoming() == []
