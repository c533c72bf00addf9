from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pydicom
import pytest

from app.errors import OutputUnwritableError, SpoolError
from app.node.archive.spool import Spool
from app.node.journal.jobs import JobInput
from app.node.work.workfolder import WorkFolders
from tests.builders.mr_series import make_series


@pytest.fixture
def folders(tmp_path: Path) -> WorkFolders:
    return WorkFolders(tmp_path, Spool(tmp_path / "spool"))


def received(folders: WorkFolders, name: str, *, is_held: bool = True) -> JobInput:
    path = folders.spool.root / "series" / f"{name}.dcm"
    path.write_bytes(name.encode())
    return JobInput(
        sop_instance_uid=name, digest=name * 8, path=f"series/{name}.dcm", is_held=is_held
    )


def test_inputs_are_links_that_outlive_a_deletion_in_the_spool(folders: WorkFolders):
    item = received(folders, "a")
    folders.prepare("j", [item])
    (link,) = folders.source("j").iterdir()
    assert link.stat().st_nlink == 2
    folders.spool.absolute(item.path).unlink()
    assert link.read_bytes() == b"a"
    folders.clear("j")
    assert not folders.source("j").exists()
    folders.clear("j")


def test_preparing_twice_leaves_exactly_the_inputs(folders: WorkFolders):
    items = [received(folders, "a"), received(folders, "b")]
    folders.prepare("j", items)
    (folders.source("j") / "left.part").write_bytes(b"x")
    staging = folders.output("j") / ".spine-node-killed"
    staging.mkdir(parents=True)
    folders.prepare("j", items)
    assert sorted(path.name for path in folders.source("j").iterdir()) == [
        "aaaaaaaa.dcm",
        "bbbbbbbb.dcm",
    ]
    assert not staging.exists()


def test_inputs_are_copied_where_there_are_no_links(
    folders: WorkFolders, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "other disk")

    monkeypatch.setattr(os, "link", refuse)
    folders.prepare("j", [received(folders, "a")])
    (copy,) = folders.source("j").iterdir()
    assert (copy.name, copy.read_bytes(), copy.stat().st_nlink) == ("aaaaaaaa.dcm", b"a", 1)


def test_a_full_disk_is_not_taken_for_a_disk_without_links(
    folders: WorkFolders, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="full"):
        folders.prepare("j", [received(folders, "a")])


@pytest.mark.parametrize("is_held", [True, False])
def test_an_input_that_retention_deleted_asks_for_the_study_again(
    folders: WorkFolders, *, is_held: bool
):
    item = received(folders, "a", is_held=is_held)
    folders.spool.absolute(item.path).unlink()
    with pytest.raises(SpoolError) as caught:
        folders.prepare("j", [item])
    assert caught.value.reasons == ("images_deleted",)


def written(folders: WorkFolders, tmp_path: Path) -> dict[str, object]:
    output = folders.output("j")
    output.mkdir(parents=True)
    made = make_series(tmp_path / "made", slices=1)
    (output / "k_semantic.dcm").write_bytes(made.paths[0].read_bytes())
    (output / "k_overlay.png").write_bytes(b"png")
    return {"series": [{"files": ["k_semantic.dcm", "k_overlay.png"]}, {"files": []}]}


def test_results_are_described_with_digest_size_and_identifiers(
    folders: WorkFolders, tmp_path: Path
):
    record = written(folders, tmp_path)
    overlay, segmentation = folders.results("j", record)
    content = (folders.output("j") / "k_semantic.dcm").read_bytes()
    header = pydicom.dcmread(folders.output("j") / "k_semantic.dcm")
    assert (overlay.kind, overlay.sop_instance_uid) == ("overlay", "")
    assert segmentation.kind == "segmentation"
    assert segmentation.path == "results/j/k_semantic.dcm"
    assert segmentation.digest == hashlib.sha256(content).hexdigest()
    assert segmentation.size_bytes == len(content)
    assert segmentation.sop_instance_uid == header.SOPInstanceUID
    assert segmentation.series_uid == header.SeriesInstanceUID


@pytest.mark.parametrize("lost", ["k_semantic.dcm", "k_overlay.png"])
def test_a_result_that_the_record_names_and_the_disk_has_not_is_no_success(
    folders: WorkFolders, tmp_path: Path, lost: str
):
    record = written(folders, tmp_path)
    (folders.output("j") / lost).unlink()
    with pytest.raises(OutputUnwritableError):
        folders.results("j", record)


def test_a_success_without_a_segmentation_is_none(folders: WorkFolders, tmp_path: Path):
    written(folders, tmp_path)
    for record in ({"series": []}, {"series": [{"files": ["k_overlay.png"]}]}):
        with pytest.raises(OutputUnwritableError):
            folders.results("j", record)


def test_files_and_every_folder_that_names_them_reach_the_disk(
    folders: WorkFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    record = written(folders, tmp_path)
    synced: list[Path] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    folders.results("j", record)
    output = folders.output("j")
    files = [output / "k_overlay.png", output / "k_semantic.dcm"]
    assert synced == [*files, output, output.parent, tmp_path]
