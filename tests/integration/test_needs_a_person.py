"""What went wrong is one number everywhere, and who was turned away is on record.

Through real processes: a series with a truncated slice, a CT, and a caller of a wrong title.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, MRImageStorage

from tests.builders.counting_pacs import counting_pacs
from tests.builders.killable_node import KillableNode, killable_node
from tests.builders.node_processes import NodeProcess, role_command
from tests.builders.stub_models import spine_series
from tests.builders.waiting import comes_true

SLICES = 8
PROGRAM = {"X-Spine-Node": "test"}


@dataclass
class Trial:
    """A node with its page after everything has gone wrong."""

    node: KillableNode
    page: httpx.Client
    folder: Path

    def numbers(self) -> dict[str, int]:
        """The number "needs a person" wherever it is told."""
        status = self.page.get("/api/v1/status").json()
        metric = re.search(
            r"^spine_node_needs_person (\d+)", self.page.get("/metrics").text, re.MULTILINE
        )
        by_kind = self.page.get("/api/v1/attention").json()
        alarms = sum(row["count"] for row in by_kind if row["severity"] == "alarm")
        return {
            "status": status["attention"],
            "metric": int(metric[1]) if metric else -1,
            "kinds": alarms,
            "attention page": badge_of(self.page.get("/attention").text),
            "overview page": badge_of(self.page.get("/").text),
        }


def badge_of(html: str) -> int:
    found = re.search(r'class="count[^"]*"[^>]*>\s*(\d+)', html)
    return int(found[1]) if found else 0


def call(port: int, title: str, *classes: str, called: str = "SPINENODE") -> AE:
    entity = AE(title)
    for uid in classes:
        entity.add_requested_context(uid, "1.2.840.10008.1.2.1")
    return entity.associate("127.0.0.1", port, ae_title=called)


def send_truncated_series(port: int, folder: Path) -> None:
    """A sagittal T2w series of which one slice has lost the second half of its pixels."""
    made = spine_series(folder, slices=SLICES, tags={"ImagesInAcquisition": SLICES})
    datasets = [pydicom.dcmread(path) for path in made.paths]
    datasets[3].PixelData = datasets[3].PixelData[: len(datasets[3].PixelData) // 2]
    association = call(port, "SCANNER", MRImageStorage, CTImageStorage)
    assert association.is_established
    assert [context.abstract_syntax for context in association.rejected_contexts] == [
        CTImageStorage
    ]
    assert {association.send_c_store(dataset).Status for dataset in datasets} == {0}
    association.release()


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder = tmp_path_factory.mktemp("person")
    sections = {
        "web": {"port": 0},
        "worker": {"lease_s": 30},  # a busy machine keeps it: nobody is taken for silent
        "log_level": "warning",
    }
    with (
        counting_pacs() as pacs,
        killable_node(folder, pacs, child=("--graph",), **sections) as node,
    ):
        web = NodeProcess("web", role_command("web", node.config), folder / "web.log")
        web.start()
        try:
            web.wait_ready()
            assert call(node.listener.port, "STRAY", MRImageStorage, called="OTHER").is_rejected
            send_truncated_series(node.listener.port, folder / "cage")
            ended = "SELECT 1 FROM job WHERE state IN ('succeeded', 'refused', 'dead')"
            assert comes_true(lambda: node.journal.has(ended), 60, every_s=0.2)
            met = "SELECT count(*) FROM association"
            assert comes_true(lambda: node.journal.rows(met)[0][0] == 2), node.journal.rows(met)
            with httpx.Client(base_url=f"http://127.0.0.1:{web.port}", timeout=60) as page:
                yield Trial(node, page, folder)
        finally:
            web.kill()


def test_who_was_turned_away_is_on_the_page_and_in_the_api(trial: Trial):
    listed = {one["calling_ae_title"]: one for one in trial.page.get("/api/v1/connections").json()}
    stray, scanner = listed["STRAY"], listed["SCANNER"]
    assert (stray["called_ae_title"], stray["peer_address"]) == ("OTHER", "127.0.0.1")
    assert stray["outcome"] == "called_ae_title_unknown"
    assert (scanner["outcome"], scanner["objects"]) == ("released", SLICES)
    assert scanner["statuses"] == {"0000": SLICES}
    (rejected,) = scanner["rejected_contexts"]
    assert rejected["sop_class_uid"] == CTImageStorage
    assert rejected["reason"] == "abstract_syntax_not_supported"
    shown = trial.page.get("/connections").text
    for text in ("STRAY", "OTHER", "127.0.0.1", rejected["name"]):
        assert text in shown, text


def test_every_process_tells_nothing_below_the_level_that_the_site_chose(trial: Trial):
    told = {
        log.stem: [json.loads(line) for line in log.read_text().splitlines()]
        for log in trial.folder.glob("*.log")
    }
    assert told.keys() == {"listener", "worker", "web"}
    assert [event["number"] for event in told["listener"]] == [101]  # the wrong title
    assert [event["number"] for event in told["worker"]] == [313]  # the refused job
    assert told["web"] == []


def test_a_truncated_slice_is_one_number_everywhere_until_somebody_has_seen_it(trial: Trial):
    ((job, state),) = trial.node.journal.rows("SELECT job_id, state FROM job")
    assert state == "refused"
    kinds = trial.page.get("/api/v1/status").json()["attention_by_kind"]
    assert {kind: count for kind, count in kinds.items() if count} == {"job_refused": 1}
    assert set(trial.numbers().values()) == {1}, trial.numbers()
    assert f"/jobs/{job}" in trial.page.get("/attention/job_refused").text
    seen = trial.page.post(
        "/api/v1/attention/job_refused/acknowledge", params={"subject": job}, headers=PROGRAM
    )
    assert seen.json() == {"count": 1, "attention": 0}
    assert set(trial.numbers().values()) == {0}, trial.numbers()
    deeds = trial.node.journal.rows(
        "SELECT action, subject, detail FROM audit WHERE action NOT LIKE '%.view'"
    )
    assert deeds == [("attention.acknowledge", job, "job_refused: 1")]
