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
from tests.builders.node_processes import NodeProcess, role_command, wait_until
from tests.builders.stub_models import spine_series

SUCCEEDED = "SELECT count(*) FROM job WHERE state = 'succeeded'"
OPEN = "SELECT count(*) FROM job WHERE state != 'succeeded'"
LATEST = "SELECT job_id FROM job ORDER BY created_at DESC LIMIT 1"
DEEDS = "SELECT actor, action, subject, detail FROM audit WHERE action = 'job.levels'"
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


def is_settled(node: KillableNode, jobs: int) -> bool:
    rows = node.journal.rows
    return rows(SUCCEEDED) == [(jobs,)] and rows(OPEN) == [(0,)]


@contextmanager
def finished(folder: Path) -> Iterator[tuple[KillableNode, CountingPacs, httpx.Client]]:
    """A node whose one job has succeeded and been sent, and its page."""
    made = spine_series(folder / "mr", slices=12, tags={"ImagesInAcquisition": 12})
    completeness = {"quiet_s": 1}
    with (
        counting_pacs() as pacs,
        killable_node(
            folder, pacs, with_graph=True, completeness=completeness, web={"port": 0}
        ) as node,
        page_of(node, folder) as client,
    ):
        send(node.listener.port, made.paths)
        assert wait_until(lambda: len(pacs.kept) == 2 and is_settled(node, 1), 90)
        yield node, pacs, client


@pytest.mark.slow
def test_a_named_vertebra_renames_all_and_stays_named_when_run_again(tmp_path: Path):
    with finished(tmp_path) as (node, pacs, client):
        ((first,),) = node.journal.rows(LATEST)
        old = set(pacs.kept)
        (entry,) = client.get(f"/api/v1/jobs/{first}").json()["job"]["record"]["series"]
        _, second_bone, third_bone, *_ = entry["vertebra_numbers"]
        assert not any(level["text"] == "L1" for level in entry["levels"].values())

        answer = fill_in(client, first, what="name", vertebra=str(second_bone), level="L1")
        assert (answer.status_code, answer.headers["location"][-11:]) == (303, "answer=done")
        assert wait_until(lambda: len(pacs.kept) == 4 and is_settled(node, 2), 90)
        ((second,),) = node.journal.rows(LATEST)
        new = pacs.kept.keys() - old
        assert {pacs.kept[uid].replaces for uid in new} == {(uid,) for uid in old}
        named = names_in(node, second)
        assert "named by a person" in named[f"vertebra {second_bone} (L1)"]
        assert "follows from a name that a person gave" in named[f"vertebra {third_bone} (L2)"]
        assert "Replaced by" in client.get(f"/jobs/{first}").text
        assert "named by a person" in client.get(f"/jobs/{second}").text
        ((actor, action, subject, detail),) = node.journal.rows(DEEDS)
        assert (actor, action, subject) == ("local", "job.levels", first)
        assert detail.startswith(f"{second_bone}: ")
        assert detail.endswith("-> L1")

        # Wished for on the page of the first one: the same work as the second's, and its objects.
        client.post(f"/api/v1/jobs/{first}/replay", headers=BY_API)
        assert wait_until(lambda: is_settled(node, 2), 90)
        assert names_in(node, second) == named
        assert {len(contents) for contents in pacs.contents.values()} == {1}
        assert pacs.kept.keys() == old | new
