from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from app.errors import InferenceLostError, SpoolError
from app.node.archive.spool import Spool
from app.node.journal import delivery_decisions, jobs, overview, runs
from app.node.journal.engine import reading, transaction
from app.node.telemetry.events import Event
from app.node.work.outcomes import CANCELLED, OVER, Done, Outcome, disk_failed, done, failed
from app.node.work.settling import Settlement
from app.node.work.workfolder import WorkFolders
from app.settings import NodeSettings
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal
from tests.builders.mr_series import make_series

NODE = {
    "peers": [{"name": "pacs", "ae_title": "PACS", "host": "pacs", "port": 104}],
    "routes": [{"calling_ae_title": "SCANNER", "destinations": ["pacs"]}],
    "worker": {"attempts": 3, "retry_after_s": 5},
}


@dataclass
class Bench:
    """A settlement with a job that runs, and what it told."""

    engine: Engine
    settlement: Settlement
    folders: WorkFolders
    told: list[tuple[int, dict[str, object]]] = field(default_factory=list)

    def settle(self, outcome: Outcome, attempts: int = 0) -> tuple[float | None, int]:
        settled = self.settlement.settle("j1", 1, attempts, outcome)
        return settled["delay_s"], settled["attempts"]

    @property
    def job(self) -> overview.JobRow:
        with reading(self.engine) as c:
            found = overview.find_job(c, "j1")
        assert found is not None
        return found

    def deliveries(self) -> list[tuple[str, str]]:
        with reading(self.engine) as c:
            rows = overview.deliveries_of_job(c, "j1")
        return [(row.destination, row.state) for row in rows]

    def succeeded(self, tmp_path: Path) -> Done:
        """Outcome of a run that wrote one segmentation."""
        output = self.folders.output("j1")
        output.mkdir(parents=True, exist_ok=True)
        made = make_series(tmp_path / "made", slices=1)
        (output / "k_semantic.dcm").write_bytes(made.paths[0].read_bytes())
        return done({"exit_code": 0, "series": [{"files": ["k_semantic.dcm"]}], "duration_s": 9.5})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    data = tmp_path / "node"
    engine = empty_journal(data)
    folders = WorkFolders(data, Spool(data / "spool"))
    told: list[tuple[int, dict[str, object]]] = []

    def emit(event: Event, **values: object) -> None:
        assert not values.keys() - set(event.fields)
        told.append((event.number, values))

    settlement = Settlement(
        engine=engine, node=NodeSettings(**NODE), folders=folders, clock=lambda: 50.0, emit=emit
    )
    with transaction(engine) as c:
        insert(c, "series", state="accepted")
        insert(c, "job")
        runs.begin(c, "j1", 1, worker_id="w", now=10.0)
    folders.source("j1").mkdir(parents=True)
    yield Bench(engine, settlement, folders, told)
    engine.dispose()


def test_a_success_makes_results_planned_deliveries_and_the_end_true_at_once(
    bench: Bench, tmp_path: Path
):
    assert bench.settle(bench.succeeded(tmp_path)) == (None, 0)
    assert (bench.job.state, bench.job.finished_at) == ("succeeded", 50.0)
    assert bench.deliveries() == [("pacs", "held")]
    assert bench.told == [(312, {"job": "j1", "duration_s": 9.5, "results": 1})]
    assert not bench.folders.source("j1").exists()


def test_a_success_withdraws_what_was_not_sent_of_the_result_that_it_replaces(
    bench: Bench, tmp_path: Path
):
    with transaction(bench.engine) as c:
        insert(
            c, "job", job_id="j0", state="succeeded", created_at=-9.0, finished_at=5.0, revision=1
        )
        insert(c, "delivery", delivery_id="d0", job_id="j0", state="held", destination="x")
        insert(c, "delivery", delivery_id="d9", job_id="j0", state="delivered", destination="y")
        insert(c, "delivery", delivery_id="d1", job_id="j0", state="queued", destination="z")
        insert(
            c,
            "delivery",
            delivery_id="d2",
            job_id="j0",
            state="queued",
            destination="v",
            attempts=1,
        )
        assert not delivery_decisions.release(c, "j0", 40.0)
    bench.settle(bench.succeeded(tmp_path))
    with reading(bench.engine) as c:
        rows = {row.delivery_id: row for row in overview.deliveries_of_job(c, "j0")}
    assert {name: row.state for name, row in rows.items()} == {
        "d0": "discarded", "d1": "discarded", "d2": "queued", "d9": "delivered",
    }  # fmt: skip
    assert rows["d0"].last_error == rows["d1"].last_error == "replaced_by_revision_1"
    assert bench.deliveries() == [("pacs", "held")]


def test_what_the_gate_withholds_waits_for_a_person_although_the_site_releases_by_itself(
    bench: Bench, tmp_path: Path
):
    delivery = bench.settlement.node.delivery.model_copy(update={"release": "auto"})
    node = bench.settlement.node.model_copy(update={"delivery": delivery})
    bench.settlement = replace(bench.settlement, node=node)
    outcome = bench.succeeded(tmp_path)
    findings = [
        {"rule": "vertebra_missing", "outcome": "withhold"},
        {"rule": "noise_high", "outcome": "flag"},
    ]
    quality = {"outcome": "withhold", "findings": findings}
    outcome["record"]["series"][0]["quality"] = quality
    bench.settle(outcome)
    assert bench.deliveries() == [("pacs", "held")]
    assert bench.told[1:] == [(319, {"job": "j1", "rules": "vertebra_missing"})]
    with transaction(bench.engine) as c:
        (row,) = overview.deliveries_of_job(c, "j1")
        assert row.last_error == "withheld: vertebra_missing"
        assert delivery_decisions.release(c, "j1", 60.0)
        (row,) = overview.deliveries_of_job(c, "j1")
    assert (row.state, row.last_error, row.released_at) == ("queued", "", 60.0)


def test_what_the_gate_flags_leaves_by_itself(bench: Bench, tmp_path: Path):
    delivery = bench.settlement.node.delivery.model_copy(update={"release": "auto"})
    node = bench.settlement.node.model_copy(update={"delivery": delivery})
    bench.settlement = replace(bench.settlement, node=node)
    outcome = bench.succeeded(tmp_path)
    flagged = {"outcome": "flag", "findings": [{"rule": "noise_high", "outcome": "flag"}]}
    outcome["record"]["series"][0]["quality"] = flagged
    bench.settle(outcome)
    assert bench.deliveries() == [("pacs", "queued")]
    assert [number for number, _ in bench.told] == [312]


def test_settling_a_success_twice_changes_nothing(bench: Bench, tmp_path: Path):
    outcome = bench.succeeded(tmp_path)
    bench.settle(outcome)
    assert bench.settle(outcome) == (None, 0)
    assert bench.job.state == "succeeded"
    assert len(bench.told) == 1
    assert len(bench.deliveries()) == 1


def test_a_success_after_a_wish_to_cancel_plans_no_delivery(bench: Bench, tmp_path: Path):
    with transaction(bench.engine) as c:
        jobs.request_cancel(c, "j1", 1.0)
    bench.settle(bench.succeeded(tmp_path))
    assert (bench.job.state, bench.deliveries()) == ("cancelled", [])
    assert [number for number, _ in bench.told] == [316]


@pytest.mark.parametrize("code", [10, 11, 12, 13])
def test_a_verdict_on_the_images_is_final_at_the_first_attempt(bench: Bench, code: int):
    error = {"code": "SPN-3100", "message": "refused", "reasons": ["shear", "missing_slice"]}
    record = {"exit_code": code, "series": [], "error": error}
    assert bench.settle(done(record)) == (None, 0)
    assert (bench.job.state, bench.job.error_code) == ("refused", "SPN-3100")
    assert bench.job.record == record
    told = {"job": "j1", "code": "SPN-3100", "reasons": "shear,missing_slice"}
    assert bench.told == [(313, told)]


@pytest.mark.parametrize("code", [20, 30, 40, 70, 75])
def test_other_ends_are_tried_again_after_5_and_10_s_and_are_dead_at_the_third(
    bench: Bench, code: int
):
    outcome = done({"exit_code": code, "series": [], "error": {"code": "SPN-4000", "message": "m"}})
    assert bench.settle(outcome, 0) == (5.0, 1)
    assert (bench.job.state, bench.job.attempts) == ("running", 1)
    assert bench.settle(outcome, 1) == (10.0, 2)
    assert bench.settle(outcome, 2) == (None, 3)
    assert (bench.job.state, bench.job.attempts, bench.job.error_code) == ("dead", 3, "SPN-4000")
    assert [number for number, _ in bench.told] == [314, 314, 315]


def test_a_crash_between_the_note_and_its_checkpoint_counts_one_attempt(bench: Bench):
    lost = failed(InferenceLostError("lost", reasons=("signal 11",)))
    assert bench.settle(lost, 0) == bench.settle(lost, 0) == (5.0, 1)
    assert (bench.job.attempts, bench.job.error_code) == (1, "SPN-9400")


@pytest.mark.parametrize(
    "outcome",
    [
        failed(InferenceLostError("no", reasons=("exit 20",)), counts=False),
        disk_failed(OSError(28, "No space left on device")),
    ],
)
def test_what_is_no_fault_of_the_job_never_counts(bench: Bench, outcome: Outcome):
    for _ in range(10):
        assert bench.settle(outcome, 2) == (15.0, 2)
    assert bench.job.state == "running"


def test_deleted_images_are_for_a_person_at_once(bench: Bench):
    outcome = failed(SpoolError("images were deleted", reasons=("images_deleted",)))
    assert bench.settle(outcome, 0) == (None, 1)
    assert (bench.job.state, bench.job.error_message) == ("dead", "images_deleted")


def test_a_success_whose_file_is_gone_is_a_failed_attempt(bench: Bench, tmp_path: Path):
    outcome = bench.succeeded(tmp_path)
    (bench.folders.output("j1") / "k_semantic.dcm").unlink()
    assert bench.settle(outcome) == (5.0, 1)
    assert (bench.job.state, bench.job.error_code) == ("running", "SPN-5100")


def test_cancelled_ends_the_job_and_over_touches_nothing(bench: Bench):
    bench.settle(OVER)
    assert bench.job.state == "running"
    assert bench.folders.source("j1").exists()
    bench.settle(CANCELLED)
    assert bench.job.state == "cancelled"
    assert not bench.folders.source("j1").exists()
