"""The real child with the bundled models on a small synthetic study."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pydicom
import pytest

from app.errors import InferenceLostError
from app.node.inference.protocol import Request
from app.node.inference.supervisor import Supervisor, child_command
from app.research.synthetic.dicom_series import STUDY_PHANTOM, StudyOptions, write_study
from app.settings import ModelSettings, WorkerSettings, load_settings
from operators.dicom.identity.provenance import Predecessor
from tests.builders.waiting import comes_true

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SMALL = replace(STUDY_PHANTOM, slices=9, in_plane=(100, 70), spacing=(4.4, 1.5, 1.5))


@pytest.mark.slow
def test_two_requests_share_the_loaded_models_and_a_revision_names_what_it_replaces(
    tmp_path: Path,
):
    study = write_study(tmp_path / "in", 5, options=StudyOptions(phantom=SMALL))

    settings = load_settings()

    async def work() -> tuple[list[dict], list[int], set[int | None]]:
        supervisor = Supervisor(child_command(settings), WorkerSettings())
        await supervisor.start()
        records, read, pids = [], [], set()
        for number, replaced in enumerate(((), (_predecessor("semantic"),))):
            request = Request(
                job_id=f"{number}",
                source=tmp_path / "in",
                output=tmp_path / f"out{number}",
                started=STARTED,
                predecessors=replaced,
            )
            records.append(await supervisor.run(request))
            pids.add(supervisor.pid)
            read.append(psutil.Process(supervisor.pid).io_counters().read_chars)
        assert supervisor.ready is not None
        assert supervisor.ready.models["semantic"]["name"] == "spine_t2w_compact"
        await supervisor.close()
        return records, read, pids

    records, read, pids = asyncio.run(work())
    assert [record["exit_code"] for record in records] == [0, 0]
    assert len(pids) == 1
    # Nothing is loaded twice: the second run reads the images, and no weights.
    weights = sum(path.stat().st_size for path in settings.models.directory.rglob("*.pth"))
    assert read[1] - read[0] < weights / 4
    for number, record in enumerate(records):
        names = record["series"][0]["files"]
        assert sorted(p.name for p in (tmp_path / f"out{number}").iterdir()) == sorted(names)
        dataset = pydicom.dcmread(tmp_path / f"out{number}" / names[0])
        assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == study.lumbar.uid
        assert ("RelatedSeriesSequence" in dataset) == (number == 1)


def test_a_model_that_is_missing_is_named_by_the_child_and_not_a_crash(tmp_path: Path):
    nothing = ModelSettings(directory=tmp_path, semantic="none", instance="none")
    settings = load_settings().model_copy(update={"models": nothing})

    async def work() -> None:
        supervisor = Supervisor(child_command(settings), WorkerSettings())
        with pytest.raises(InferenceLostError, match="exit 20, SPN-2000: ") as caught:
            await supervisor.start()
        assert caught.value.reasons == ("start", "exit 20", "SPN-2000")
        await supervisor.close()

    asyncio.run(work())


def test_a_worker_killed_while_its_child_loads_leaves_no_child():
    settings = load_settings()
    command = child_command(settings)
    script = (
        "import asyncio, sys, time\n"
        "from app.node.inference.supervisor import Supervisor\n"
        "from app.settings import WorkerSettings\n"
        "s = Supervisor(sys.argv[1:], WorkerSettings())\n"
        "async def start():\n"
        "    task = asyncio.create_task(s.start())\n"
        "    while s.pid is None:\n"
        "        await asyncio.sleep(0.01)\n"
        "    print(s.pid, flush=True)\n"
        "    await task\n"
        "asyncio.run(start())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *command], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert comes_true(lambda: _has_imported(child, "torch"), 60)
        parent.kill()
    assert comes_true(lambda: _is_gone(child))


def _has_imported(process: psutil.Process, name: str) -> bool:
    return any(f"/{name}/" in mapped.path for mapped in process.memory_maps())


def _is_gone(process: psutil.Process) -> bool:
    """A zombie that nobody has waited for yet counts."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _predecessor(kind: str) -> Predecessor:
    return Predecessor(kind=kind, study_uid="1.2", series_uid="1.2.3", sop_instance_uid="1.2.3.4")
