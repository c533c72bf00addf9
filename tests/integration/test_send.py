"""``spine-node send`` as a process, against peers that store, refuse and die."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.builders.faulty_pacs import ABORT, faulty_pacs
from tests.builders.mr_series import make_series
from tests.builders.orthanc import Orthanc, free_port, needs_orthanc, running_orthanc
from tests.builders.planned_deliveries import segmentation_file

ROOT = Path(__file__).resolve().parents[2]
CODE = (
    "import sys, typer\n"
    "from app.cli.send import send\n"
    "from app.errors import exit_code_of\n"
    "from operators.errors import SpineError\n"
    "app = typer.Typer(); app.command()(send)\n"
    "try: app()\n"
    "except SpineError as error: sys.stderr.write(str(error)); sys.exit(int(exit_code_of(error)))\n"
)


def run_send(folder: Path, to: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, str(folder), "--to", to, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def dicomdir(path: Path) -> None:
    """Write a media directory file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    meta.MediaStorageSOPInstanceUID = "2.25.7"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128).save_as(path)


@needs_orthanc
def test_a_folder_with_other_files_goes_to_orthanc(tmp_path: Path) -> None:
    made = make_series(tmp_path / "study" / "series")
    (tmp_path / "study" / "README.txt").write_text("not DICOM")
    (tmp_path / "study" / "empty.dcm").write_bytes(b"")
    dicomdir(tmp_path / "study" / "DICOMDIR")
    with running_orthanc(tmp_path) as pacs:
        assert isinstance(pacs, Orthanc)
        done = run_send(tmp_path / "study", f"{pacs.ae_title}@127.0.0.1:{pacs.dicom_port}")
        assert pacs.sop_instance_uids() == sorted(made.sop_instance_uids)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{len(made.paths)} of {len(made.paths)} objects stored")
    assert "left out: 3 files" in done.stdout


def test_refused_objects_are_told_by_status_and_nothing_else(tmp_path: Path) -> None:
    made = make_series(tmp_path / "secret-name")
    with faulty_pacs([0xA700, 0xC000, 0xC000, 0xB000, 0x0111]) as pacs:
        done = run_send(tmp_path, f"FAULTY@127.0.0.1:{pacs.port}", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 75
    assert told["answers"] == {"0x0111": 1, "0xA700": 1, "0xB000": 1, "0xC000": 2}
    assert (told["total"], told["sent"]) == (len(made.paths), len(made.paths) - 3)
    for secret in ("secret-name", made.series_uid, *made.sop_instance_uids):
        assert secret not in done.stdout + done.stderr


def test_a_peer_that_takes_no_such_objects_is_told(tmp_path: Path) -> None:
    with faulty_pacs(takes_segmentations=False) as pacs:
        segmentation_file(tmp_path / "a.dcm", "2.25.1", "2.25.2", "2.25.3")
        done = run_send(tmp_path, f"FAULTY@127.0.0.1:{pacs.port}")
    assert done.returncode == 75
    assert "answered no presentation context: 1" in done.stdout


def test_a_peer_that_breaks_off_or_is_not_there_ends_it_with_75(tmp_path: Path) -> None:
    make_series(tmp_path / "series")
    with faulty_pacs([0x0000, ABORT]) as pacs:
        broken = run_send(tmp_path, f"FAULTY@127.0.0.1:{pacs.port}")
    absent = run_send(tmp_path, f"NOBODY@127.0.0.1:{free_port()}")
    assert (broken.returncode, absent.returncode) == (75, 75)
    assert broken.stdout.startswith("1 of ")
    assert "ended early: the peer broke off" in broken.stdout
    assert "ended early: the peer does not answer" in absent.stdout
    assert (broken.stderr, absent.stderr) == ("", "")


def test_links_are_named_and_not_followed_in_text_and_json(tmp_path: Path) -> None:
    made = make_series(tmp_path / "study" / "series")
    elsewhere = make_series(tmp_path / "elsewhere")
    study = tmp_path / "study"
    (study / "linked").symlink_to(tmp_path / "elsewhere")
    (study / "one.dcm").symlink_to(elsewhere.paths[0])
    (study / "gone").symlink_to(tmp_path / "nothing")
    (study / "again").symlink_to(made.paths[0])  # found by itself: nothing is missed
    with faulty_pacs() as pacs:
        peer = f"FAULTY@127.0.0.1:{pacs.port}"
        text, document = run_send(study, peer), run_send(study, peer, "--json")
        (tmp_path / "links").mkdir()
        (tmp_path / "links" / "linked").symlink_to(study)
        nothing = run_send(tmp_path / "links", peer)
    told = json.loads(document.stdout)
    assert told["total"] == told["sent"] == len(made.paths)
    assert told["passed_over"] == [
        {"path": "gone", "reason": "dangling_link"},
        {"path": "linked", "reason": "link_leaves_input"},
        {"path": "one.dcm", "reason": "link_leaves_input"},
    ]
    assert [line for line in text.stdout.splitlines() if line.startswith("not read")] == [
        f"not read: {item['path']} ({item['reason']})" for item in told["passed_over"]
    ]
    assert (text.returncode, document.returncode, nothing.returncode) == (0, 0, 10)
    assert "not read: linked (link_leaves_input)" in nothing.stderr


def test_a_folder_without_dicom_and_a_badly_written_peer_have_their_own_codes(
    tmp_path: Path,
) -> None:
    (tmp_path / "note.txt").write_text("x")
    empty = run_send(tmp_path, "PACS@127.0.0.1:104")
    wrong = run_send(tmp_path, "127.0.0.1:104")
    assert (empty.returncode, wrong.returncode) == (10, 2)
    assert "AET@HOST:PORT" in wrong.stderr
