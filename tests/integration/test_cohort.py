"""Whole cohorts in processes of their own: killed, interrupted, on two workers, on PostgreSQL."""

from __future__ import annotations

import csv
import gzip
import json
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.builders.cohort_process import CohortProcess
from tests.builders.postgres import PostgresServer, can_run, postgres_server
from tests.builders.stub_cohort_child import command
from tests.builders.waiting import eventually

SOURCES = 9
CASES = 7


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven cases of nine images: two of two images, one unreadable, one that ends its process."""
    root = tmp_path_factory.mktemp("cohort") / "data"
    names = [f"sub-{n:02d}/anat/sub-{n:02d}_T2w.nii.gz" for n in range(1, 6)]
    names += ["sub-01/anat/sub-01_chunk-2_T2w.nii.gz", "sub-06/ses-1/anat/sub-06_ses-1_T2w.nii.gz"]
    names += ["sub-06/ses-2/anat/sub-06_ses-2_T2w.nii.gz"]
    names += ["sub-02/anat/sub-02_acq-crash_T2w.nii.gz"]
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(name.encode(), mtime=0))
    (root / names[3]).write_bytes(b"spoiled")
    return root


@dataclass
class Trial:
    """One output folder, and what its inference processes were asked."""

    dataset: Path
    home: Path
    work_s: float = 0.05

    def call(self, **options: Any) -> CohortProcess:
        self.home.mkdir(parents=True, exist_ok=True)
        child = command(self.log, self.work_s)
        return CohortProcess(self.dataset, self.output, {"command": child, **options})

    @property
    def output(self) -> Path:
        return self.home / "out"

    @property
    def log(self) -> Path:
        return self.home / "log"

    def said(self, word: str) -> list[str]:
        """Images of which the processes said so."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.split()[2] for line in lines if line.startswith(word)]

    def processes(self) -> set[str]:
        """Inference processes that were asked anything."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return {line.split()[1] for line in lines}

    def published(self) -> dict[str, bytes]:
        """Every file of results, and the table without its seconds."""
        files = [path for path in self.output.rglob("*") if path.is_file()]
        found = {str(path.relative_to(self.output)): path.read_bytes() for path in files}
        kept = {n: c for n, c in found.items() if n[0] != "." and n != "report.html"}
        rows = csv.DictReader(kept.pop("cohort.csv").decode().splitlines())
        table = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
        return kept | {"rows": json.dumps(table).encode()}


@pytest.fixture(scope="module")
def undisturbed(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    trial = Trial(dataset, tmp_path_factory.mktemp("undisturbed"), work_s=0.2)
    assert trial.call(workers=2, attempts=2).run() == {"done": CASES, "total": CASES, "failed": 1}
    return trial


def test_every_image_is_segmented_once_by_two_workers_and_bad_ones_stop_nothing(
    undisturbed: Trial,
) -> None:
    ends = Counter(undisturbed.said("end"))
    assert len(ends) == SOURCES - 1  # the one that ends its process has no end
    assert set(ends.values()) == {1}
    assert len(undisturbed.processes()) >= 2
    with (undisturbed.output / "cohort.csv").open() as file:
        rows = {Path(row["source"]).name: row for row in csv.DictReader(file)}
    assert len(rows) == SOURCES
    good = rows["sub-01_chunk-2_T2w.nii.gz"]
    assert (good["subject"], good["session"], good["status"]) == ("sub-01", "", "ok")
    assert (good["reason"], good["seconds"], good["confidence"]) == ("", "0.750", "0.9000")
    spoiled = rows["sub-04_T2w.nii.gz"]
    assert (spoiled["status"], spoiled["reason"]) == ("failed", "SPN-1001 unreadable_nifti")
    crashed = rows["sub-02_acq-crash_T2w.nii.gz"]
    assert (crashed["status"], crashed["reason"]) == ("failed", "SPN-9400 signal 11")
    assert rows["sub-02_T2w.nii.gz"]["status"] == "ok"
    assert undisturbed.said("begin").count("sub-02_acq-crash_T2w.nii.gz") == 2


def test_the_folder_is_a_bids_derivative_with_everything_beside_the_masks(
    undisturbed: Trial,
) -> None:
    out = undisturbed.output
    assert json.loads((out / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    home = out / "sub-06" / "ses-2" / "anat"
    stem = "sub-06_ses-2_mod-T2w"
    assert sorted(path.name for path in home.iterdir()) == [
        "sub-06_ses-2_T2w_overlay.png",
        "sub-06_ses-2_cohort.json",
        f"{stem}_measurements.csv",
        f"{stem}_seg-spine_ctd.json",
        f"{stem}_seg-spine_msk.json",
        f"{stem}_seg-spine_msk.nii.gz",
        f"{stem}_seg-vert_msk.json",
        f"{stem}_seg-vert_msk.nii.gz",
    ]
    sidecar = json.loads((home / f"{stem}_seg-vert_msk.json").read_text())
    assert sidecar["Models"]["semantic"]["digest"] == "00"
    assert sidecar["Sources"] == ["bids:raw:sub-06/ses-2/anat/sub-06_ses-2_T2w.nii.gz"]
    failed = json.loads((out / "sub-04" / "anat" / "sub-04_cohort.json").read_text())
    assert failed["runs"][0]["error"]["reasons"] == ["unreadable_nifti"]
    with (out / "measurements.csv").open() as file:
        measured = list(csv.DictReader(file))
    assert len(measured) == SOURCES - 2
    assert {row["subject"] for row in measured} == {f"sub-0{n}" for n in (1, 2, 3, 5, 6)}
    assert {(row["measure"], row["unit"]) for row in measured} == {("body_middle_height", "mm")}
    page = (out / "report.html").read_text()
    assert "SPN-9400 signal 11" in page
    assert 'src="http' not in page
    assert list((out / ".cohort" / "work").iterdir()) == []


def test_stopped_by_ctrl_c_and_killed_it_goes_on_and_ends_with_the_same_bytes(
    undisturbed: Trial, tmp_path: Path
) -> None:
    trial = Trial(undisturbed.dataset, tmp_path, work_s=0.15)
    with trial.call().start() as process:
        eventually(lambda: len(trial.said("end")) >= 3, 60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    standing = json.loads(out.splitlines()[-1])
    assert 1 <= standing["done"] < CASES
    with (trial.output / "cohort.csv").open() as file:
        statuses = Counter(row["status"] for row in csv.DictReader(file))
    assert statuses["ok"] >= 1
    assert statuses["open"] >= 1
    records = list(trial.output.glob("sub-*/**/*_cohort.json"))
    assert len(records) == standing["done"]

    ends = len(trial.said("end"))
    with trial.call().start() as process:
        eventually(lambda: len(trial.said("end")) > ends, 60)
        process.kill()
    assert trial.call().run() == {"done": CASES, "total": CASES, "failed": 1}
    assert trial.published() == undisturbed.published()
    again = [count - 1 for count in Counter(trial.said("end")).values()]
    # At most the two runs whose end no process lived to write down.
    assert sum(again) <= 2


def test_a_full_disk_ends_the_call_and_is_no_fault_of_a_case(tmp_path: Path) -> None:
    image = tmp_path / "data" / "sub-1" / "sub-1_acq-full_T2w.nii.gz"
    image.parent.mkdir(parents=True)
    image.write_bytes(gzip.compress(b"", mtime=0))
    trial = Trial(tmp_path / "data", tmp_path / "home")
    with trial.call().start() as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "SPN-5100: no space left on device" in err
    assert list(trial.output.glob("sub-*")) == []


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    if not can_run():
        pytest.skip("no PostgreSQL server here")
    with postgres_server() as running:
        yield running


def test_two_calls_share_a_cohort_and_one_takes_over_from_the_other(
    server: PostgresServer, undisturbed: Trial, tmp_path: Path
) -> None:
    url = server.new_database()
    trial = Trial(undisturbed.dataset, tmp_path, work_s=0.3)
    with (
        trial.call(database_url=url).start() as first,
        trial.call(database_url=url).start() as second,
    ):
        eventually(lambda: len(trial.processes()) >= 2 and len(trial.said("begin")) >= 4, 60)
        first.kill()
        out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["done"] == CASES
    assert trial.published() == undisturbed.published()
