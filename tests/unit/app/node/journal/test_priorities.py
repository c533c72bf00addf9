"""One job before all others: only one that waits, once, and under a new number of its run."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from app.node.journal.engine import transaction
from app.node.journal.priorities import NEXT, run_next
from app.node.journal.states import JobState
from app.node.journal.tables import JOB
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal

WAITS = {JobState.WAITING, JobState.QUEUED}


@pytest.mark.parametrize("state", JobState)
def test_a_job_that_waits_is_raised_once(tmp_path: Path, state: JobState):
    engine = empty_journal(tmp_path)
    with transaction(engine) as c:
        insert(c, "job", state=state, run_number=3)
        insert(c, "job", job_id="j2", state="waiting", run_number=1)
        assert run_next(c, "j1", 9.0) == (state in WAITS)
        assert not run_next(c, "j1", 9.0)
        assert not run_next(c, "unknown", 9.0)
        rows = {row.job_id: row for row in c.execute(sa.select(JOB))}
    engine.dispose()
    raised = (NEXT, 4, "waiting")
    found = (rows["j1"].priority, rows["j1"].run_number, rows["j1"].state)
    assert found == (raised if state in WAITS else (50, 3, state))
    assert (rows["j2"].priority, rows["j2"].run_number) == (50, 1)
