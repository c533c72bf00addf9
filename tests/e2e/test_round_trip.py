"""Orthanc -> node -> Orthanc: the whole product, with somebody else's PACS on the far side.

Orthanc itself is asked what it holds, never our journal.
"""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor

import pydicom
import pytest
from highdicom.sr import EnhancedSR

from app.research.synthetic.dicom_series import write_study
from tests.builders.node import TITLE, running_node
from tests.builders.orthanc import free_port, needs_orthanc, running_orthanc

pytestmark = [needs_orthanc, pytest.mark.slow]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, write_study(folder, 5)


def objects(pacs, modality):
    """Objects of a modality that Orthanc holds."""
    uids = [
        answer["MainDicomTags"]["SeriesInstanceUID"]
        for answer in pacs.find("Series", Modality=modality)
    ]
    return [
        pydicom.dcmread(io.BytesIO(pacs.file(sop_uid)), stop_before_pixels=True)
        for uid in uids
        for sop_uid in pacs.sop_instance_uids(SeriesInstanceUID=uid)
    ]


def objects_received(node):
    """By all associations that have ended."""
    return sum(row["objects"] for row in node.rows("association"))


def test_a_study_sent_3_times_in_parallel_with_kills_in_between_gives_exactly_3_new_series(
    tmp_path, study
):
    folder, written = study
    first = pydicom.dcmread(written.files[0], stop_before_pixels=True)
    port = free_port()
    with running_orthanc(tmp_path / "pacs", modalities={"node": (TITLE, port)}) as pacs:
        pacs.upload_folder(folder)
        series_before = len(pacs.find("Series"))
        peer = {
            "name": "orthanc",
            "ae_title": pacs.ae_title,
            "host": "127.0.0.1",
            "port": pacs.dicom_port,
        }
        routes = [{"origin": "orthanc", "destinations": ["orthanc"]}]
        with running_node(
            tmp_path / "node", port, peers=[peer], routes=routes, delivery={"release": "auto"}
        ) as node:
            with ThreadPoolExecutor(3) as senders:
                list(
                    senders.map(lambda _: pacs.send_study(first.StudyInstanceUID, "node"), range(3))
                )
            node.wait_until(lambda: any(row["state"] == "running" for row in node.rows("job")))
            node.kill()
            pacs.kill()
            node.start()
            # Deliveries begin while the PACS is down.
            node.wait_until(lambda: any(row["last_error"] for row in node.rows("delivery")))
            pacs.start()
            node.wait_until(
                lambda: {row["state"] for row in node.rows("delivery")} == {"delivered"}
            )
            before = objects_received(node)
            pacs.send_study(first.StudyInstanceUID, "node")
            # With the results, which are of the same study.
            node.wait_until(lambda: objects_received(node) >= before + len(written.files))
            time.sleep(0.5)  # the worker looks twice: nothing may come of it
            assert len(node.rows("job")) == 1
            assert node.rows("job")[0]["state"] == "succeeded"
            accepted = [
                row["series_uid"] for row in node.rows("series") if row["state"] == "accepted"
            ]
            assert accepted == [written.lumbar.uid]
        found = objects(pacs, "SEG")
        assert len(found) == 2
        assert len(pacs.find("Series")) == series_before + 3
        (report,) = objects(pacs, "SR")
    for segmentation in found:
        sources = {item.SeriesInstanceUID for item in segmentation.ReferencedSeriesSequence}
        assert sources == {written.lumbar.uid}
        assert segmentation.StudyInstanceUID == first.StudyInstanceUID
        assert segmentation.PatientID == first.PatientID
    read = EnhancedSR.from_dataset(report)
    assert read.content.get_volumetric_roi_measurement_groups()
    assert {sop for _, _, sop, _ in read.get_evidence()} >= {one.SOPInstanceUID for one in found}
