"""Commissioning of a peer: each kind of failure is seen where it is, and nothing is left twice."""

from pathlib import Path

import pytest
from pydicom.uid import SecondaryCaptureImageStorage
from typer.testing import CliRunner

from app.cli.main import app
from app.node.peers.checking import SOP_INSTANCE_UID, Finding, check_peer
from app.settings import PeerSettings
from operators.dicom.result_kinds import ENHANCED_SR_STORAGE
from tests.builders.faulty_pacs import FaultyPacs, faulty_pacs
from tests.builders.node_processes import write_config


def tried(pacs: FaultyPacs, *, stores: bool = True, **more: object) -> dict[str, Finding]:
    found = check_peer(pacs.peer(), "SPINENODE", stores=stores, can_find=True, **more)
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
    needed = PeerSettings(
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


def test_a_peer_that_forgets_what_it_acknowledged_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.node.peers.checking._FIND_WITHIN_S", 0.2)
    with faulty_pacs(also_takes=[SecondaryCaptureImageStorage], forgets=True) as pacs:
        found = tried(pacs)
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
