from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.errors import SpoolError
from app.node.archive.spool import Spool
from app.node.intake.job_ids import job_id_of
from app.node.journal import corrections, jobs, overview, runs
from app.node.journal.engine import reading, transaction
from app.node.journal.tables import JOB_INPUT
from app.node.telemetry.logs import silent
from app.node.work.segmenting import SegmentDesk
from app.node.work.workfolder import WorkFolders
from operators.anatomy.named_vertebrae import NamedVertebra
from operators.dicom.identity.provenance import Predecessor
from operators.dicom.identity.stack_identity import ONLY_STACK, StackIdentity
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal
from tests.builders.virtual_intake import IDENTITY


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[SegmentDesk]:
    engine = empty_journal(tmp_path)
    folders = WorkFolders(tmp_path, Spool(tmp_path / "spool"))
    (folders.spool.root / "series" / "a.dcm").write_bytes(b"a")
    with transaction(engine) as c:
        insert(c, "series", state="accepted")
        insert(c, "instance", path="series/a.dcm")
        insert(c, "job", clock=86_400.5)
        c.execute(
            JOB_INPUT.insert().values(job_id="j1", sop_instance_uid="1.2.3.1.1", digest="0" * 64)
        )
    yield SegmentDesk(
        engine=engine,
        folders=folders,
        worker_id="w",
        identity=IDENTITY,
        clock=lambda: 5.0,
        emit=silent,
    )
    engine.dispose()


def begun(desk: SegmentDesk) -> runs.RunningJob:
    job = desk.begin("j1", 1)
    assert job is not None
    return job


def progress(engine: Engine) -> tuple[str, float]:
    with reading(engine) as c:
        job = overview.find_job(c, "j1")
    assert job is not None
    return job.step, job.fraction


def test_beginning_twice_links_the_inputs_once_and_asks_for_the_same(desk: SegmentDesk):
    first, second = begun(desk), begun(desk)
    assert desk.request_of(first) == desk.request_of(second)
    request = desk.request_of(first)
    assert [path.read_bytes() for path in request.source.iterdir()] == [b"a"]
    assert request.started == datetime(1970, 1, 2, 0, 0, 0, 500_000, tzinfo=UTC)
    assert request.predecessors == ()


def test_a_cancelled_run_does_not_begin_and_links_nothing(desk: SegmentDesk):
    with transaction(desk.engine) as c:
        jobs.request_cancel(c, "j1", 1.0)
    assert desk.begin("j1", 1) is None
    assert not desk.folders.source("j1").exists()


def test_deleted_images_are_a_named_error(desk: SegmentDesk):
    with transaction(desk.engine) as c:
        c.exec_driver_sql("UPDATE instance SET state = 'deleted'")
    with pytest.raises(SpoolError, match="sent again"):
        desk.begin("j1", 1)


def test_a_revision_names_both_segmentations_it_replaces_by_their_kind(desk: SegmentDesk):
    with transaction(desk.engine) as c:
        insert(c, "job", job_id="j0", state="succeeded")
        insert(c, "result", job_id="j0", name="k_semantic.dcm", sop_instance_uid="2.25.1")
        insert(c, "result", job_id="j0", name="k_instances.dcm", sop_instance_uid="2.25.3")
        insert(c, "result", job_id="j0", name="k_overlay.png", kind="overlay")
        c.exec_driver_sql("UPDATE job SET predecessor_job_id = 'j0' WHERE job_id = 'j1'")
    place = {"study_uid": "1.2.3", "series_uid": "2.25.2"}
    assert desk.request_of(begun(desk)).predecessors == (
        Predecessor(kind="instances", sop_instance_uid="2.25.3", **place),
        Predecessor(kind="semantic", sop_instance_uid="2.25.1", **place),
    )


def test_progress_is_written_and_a_cancelled_run_is_not_wanted_any_more(desk: SegmentDesk):
    job = begun(desk)
    desk.note_progress(job, "postprocess", 0.75)
    assert progress(desk.engine) == ("postprocess", 0.75)
    assert desk.is_wanted("j1", 1)
    assert not desk.is_wanted("j1", 2)
    with transaction(desk.engine) as c:
        jobs.request_cancel(c, "j1", 1.0)
    assert not desk.is_wanted("j1", 1)


def test_a_revision_names_the_results_of_all_earlier_jobs_with_their_stacks(desk: SegmentDesk):
    stack = {"number": 2, "of": 2, "centre_mm": [0.0, 1.0, 2.0]}
    record = {"series": [{"key": "k", "files": ["k_stack2_semantic.dcm"], "stack": stack}]}
    with transaction(desk.engine) as c:
        insert(c, "job", job_id="j-1", state="succeeded")
        insert(c, "result", job_id="j-1", name="k_semantic.dcm", sop_instance_uid="2.25.1")
        insert(
            c,
            "job",
            job_id="j0",
            state="succeeded",
            record=json.dumps(record),
            predecessor_job_id="j-1",
        )
        insert(c, "result", job_id="j0", name="k_stack2_semantic.dcm", sop_instance_uid="2.25.7")
        c.exec_driver_sql("UPDATE job SET predecessor_job_id = 'j0' WHERE job_id = 'j1'")
    latest, oldest = desk.request_of(begun(desk)).predecessors
    assert (latest.kind, latest.sop_instance_uid) == ("semantic", "2.25.7")
    assert latest.stack == StackIdentity(number=2, of=2, centre_mm=(0.0, 1.0, 2.0))
    assert (oldest.sop_instance_uid, oldest.stack) == ("2.25.1", ONLY_STACK)


class TestRunAgainAfterAnUpdate:
    """A job made by another version (its id is not the one of its content today)."""

    @pytest.fixture
    def old(self, desk: SegmentDesk) -> SegmentDesk:
        with transaction(desk.engine) as c:
            insert(c, "result", name="k_semantic.dcm", sop_instance_uid="2.25.1")
            insert(c, "result", name="k_instances.dcm", sop_instance_uid="2.25.3")
            c.exec_driver_sql("UPDATE job SET state = 'succeeded', record = '{}', revision = 4")
            assert jobs.replay(c, "j1", 3.0)
        return desk

    def test_becomes_a_new_job_on_the_same_objects_that_names_the_results_of_the_old_one(
        self, old: SegmentDesk
    ):
        assert old.begin("j1", 2) is None
        assert job_row(old, "j1").state == "succeeded"
        with reading(old.engine) as c:
            (waiting,) = jobs.waiting(c)
        new = job_row(old, waiting.job_id)
        assert new.job_id == job_id_of(IDENTITY, "1.2.3.1", "c" * 64)
        assert (new.predecessor_job_id, new.revision, new.created_at) == ("j1", 4, 5.0)
        assert new.inputs == 1
        begun = old.begin(new.job_id, 1)
        assert begun is not None
        request = old.request_of(begun)
        assert {(p.kind, p.sop_instance_uid) for p in request.predecessors} == {
            ("semantic", "2.25.1"),
            ("instances", "2.25.3"),
        }
        assert request.started.timestamp() == 5.0

    def test_a_second_wish_runs_the_new_job_again_and_makes_no_third(self, old: SegmentDesk):
        old.begin("j1", 2)
        new_id = job_id_of(IDENTITY, "1.2.3.1", "c" * 64)
        with transaction(old.engine) as c:
            c.exec_driver_sql("UPDATE job SET state = 'succeeded' WHERE state != 'succeeded'")
            assert jobs.replay(c, "j1", 6.0)
        assert old.begin("j1", 3) is None
        with reading(old.engine) as c:
            assert [(run.job_id, run.run_number) for run in jobs.waiting(c)] == [(new_id, 2)]
            assert len(overview.list_jobs(c, overview.Window())) == 2

    def test_the_new_job_run_again_by_the_same_version_asks_for_the_very_same(
        self, old: SegmentDesk
    ):
        old.begin("j1", 2)
        new_id = job_id_of(IDENTITY, "1.2.3.1", "c" * 64)
        first = old.begin(new_id, 1)
        assert first is not None
        asked = old.request_of(first)
        with transaction(old.engine) as c:
            insert(c, "result", job_id=new_id, name="k_semantic.dcm", sop_instance_uid="2.25.7")
            c.exec_driver_sql("UPDATE job SET state = 'succeeded' WHERE state != 'succeeded'")
            assert jobs.replay(c, new_id, 9.0)
        again = old.begin(new_id, 2)
        assert again is not None
        assert old.request_of(again) == asked

    def test_a_job_that_never_had_a_result_goes_on_under_its_id(self, desk: SegmentDesk):
        with transaction(desk.engine) as c:
            c.exec_driver_sql("UPDATE job SET state = 'dead'")
            assert jobs.replay(c, "j1", 3.0)
        begun = desk.begin("j1", 2)
        assert begun is not None
        assert begun.job_id == "j1"


class TestWithNamesThatAPersonGave:
    """A correction changes what a content's work is, whichever job a run begins with."""

    NAMED = NamedVertebra(level=23, vertebra=3, key="k", centre_mm=(1.0, 2.0, 3.0))

    @pytest.fixture
    def corrected(self, desk: SegmentDesk) -> SegmentDesk:
        with transaction(desk.engine) as c:
            insert(c, "result", name="k_semantic.dcm", sop_instance_uid="2.25.1")
            c.exec_driver_sql("UPDATE job SET state = 'succeeded', record = '{}'")
            corrections.correct(c, "j1", (self.NAMED,), actor="anna", now=3.0)
        return desk

    def new_job(self, desk: SegmentDesk) -> runs.RunningJob:
        with reading(desk.engine) as c:
            (waiting,) = jobs.waiting(c)
        begun = desk.begin(waiting.job_id, waiting.run_number)
        assert begun is not None
        return begun

    def finish(self, desk: SegmentDesk, job_id: str, uid: str) -> None:
        with transaction(desk.engine) as c:
            insert(c, "result", job_id=job_id, name="k_semantic.dcm", sop_instance_uid=uid)
            c.exec_driver_sql("UPDATE job SET state = 'succeeded' WHERE state != 'succeeded'")

    def test_the_job_goes_on_as_another_that_is_asked_for_them_and_replaces_it(
        self, corrected: SegmentDesk
    ):
        assert corrected.begin("j1", 2) is None
        request = corrected.request_of(self.new_job(corrected))
        assert request.named == (self.NAMED,)
        assert [one.sop_instance_uid for one in request.predecessors] == ["2.25.1"]

    def test_the_first_job_run_again_leads_to_the_same_one(self, corrected: SegmentDesk):
        corrected.begin("j1", 2)
        new = self.new_job(corrected)
        self.finish(corrected, new.job_id, "2.25.7")
        with transaction(corrected.engine) as c:
            assert jobs.replay(c, "j1", 6.0)
        assert corrected.begin("j1", 3) is None
        assert self.new_job(corrected).job_id == new.job_id

    def test_another_version_keeps_them_and_replaces_the_corrected_result(
        self, corrected: SegmentDesk
    ):
        corrected.begin("j1", 2)
        new = self.new_job(corrected)
        self.finish(corrected, new.job_id, "2.25.7")
        with transaction(corrected.engine) as c:
            assert jobs.replay(c, "j1", 6.0)
        later = replace(
            corrected, identity=replace(IDENTITY, software_version="9"), clock=lambda: 8.0
        )
        assert later.begin("j1", 3) is None
        newest = self.new_job(later)
        assert newest.job_id not in {"j1", new.job_id}
        request = later.request_of(newest)
        assert request.named == (self.NAMED,)
        assert request.predecessors[0].sop_instance_uid == "2.25.7"

    def test_the_same_names_given_again_after_others_are_another_job(self, corrected: SegmentDesk):
        seen = []
        corrected.begin("j1", 2)
        for number, named in enumerate([(), (self.NAMED,)], start=1):
            job = self.new_job(corrected)
            seen.append(job.job_id)
            self.finish(corrected, job.job_id, f"2.25.{number}7")
            with transaction(corrected.engine) as c:
                at = {"at": float(number), "job": job.job_id}
                c.exec_driver_sql("UPDATE job SET created_at = :at WHERE job_id = :job", at)
                corrections.correct(c, job.job_id, named, actor="ben", now=6.0)
            assert corrected.begin(job.job_id, 2) is None
        assert self.new_job(corrected).job_id not in {"j1", *seen}


def job_row(desk: SegmentDesk, job_id: str) -> overview.JobRow:
    with reading(desk.engine) as c:
        found = overview.find_job(c, job_id)
    assert found is not None
    return found
