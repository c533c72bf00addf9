from __future__ import annotations

from pathlib import Path

import pytest

from app.node.journal.deliveries import DeliveryGroup
from app.node.journal.jobs import JobRun
from app.node.work.engine import Ticket
from app.node.work.queue import delivery_id, engine_url, segment_id


def test_the_engine_has_a_file_of_its_own_or_the_sites_database(tmp_path: Path):
    assert engine_url(tmp_path, None) == f"sqlite:///{tmp_path}/queue.db"
    for url in ("postgresql://h/db", "postgres://h/db", "postgresql+psycopg://h/db"):
        assert engine_url(tmp_path, url) == "postgresql://h/db"


def test_ids_of_workflows_name_run_and_generation():
    run = JobRun(job_id="ab", run_number=3, priority=50, state="waiting")
    assert segment_id(run) == "seg:ab:3"
    assert delivery_id(DeliveryGroup(job_id="ab", destination="pacs", generation=2)) == (
        "del:ab:pacs:2"
    )


@pytest.mark.parametrize(
    ("status", "is_active"),
    [
        ("ENQUEUED", True),
        ("PENDING", True),
        ("DELAYED", True),
        ("SUCCESS", False),
        ("ERROR", False),
        ("CANCELLED", False),
        ("MAX_RECOVERY_ATTEMPTS_EXCEEDED", False),
    ],
)
def test_only_workflows_that_will_end_by_themselves_are_active(status: str, *, is_active: bool):
    ticket = Ticket(workflow_id="w", status=status, version="1", executor_id="e")
    assert ticket.is_active is is_active
