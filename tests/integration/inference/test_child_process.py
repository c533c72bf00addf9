"""The real child with the bundled models on a small synthetic study."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from app.inference.protocol import Request
from app.inference.supervisor import Supervisor, child_command
from app.settings import WorkerSettings, load_settings
from app.synthetic.dicom_series import STUDY_PHANTOM, StudyOptions, write_study
from operators.dicom.provenance import Predecessor

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SMALL = replace(STUDY_PHANTOM, slices=9, in_plane=(100, 70), spacing=(4.4, 1.5, 1.5))


@pytest.mark.slow
def test_two_requests_share_the_loaded_models_and_a_revision_names_what_it_replaces(
    tmp_path: Path,
):
    study = write_study(tmp_path / "in", 5, options=StudyOptions(phantom=SMALL))

    settings = load_settings()

    async def work() -> tuple[list[dict], list[float], set[int | None]]:
        supervisor = Supervisor(
            child_command(settings.models, settings.inference), WorkerSettings()
        )
        await supervisor.start()
        records, times, pids = [], [], set()
        for number, replaced in enumerate(((), (_predecessor("semantic"),))):
            begun = time.monotonic()
            request = Request(
                job_id=f"{number}",
                source=tmp_path / "in",
                output=tmp_path / f"out{number}",
                started=STARTED,
                predecessors=replaced,
            )
            records.append(await supervisor.run(request))
            times.append(time.monotonic() - begun)
            pids.add(supervisor.pid)
        assert supervisor.ready is not None
        assert supervisor.ready.models["semantic"]["name"] == "spine_t2w_compact"
        await supervisor.close()
        return records, times, pids

    records, times, pids = asyncio.run(work())
    assert [record["exit_code"] for record in records] == [0, 0]
    assert len(pids) == 1
    # Nothing is loaded twice: the second run is no slower than the first by more than noise.
    assert times[1] < 1.5 * times[0]
    for number, record in enumerate(records):
        names = record["series"][0]["files"]
        assert sorted(p.name for p in (tmp_path / f"out{number}").iterdir()) == sorted(names)
        dataset = pydicom.dcmread(tmp_path / f"out{number}" / names[0])
        assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == study.t2_series_uid
        assert ("ReferencedImageSequence" in dataset) == (number == 1)


def _predecessor(kind: str) -> Predecessor:
    return Predecessor(kind=kind, study_uid="1.2", series_uid="1.2.3", sop_instance_uid="1.2.3.4")
