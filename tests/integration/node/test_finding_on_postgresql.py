"""Search, selection and what is outdated: the same SQL on the other database."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.node.journal import delivery_decisions
from app.node.journal.attention import Circumstances, read_attention
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.journal.overview import deliveries_of_study, find_job
from app.node.journal.patients import PatientAttributes, StudyArrival, forget_patients, note_study
from app.node.journal.priorities import run_next
from app.node.journal.prospects import prospect_of
from app.node.journal.replaced import withdraw_replaced
from app.node.journal.rows import Window
from app.node.journal.studies import STATES, find_studies
from app.node.journal.study_rows import Day, Wanted
from app.node.journal.tables import JOB_INPUT
from tests.builders import postgres
from tests.builders.journal_rows import insert


@pytest.mark.skipif(not postgres.can_run(), reason="PostgreSQL is not installed (make peers)")
def test_studies_are_found_and_outdated_results_kept_back(tmp_path: Path) -> None:
    with postgres.postgres_server() as server:
        engine = open_journal(journal_url(tmp_path, server.new_database()))
        with transaction(engine) as c:
            for at, name in ((1.5, "MÜLLER^Jörg"), (7.25, "ROE^JANE")):
                patient = PatientAttributes(
                    patient_name=name, patient_id="A_1", study_date="20240110"
                )
                note_study(
                    c,
                    StudyArrival(
                        study_uid="1.2.3", calling_ae_title="MR", at=at, is_image=True,
                        patient=patient,
                    ),
                )  # fmt: skip
            insert(c, "study", study_uid="2", arrived_at=3.0)
            insert(c, "instance", received_at=2.0)
            c.execute(
                JOB_INPUT.insert().values(
                    job_id="j1", sop_instance_uid="1.2.3.1.1", digest="0" * 64
                )
            )
            insert(c, "job", state="succeeded", created_at=2.5, finished_at=3.0)
            insert(c, "delivery", state="delivered")
            insert(c, "delivery", delivery_id="d2", destination="x", state="held")
            insert(
                c, "job", job_id="j2", state="queued", created_at=8.0, revision=2,
                predecessor_job_id="j1",
            )  # fmt: skip

            def found(**wanted: object) -> list[str]:
                page = find_studies(c, Wanted(**wanted), limit=9)  # type: ignore[arg-type]
                return [row.study_uid for row in page.rows]

            assert found() == ["1.2.3", "2"]
            assert found(name="roe, j") == ["1.2.3"]
            assert (found(patient_id="A_*"), found(patient_id="a_1")) == (["1.2.3"], [])
            day = Day(digits="20240110", begin=0.0, end=9.0)
            assert found(first=day, last=day) == ["1.2.3", "2"]
            first = find_studies(c, Wanted(), limit=1)
            assert find_studies(c, Wanted(), limit=1, place=first.older).rows[0].study_uid == "2"
            assert [state for state in STATES if found(state=state) == ["1.2.3"]] == [
                "working", "to_release", "delivered", "changed_patient",
            ]  # fmt: skip

            counts = {row.kind: row.count for row in read_attention(c, Circumstances())}
            assert (counts["delivery_wrong_patient"], counts["delivery_superseded"]) == (1, 0)
            rows = deliveries_of_study(c, "1.2.3", Window())
            assert {row.replaced_by_revision for row in rows} == {2}
            assert {row.is_of_another_patient for row in rows} == {True}
            assert not delivery_decisions.release(c, "d2", 9.0)
            assert run_next(c, "j2", 9.0)
            waiting = find_job(c, "j2")
            assert waiting is not None
            told = prospect_of(c, waiting, now=9.0, lease_s=30.0)
            assert told is not None
            assert (told.position, told.obstacle) == (1, "no_worker")
            assert withdraw_replaced(c, "j2", 9.0) == 1
            assert forget_patients(c, float("inf"), 10) == 1
        engine.dispose()
