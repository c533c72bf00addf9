"""New settings while the port is open: open associations stay, the next ones get the new terms."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import CTImageStorage, MRImageStorage, Verification

from tests.builders.listener import RunningListener, running_listener
from tests.builders.mr_series import make_series
from tests.builders.waiting import eventually

LITTLE = "1.2.840.10008.1.2.1"


def associate(node: RunningListener, called: str = "NODE", calling: str = "SCANNER") -> Association:
    entity = AE(calling)
    for uid in (Verification, MRImageStorage, CTImageStorage):
        entity.add_requested_context(uid, LITTLE)
    return entity.associate("127.0.0.1", node.port, ae_title=called)


def accepts(node: RunningListener, **names: str) -> bool:
    association = associate(node, **names)
    if association.is_established:
        association.release()
        return True
    return False


def test_an_open_association_goes_on_and_counts_and_the_next_gets_the_new_terms(tmp_path: Path):
    sent = make_series(tmp_path / "in", slices=3)
    slices = [pydicom.dcmread(path) for path in sent.paths]
    with running_listener(tmp_path / "data") as node:
        before = associate(node)
        assert before.send_c_store(slices[0]).Status == 0
        assert not accepts(node, called="ANOTHER")
        node.renew(
            ae_title="ANOTHER",
            calling_ae_titles=["SCANNER"],
            max_associations=2,
            dropped_sop_classes=[CTImageStorage],
        )
        eventually(lambda: accepts(node, called="ANOTHER"))
        assert not accepts(node, called="NODE")
        assert not accepts(node, called="ANOTHER", calling="STRANGER")
        # The one from before is one of two.
        second = associate(node, called="ANOTHER")
        assert second.is_established
        assert not accepts(node, called="ANOTHER")
        assert [before.send_c_store(item).Status for item in slices[1:]] == [0, 0]
        before.release()
        assert CTImageStorage in {context.abstract_syntax for context in second.accepted_contexts}
        second.release()
        eventually(lambda: accepts(node, called="ANOTHER"))
        assert len(node.instances()) == 3
