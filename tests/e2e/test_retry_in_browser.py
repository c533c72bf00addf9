"""A segmentation that failed for good, and an administrator who clicks on Retry."""

from __future__ import annotations

import shutil

import pydicom
import pytest
import yaml

from app.research.synthetic.dicom_series import write_study
from tests.builders.node import TITLE, running_node
from tests.builders.orthanc import free_port, needs_orthanc, running_orthanc

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    needs_orthanc,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def click_retry(address):
    """Open the dead letters in a browser, follow the first one, click."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page()
        page.goto(f"{address}/attention")
        page.get_by_role("button", name="Retry").first.click()
        page.wait_for_load_state()
        browser.close()


def test_a_click_on_retry_makes_2_segmentations_appear_in_the_pacs(tmp_path):
    written = write_study(tmp_path / "study", 6)
    study_uid = pydicom.dcmread(written.files[0], stop_before_pixels=True).StudyInstanceUID
    port = free_port()
    with running_orthanc(tmp_path / "pacs", modalities={"node": (TITLE, port)}) as pacs:
        pacs.upload_folder(tmp_path / "study")
        peer = {
            "name": "orthanc",
            "ae_title": pacs.ae_title,
            "host": "127.0.0.1",
            "port": pacs.dicom_port,
        }
        with running_node(
            tmp_path / "node",
            port,
            peers=[peer],
            routes=[{"origin": "orthanc", "destinations": ["orthanc"]}],
            delivery={"release": "auto"},
            worker={"inference_timeout_s": 0.2, "attempts": 1},
        ) as node:
            pacs.send_study(study_uid, "node")
            node.wait_until(lambda: [row["state"] for row in node.rows("job")] == ["dead"])
            assert pacs.find("Series", Modality="SEG") == []
            node.stop()
            document = yaml.safe_load(node.config.read_text(encoding="utf-8"))
            del document["node"]["worker"]
            node.config.write_text(yaml.safe_dump(document), encoding="utf-8")
            node.start()
            click_retry(f"http://127.0.0.1:{node.ports['web']}")
            node.wait_until(lambda: len(pacs.find("Series", Modality="SEG")) == 2)
            done = [row for row in node.rows("audit") if not row["action"].endswith(".view")]
            deeds = [(row["action"], row["subject"]) for row in done]
            assert [subject for _, subject in deeds] == [node.rows("job")[0]["job_id"]]
