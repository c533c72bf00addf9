"""Commissioning of a peer: each kind of failure is seen where it is, and nothing is left twice."""

from collections.abc import Collection
from pathlib import Path

from pydicom.uid import SecondaryCaptureImageStorage
from typer.testing import CliRunner

from app.cli.main import app
from app.node.peers.checking import SOP_INSTANCE_UID, Finding, check_peer
from app.node.peers.kinds import destination_of
from app.settings.peers import DimsePeerSettings
from operators.dicom.identity.result_kinds import ENHANCED_SR_STORAGE, SEGMENTATION
from tests.builders.faulty_pacs import FaultyPacs, faulty_pacs
from tests.builders.node_processes import write_config


def tried(
    pacs: FaultyPacs,
    *,
    stores: bool = True,
    find_within_s: float = 10,
    needed: Collection[str] = (SEGMENTATION,),
    **peer: object,
) -> dict[str, Finding]:
    destination = destination_of(pacs.peer(**peer), "SPINENODE")
    found = check_peer(
        destination, stores=stores, can_find=True, needed=needed, find_within_s=find_within_s
    )
    return {finding.name: finding for finding in found}


def test_a_peer_for_segmentations_alone_is_good_and_says_what_it_does_not_take() -> None:
    with faulty_pacs() as pacs:
        found = tried(pacs, stores=False)
    assert {name: one.is_good for name, one in found.items()} == {
        "C-ECHO": True,
        "segmentation": True,
        "report": False,
        "pdf": False,
        "preview": False,
    }
    assert [one.name for one in found.values() if one.is_needed] == ["C-ECHO", "segmentation"]
    assert pacs.received == []


def test_a_peer_that_takes_reports_says_so_and_may_have_to() -> None:
    needed = DimsePeerSettings(
        name="a", ae_title="A", host="h", port=104, objects=["report"]
    ).required_objects
    with faulty_pacs(also_takes=[ENHANCED_SR_STORAGE]) as pacs:
        found = tried(pacs, stores=False, needed=needed)
    assert found["report"].is_good
    assert [one.name for one in found.values() if one.is_needed] == ["C-ECHO", "report"]


def test_the_test_object_is_stored_and_found_and_a_second_check_leaves_no_second() -> None:
    with faulty_pacs(also_takes=[SecondaryCaptureImageStorage]) as pacs:
        for _ in range(2):
            found = tried(pacs)
            assert found["store"].is_good
            assert found["find"].detail.startswith("found again after")
    assert set(pacs.received) == set(pacs.held) == {SOP_INSTANCE_UID}


def test_a_peer_that_commits_is_asked_to_and_one_that_does_not_is_found_out() -> None:
    with faulty_pacs(also_takes=[SecondaryCaptureImageStorage], commits="same") as pacs:
        assert tried(pacs, can_commit=True)["commitment"].detail == "committed"
        pacs.uncommitted = {SOP_INSTANCE_UID: 0x0112}
        assert not tried(pacs, can_commit=True)["commitment"].is_good
    with faulty_pacs(also_takes=[SecondaryCaptureImageStorage]) as pacs:
        assert not tried(pacs, can_commit=True)["commitment"].is_good
        assert "commitment" not in tried(pacs)


def test_a_peer_that_forgets_what_it_acknowledged_is_found_out() -> None:
    with faulty_pacs(also_takes=[SecondaryCaptureImageStorage], forgets=True) as pacs:
        found = tried(pacs, find_within_s=0.2)
    assert found["store"].is_good
    assert not found["find"].is_good


def test_the_command_ends_with_0_or_75_and_knows_only_the_peers_of_the_settings(
    tmp_path: Path,
) -> None:
    with faulty_pacs() as pacs, faulty_pacs(takes_segmentations=False) as other:
        peers = [pacs.peer("good").model_dump(), other.peer("other").model_dump()]
        config = write_config(tmp_path / "app.yaml", {"peers": peers})

        def command(name: str) -> tuple[int, str]:
            done = CliRunner().invoke(app, ["check-peer", name, "--config", str(config)])
            return done.exit_code, done.output

        code, output = command("good")
        assert code == 0
        assert "segmentation           ok" in output
        assert "report                 not taken" in output
        code, output = command("other")
        assert code == 75
        assert "segmentation           FAILS" in output
        assert command("nobody")[0] != 0
