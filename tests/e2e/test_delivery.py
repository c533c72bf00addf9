"""Deliveries by the whole node and its engine, while the PACS and the node itself are killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.node.journal.engine import journal_url, open_journal
from tests.builders.faulty_pacs import HOST, silent_server
from tests.builders.node import Node
from tests.builders.orthanc import Orthanc, needs_orthanc, running_orthanc
from tests.builders.planned_deliveries import plan_job

OBJECTS = 250
OTHERS = 24


def states(node: Node, destination: str) -> list[str]:
    rows = node.rows("delivery")
    return [row["state"] for row in rows if row["destination"] == destination]


@needs_orthanc
@pytest.mark.slow
def test_a_pacs_and_a_node_killed_in_the_middle_beside_a_silent_pacs_end_with_each_object_once(
    tmp_path: Path,
) -> None:
    with running_orthanc(tmp_path) as pacs, silent_server() as silent_port:
        peers = [
            {"name": "silent", "ae_title": "SILENT", "host": HOST, "port": silent_port},
            {"name": "pacs", "ae_title": pacs.ae_title, "host": HOST, "port": pacs.dicom_port},
        ]
        delivery = {"release": "auto", "first_delay_s": 1, "longest_delay_s": 4}
        node = Node(tmp_path / "node", 0, {"peers": peers, "delivery": delivery})
        node.data.mkdir(parents=True)
        engine = open_journal(journal_url(node.data, None))
        for number in range(OTHERS):
            plan_job(engine, node.data, f"s{number}", destinations=["silent"], objects=1)
        job = plan_job(engine, node.data, "big", destinations=["pacs"], objects=OBJECTS)
        engine.dispose()
        try:
            kill_both_in_the_middle(node, pacs)
        finally:
            node.kill()
        assert pacs.sop_instance_uids() == list(job.sop_instance_uids)
        assert pacs.count_instances() == OBJECTS
    rows = [row for row in node.rows("delivery") if row["destination"] == "pacs"]
    assert {row["confirmed_by"] for row in rows} == {"c_find"}
    assert states(node, "silent") == ["queued"] * OTHERS
    log = node.log()
    assert not any(uid in log for uid in (job.study_uid, job.series_uid, *job.sop_instance_uids))


def kill_both_in_the_middle(node: Node, pacs: Orthanc) -> None:
    """The PACS dies after 5 objects and comes back; so does the node after 5 more."""
    node.start()
    node.wait_until(lambda: states(node, "pacs").count("sent") >= 5, 60)
    pacs.kill()
    node.wait_until(lambda: "sending failed" in node.log(), 60)
    kept = states(node, "pacs").count("sent")
    assert 5 <= kept < OBJECTS
    pacs.start()
    node.wait_until(lambda: pacs.count_instances() >= kept + 5, 60)
    node.kill()
    node.start()
    node.wait_until(lambda: set(states(node, "pacs")) == {"delivered"}, 60)
