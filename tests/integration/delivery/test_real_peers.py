"""Deliveries to other people's programs: Orthanc (with C-FIND) and dcmtk's storescp (without)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from highdicom.sr import EnhancedSR
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from app.errors import PeerUnreachableError
from app.node.delivery.attempt import Courier
from app.node.journal.deliveries import due
from app.node.journal.delivery_decisions import resend
from app.node.journal.engine import transaction
from app.node.peers.dimse import echo
from app.node.peers.store import read_storable, store_files
from app.settings.peers import DicomwebPeerSettings, DimsePeerSettings, PeerSettings
from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.documents import encode_pdf, encode_preview
from operators.dicom.results.segmentation import encode_segmentations
from tests.builders.destination_kinds import KINDS
from tests.builders.faulty_pacs import HOST
from tests.builders.golden_result import golden_report
from tests.builders.mr_series import make_series
from tests.builders.orthanc import (
    DICOMWEB_PLUGIN,
    Orthanc,
    free_port,
    needs_orthanc,
    needs_orthanc_dicomweb,
    running_orthanc,
)
from tests.builders.planned_deliveries import (
    Heard,
    VirtualClock,
    delivery_rows,
    journal_in,
    node_of,
    plan_job,
    states_of,
)
from tests.builders.results import CONTEXT, label_maps, volume_of
from tests.builders.waiting import comes_true, eventually

# pynetdicom drops the socket of a refused connection without closing it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

STORESCP = shutil.which("storescp")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[Orthanc]:
    plugins = [str(DICOMWEB_PLUGIN)] if DICOMWEB_PLUGIN.exists() else []
    with running_orthanc(tmp_path, Plugins=plugins, DicomWeb={"Enable": True}) as running:
        yield running


def orthanc_peer(pacs: Orthanc) -> DimsePeerSettings:
    return DimsePeerSettings(name="pacs", ae_title=pacs.ae_title, host=HOST, port=pacs.dicom_port)


def web_peer(pacs: Orthanc) -> DicomwebPeerSettings:
    url = f"http://{HOST}:{pacs.http_port}/dicom-web/"
    return DicomwebPeerSettings(name="pacs", kind="dicomweb", url=url)


BY = pytest.mark.parametrize(
    ("peer_of", "found_by"),
    [
        (orthanc_peer, "c_find"),
        pytest.param(web_peer, "qido_rs", marks=needs_orthanc_dicomweb),
    ],
    ids=["dimse", "dicomweb"],
)


@needs_orthanc
@BY
def test_orthanc_ends_up_with_each_object_once_and_byte_for_byte(
    tmp_path: Path, pacs: Orthanc, peer_of: Callable[[Orthanc], PeerSettings], found_by: str
) -> None:
    data = tmp_path / "node"
    engine = journal_in(data)
    job = plan_job(engine, data)
    courier = Courier(engine, node_of(data, peer_of(pacs)))
    assert courier.attempt(job.group()).is_finished
    assert pacs.sop_instance_uids() == list(job.sop_instance_uids)
    assert {row.confirmed_by for row in delivery_rows(engine, job)} == {found_by}
    for path in job.paths:
        uid = dcmread(path, stop_before_pixels=True).SOPInstanceUID
        assert pacs.file(uid)[-4000:] == path.read_bytes()[-4000:]


@needs_orthanc
@BY
def test_orthanc_killed_in_the_middle_and_started_again_holds_each_object_once(
    tmp_path: Path, pacs: Orthanc, peer_of: Callable[[Orthanc], PeerSettings], found_by: str
) -> None:
    data = tmp_path / "node"
    engine = journal_in(data)
    job = plan_job(engine, data, objects=60)
    clock, heard = VirtualClock(), Heard()
    courier = Courier(engine, node_of(data, peer_of(pacs)), clock=clock, emit=heard)
    first = threading.Thread(target=courier.attempt, args=(job.group(),))
    first.start()
    assert comes_true(lambda: states_of(engine, job).count("sent") >= 5, every_s=0.002)
    pacs.kill()
    first.join()
    before = states_of(engine, job)
    assert before.count("sent") >= 5
    assert before.count("queued") >= 5
    clock.advance(30)
    assert courier.attempt(job.group()).delay_s is not None  # still dead
    pacs.start()
    for _ in range(5):
        clock.advance(60)
        if courier.attempt(job.group()).is_finished:
            break
    assert states_of(engine, job) == ["delivered"] * 60
    assert {row.confirmed_by for row in delivery_rows(engine, job)} == {found_by}
    assert pacs.sop_instance_uids() == list(job.sop_instance_uids)
    assert pacs.count_instances() == 60


@needs_orthanc
def test_an_object_that_orthanc_lost_is_sent_again_when_a_person_says_so(
    tmp_path: Path, pacs: Orthanc
) -> None:
    data = tmp_path / "node"
    engine = journal_in(data)
    job = plan_job(engine, data)
    courier = Courier(engine, node_of(data, orthanc_peer(pacs)))
    courier.attempt(job.group())
    pacs.delete_series(job.series_uid)
    assert pacs.count_instances() == 0
    with transaction(engine) as c:
        assert resend(c, job.job_id, time.time())
        (group,) = due(c, time.time())
    assert courier.attempt(group).is_finished
    assert pacs.sop_instance_uids() == list(job.sop_instance_uids)


@needs_orthanc
@BY
def test_orthanc_keeps_a_compressed_object_as_it_is(
    tmp_path: Path, pacs: Orthanc, peer_of: Callable[[Orthanc], PeerSettings], found_by: str
) -> None:
    data = tmp_path / "node"
    engine = journal_in(data)
    job = plan_job(engine, data, objects=1, is_compressed=True)
    courier = Courier(engine, node_of(data, peer_of(pacs)))
    assert courier.attempt(job.group()).is_finished
    kept = dcmread(BytesIO(pacs.file(job.sop_instance_uids[0])))
    assert kept.file_meta.TransferSyntaxUID == RLELossless
    assert kept.PixelData == dcmread(job.paths[0]).PixelData


@needs_orthanc
def test_orthanc_keeps_a_report_byte_for_byte(tmp_path: Path, pacs: Orthanc) -> None:
    report = golden_report(tmp_path)
    answers: list[int | None] = []
    file = read_storable(tmp_path / "report.dcm")
    store_files(
        orthanc_peer(pacs), "SPINENODE", [file], on_answer=lambda _, status: answers.append(status)
    )
    assert answers == [0]
    kept = pacs.file(str(report.SOPInstanceUID))
    assert kept[-10_000:] == (tmp_path / "report.dcm").read_bytes()[-10_000:]
    read = EnhancedSR.from_dataset(dcmread(BytesIO(kept)))
    assert len(read.content.get_volumetric_roi_measurement_groups()) >= 4


@needs_orthanc
def test_orthanc_keeps_report_and_picture_and_gives_the_same_document_and_pixels_back(
    tmp_path: Path, pacs: Orthanc
) -> None:
    volume = volume_of(make_series(tmp_path / "mr"))
    semantic, _ = encode_segmentations(*label_maps(volume), volume, CONTEXT)
    picture = np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3)
    made = [
        encode_pdf(b"%PDF-1.4 page", "Title", semantic, CONTEXT),
        encode_preview(picture, semantic, CONTEXT),
    ]
    files = []
    for number, dataset in enumerate(made):
        write_dataset(dataset, tmp_path / f"{number}.dcm")
        files.append(read_storable(tmp_path / f"{number}.dcm"))
    answers: list[int | None] = []
    store_files(
        orthanc_peer(pacs), "SPINENODE", files, on_answer=lambda _, status: answers.append(status)
    )
    assert answers == [0, 0]
    pdf, preview = (dcmread(BytesIO(pacs.file(one.SOPInstanceUID))) for one in made)
    assert pdf.EncapsulatedDocument[: pdf.EncapsulatedDocumentLength] == b"%PDF-1.4 page"
    np.testing.assert_array_equal(preview.pixel_array, picture)
    assert preview.file_meta.TransferSyntaxUID == RLELossless


@pytest.mark.skipif(STORESCP is None, reason="dcmtk is not installed (make peers)")
@pytest.mark.parametrize(
    ("accepts", "kept_in"),
    [
        ("+xs", ExplicitVRLittleEndian),  # JPEG lossless and uncompressed, no RLE
        ("+xi", ImplicitVRLittleEndian),
        ("+xr", RLELossless),
    ],
)
def test_dcmtk_storescp_gets_a_compressed_object_in_a_syntax_it_takes(
    tmp_path: Path, accepts: str, kept_in: str
) -> None:
    with storescp(tmp_path / "received", accepts) as (port, received):
        data = tmp_path / "node"
        engine = journal_in(data)
        job = plan_job(engine, data, objects=1, is_compressed=True)
        peer = DimsePeerSettings(name="pacs", ae_title="STORESCP", host=HOST, port=port)
        assert Courier(engine, node_of(data, peer)).attempt(job.group()).is_finished
        (file,) = received.iterdir()
    kept, sent = dcmread(file), dcmread(job.paths[0])
    assert kept.file_meta.TransferSyntaxUID == kept_in
    assert kept.SOPInstanceUID == sent.SOPInstanceUID
    assert kept.pixel_array.tobytes() == sent.pixel_array.tobytes()
    (row,) = delivery_rows(engine, job)
    assert bool(row.is_uncompressed) == (kept_in != RLELossless)


@contextmanager
def storescp(folder: Path, *options: str) -> Iterator[tuple[int, Path]]:
    """dcmtk's receiver on a free port, once it answers."""
    folder.mkdir()
    port = free_port()
    server = subprocess.Popen(
        [str(STORESCP), "-q", "-od", str(folder), *options, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        peer = DimsePeerSettings(name="pacs", ae_title="STORESCP", host=HOST, port=port)

        def answers() -> bool:
            with suppress(PeerUnreachableError):
                echo(peer, "SPINENODE")
                return True
            return False

        eventually(answers)
        yield port, folder
    finally:
        server.terminate()
        server.wait()


@pytest.mark.skipif(STORESCP is None, reason="dcmtk is not installed (make peers)")
def test_dcmtk_storescp_offers_no_c_find_and_is_taken_at_its_word(tmp_path: Path) -> None:
    data = tmp_path / "node"
    with storescp(tmp_path / "received", "+B") as (port, received):
        engine = journal_in(data)
        job = plan_job(engine, data)
        peer = DimsePeerSettings(name="pacs", ae_title="STORESCP", host=HOST, port=port)
        courier = Courier(engine, node_of(data, peer), clock=VirtualClock())
        assert courier.attempt(job.group()).is_finished
    assert [row.confirmed_by for row in delivery_rows(engine, job)] == ["c_store"] * 2
    files = sorted(received.iterdir())
    assert len(files) == 2
    sent = {path.read_bytes()[-4000:] for path in job.paths}
    assert {file.read_bytes()[-4000:] for file in files} == sent


@pytest.mark.parametrize(("kind", "kept"), [("dimse", 1), ("dimse", 3), ("dicomweb", 3)])
def test_a_node_killed_after_the_peer_kept_an_object_sends_only_the_rest(
    tmp_path: Path, kind: str, kept: int
) -> None:
    engine = journal_in(tmp_path)
    job = plan_job(engine, tmp_path, objects=4)
    node: list[subprocess.Popen[bytes]] = []

    def kill_node() -> None:
        node[0].kill()
        node[0].wait()

    with KINDS[kind]([0x0000] * (kept - 1) + [kill_node]) as pacs:
        settings = node_of(tmp_path, pacs.peer())
        code = (
            "import sys\n"
            "from app.node.delivery.attempt import Courier\n"
            "from app.node.journal.deliveries import due\n"
            "from app.node.journal.engine import journal_url, open_journal, reading\n"
            "from app.settings import NodeSettings\n"
            "node = NodeSettings.model_validate_json(sys.argv[1])\n"
            "engine = open_journal(journal_url(node.data, None))\n"
            "with reading(engine) as c: groups = due(c, 2e9)\n"
            "Courier(engine, node).attempt(groups[0])\n"
        )
        command = [sys.executable, "-W", "ignore", "-c", code, settings.model_dump_json()]
        node.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))
        assert node[0].wait(timeout=60) == -9
        assert states_of(engine, job) == ["sent"] * (kept - 1) + ["queued"] * (5 - kept)
        assert Courier(engine, settings).attempt(job.group()).is_finished
    assert pacs.received == list(job.sop_instance_uids)
    assert states_of(engine, job) == ["delivered"] * 4
