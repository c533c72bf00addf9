"""A person names a vertebra on the page: what the PACS holds then, and what later runs make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage

from tests.builders.counting_pacs import CountingPacs, counting_pacs
from tests.builders.killable_node import KillableNode, killable_node
from tests.builders.mr_series import SAGITTAL, MadeSeries
from tests.builders.node_processes import NodeProcess, role_command
from tests.builders.shown_spine import PITCH_MM
from tests.builders.stub_models import spine_series
from tests.builders.waiting import comes_true

DEEDS = "SELECT actor, detail FROM audit WHERE action = 'job.levels' AND subject = ?"
BY_API = {"X-Spine-Node": "test"}


def send(port: int, paths: tuple[Path, ...]) -> None:
    entity = AE("SCANNER")
    entity.add_requested_context(MRImageStorage, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port, ae_title="SPINENODE")
    assert association.is_established
    assert {association.send_c_store(path).Status for path in paths} == {0}
    association.release()


@contextmanager
def page_of(node: KillableNode, folder: Path) -> Iterator[httpx.Client]:
    """The page's process, and a browser without scripts."""
    web = NodeProcess("web", role_command("web", node.config), folder / "web.log")
    web.start()
    web.wait_ready()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{web.port}", timeout=20) as client:
            yield client
    finally:
        web.kill()


def names_in(node: KillableNode, job_id: str) -> dict[str, str]:
    """Segment label and description of every vertebra."""
    (file,) = (node.data / "results" / job_id).glob("*_instances.dcm")
    return {
        item.SegmentLabel: item.SegmentDescription
        for item in pydicom.dcmread(file, stop_before_pixels=True).SegmentSequence
        if item.SegmentLabel.startswith("vertebra")
    }


def fill_in(client: httpx.Client, job_id: str, **fields: str) -> httpx.Response:
    """Send the page's form as a browser does."""
    text = client.get(f"/jobs/{job_id}").text
    token = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', text)
    assert token is not None
    form = {"csrf_token": token[1], "back": f"/jobs/{job_id}", **fields}
    return client.post(f"/jobs/{job_id}/levels", data=form)


def is_settled(node: KillableNode, series_uid: str) -> bool:
    """The series has a result, and nothing runs or is to be sent any more."""
    rows = node.journal.rows
    return (
        bool(rows("SELECT 1 FROM job WHERE series_uid = ? AND state = 'succeeded'", series_uid))
        and rows("SELECT count(*) FROM job WHERE state != 'succeeded'") == [(0,)]
        and rows("SELECT count(*) FROM delivery WHERE state IN ('queued', 'sent')") == [(0,)]
    )


def latest(node: KillableNode, series_uid: str) -> str:
    """The job of a series that was made last."""
    query = "SELECT job_id FROM job WHERE series_uid = ? ORDER BY created_at DESC"
    return node.journal.rows(query, series_uid)[0][0]


def sent(node: KillableNode, job_id: str) -> set[str]:
    """Segmentations of a job that the PACS has confirmed."""
    query = """
        SELECT sop_instance_uid FROM delivery JOIN result USING (job_id, sop_instance_uid)
        WHERE job_id = ? AND state = 'delivered' AND kind = 'segmentation'
    """
    return {uid for (uid,) in node.journal.rows(query, job_id)}


@contextmanager
def running(folder: Path) -> Iterator[tuple[KillableNode, CountingPacs, httpx.Client]]:
    """A node with the real graph, its PACS and its page."""
    completeness = {"quiet_s": 1}
    with (
        counting_pacs() as pacs,
        killable_node(
            folder, pacs, child=("--graph",), completeness=completeness, web={"port": 0}
        ) as node,
        page_of(node, folder) as client,
    ):
        yield node, pacs, client


def station(folder: Path, name: str, top_mm: float) -> MadeSeries:
    """A series of four vertebrae, of one study and frame of reference."""
    return spine_series(
        folder / name,
        name=name,
        orientation=SAGITTAL,
        origin=(31.5, -84.25, top_mm),
        tags={"ImagesInAcquisition": 12},
    )


@pytest.mark.slow
def test_a_named_vertebra_renames_all_that_show_it_and_stays_named_when_run_again(tmp_path: Path):
    upper = station(tmp_path / "mr", "upper", 417.75)
    lower = station(tmp_path / "mr", "lower", 417.75 - 2 * PITCH_MM)
    with running(tmp_path) as (node, pacs, client):
        for made in (upper, lower):
            send(node.listener.port, made.paths)
            assert comes_true(lambda made=made: is_settled(node, made.series_uid), 90)
        first, above = (latest(node, made.series_uid) for made in (lower, upper))
        old = sent(node, first)
        (entry,) = client.get(f"/api/v1/jobs/{first}").json()["job"]["record"]["series"]
        _, second_bone, third_bone, *_ = entry["vertebra_numbers"]
        assert not any(level["text"] == "L1" for level in entry["levels"].values())

        answer = fill_in(client, first, what="name", vertebra=str(second_bone), level="L1")
        assert (answer.status_code, answer.headers["location"][-11:]) == (303, "answer=done")
        for made, before in ((lower, first), (upper, above)):
            assert comes_true(
                lambda made=made, before=before: (
                    is_settled(node, made.series_uid) and latest(node, made.series_uid) != before
                ),
                90,
            )
        second, renamed = (latest(node, made.series_uid) for made in (lower, upper))
        new = sent(node, second)
        assert comes_true(lambda: new <= pacs.kept.keys(), 30)
        assert {pacs.kept[uid].replaces for uid in new} == {
            (pacs.kept[uid].series_uid,) for uid in old
        }
        named = names_in(node, second)
        assert "named by a person" in named[f"vertebra {second_bone} (L1)"]
        assert "follows from a name that a person gave" in named[f"vertebra {third_bone} (L2)"]
        shared = [label.partition("(")[2] for label in names_in(node, renamed)]
        assert shared[-1] == "L1)"  # the second bone of the lower station is the upper's last
        assert "Replaced by" in client.get(f"/jobs/{first}").text
        assert "named by a person" in client.get(f"/jobs/{second}").text
        ((actor, detail),) = node.journal.rows(DEEDS, first)
        assert actor == "local"
        assert detail.startswith(f"{second_bone}: ")
        assert detail.endswith("-> L1")

        # Wished for on the page of the first one: the same work as the second's, and its objects.
        kept = set(pacs.kept)
        client.post(f"/api/v1/jobs/{first}/replay", headers=BY_API)
        assert comes_true(lambda: is_settled(node, lower.series_uid), 90)
        assert latest(node, lower.series_uid) == second
        assert names_in(node, second) == named
        assert {len(contents) for contents in pacs.contents.values()} == {1}
        assert pacs.kept.keys() == kept
