"""The demo: a node and a PACS on free loopback ports, one study through both.

The study goes to the node by C-STORE, as a PACS would send it; the segmentations come back by
C-STORE. Only the PACS is a small one of our own; the node is ``spine-node serve``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from app.cli.sample_pacs import AE_TITLE as PACS_TITLE
from app.cli.sample_pacs import SamplePacs
from app.errors import ExitCode, ServiceError
from app.node.journal.engine import journal_url, open_journal, reading
from app.node.journal.states import JobState
from app.node.journal.tables import JOB
from app.node.peers.store import read_storable, store_files
from app.research.synthetic.dicom_series import write_study
from app.settings.peers import DimsePeerSettings
from operators.anatomy.levels import numbers_text
from operators.dicom.identity.result_kinds import DELIVERED, KINDS, OVERLAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import RowMapping

    from app.settings import Settings
    from operators.case import Progress

DEMO_SEED: Final = 20240
"""An adult lumbar spine; any seed works."""

NODE_TITLE: Final = "SPINENODE"
PATIENCE_S: Final = 600.0
"""Models are loaded and one lumbar series is segmented within a minute on two idle cores."""

_POLL_S: Final = 0.25
_RESULTS: Final = sum(kind.group in DELIVERED for kind in KINDS.values())
"""Objects per series that the PACS is sent."""

_ENDED: Final = (JobState.REFUSED, JobState.DEAD, JobState.CANCELLED)


def show_demo(
    folder: Path, settings: Settings, *, progress: Progress, is_cancelled: Callable[[], bool]
) -> int:
    """Take a synthetic study through node and PACS, say what was found and how to go on.

    Parameters
    ----------
    folder : Path
        Receives ``study`` (DICOM), ``pacs`` (the segmentations as the PACS got them), ``node``
        (the node's data), ``app.yaml`` and ``overlay.png``.
    settings : Settings
        Models and device.
    progress : callable
        Told (case key, step, fraction).
    is_cancelled : callable
        True ends the demo.

    Returns
    -------
    int
        0 when the segmentations have arrived in the PACS.
    """
    for part in ("study", "pacs", "node"):
        shutil.rmtree(folder / part, ignore_errors=True)
    _say(f"1/4 writing a synthetic lumbar study to {folder / 'study'}")
    write_study(folder / "study", DEMO_SEED)
    pacs = SamplePacs(folder / "pacs")
    files = pacs.hold(folder / "study")
    try:
        config = _write_config(folder, settings, pacs.start())
        _say("2/4 starting the node: DICOM listener, worker, web page")
        with _node(config) as node:
            _say(
                f"3/4 sending {len(files)} images to {NODE_TITLE}@127.0.0.1:{node.port('listener')}"
            )
            send_to = DimsePeerSettings(
                name="node", ae_title=NODE_TITLE, host="127.0.0.1", port=node.port("listener")
            )
            _send(files, send_to)
            wait = _Wait(node, pacs, progress, is_cancelled)
            job = wait.for_results(folder / "node")
            return _tell(folder, pacs, job, node.port("web"))
    finally:
        pacs.stop()


def _write_config(folder: Path, settings: Settings, pacs_port: int) -> Path:
    document = settings.model_dump(mode="json", by_alias=True, exclude={"node"})
    document["node"] = {
        "data": str((folder / "node").absolute()),
        "listener": {"ae_title": NODE_TITLE, "port": 0},
        "web": {"port": 0},
        "peers": [{"name": "pacs", "ae_title": PACS_TITLE, "host": "127.0.0.1", "port": pacs_port}],
        "routes": [{"origin": "pacs", "destinations": ["pacs"]}],
        "delivery": {"release": "auto"},
    }
    config = folder / "app.yaml"
    config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return config


@dataclass(slots=True)
class _Node:
    """A running ``spine-node serve`` and the ports it told."""

    process: subprocess.Popen[str]
    ports: dict[str, int] = field(default_factory=dict)

    def port(self, role: str) -> int:
        """Port of a role, once it is ready."""
        deadline = time.monotonic() + PATIENCE_S
        while role not in self.ports:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError("the node did not start; its log is in node.log")
            time.sleep(_POLL_S)
        return self.ports[role]

    def listen(self) -> None:
        """Take the ready lines."""
        for line in self.process.stdout or ():
            message = json.loads(line)
            self.ports[message["role"]] = int(message["port"])


@contextmanager
def _node(config: Path) -> Iterator[_Node]:
    command = [sys.executable, "-m", "app.cli.main", "serve", "--json", "--config", str(config)]
    root = Path(__file__).resolve().parents[2]
    with (config.parent / "node.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=root
        )
    node = _Node(process)
    thread = threading.Thread(target=node.listen, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        process.terminate()
        process.wait()
        thread.join()


def _send(files: list[Path], node: DimsePeerSettings) -> None:
    refused: list[int | None] = []
    store_files(
        node,
        PACS_TITLE,
        [read_storable(path) for path in files],
        on_answer=lambda _file, status: refused.append(status) if status != 0 else None,
    )
    if refused:
        raise ServiceError(f"the node refused {len(refused)} images; its log is in node.log")


@dataclass(frozen=True, slots=True)
class _Wait:
    """What is watched until the results are back."""

    node: _Node
    pacs: SamplePacs
    progress: Progress
    is_cancelled: Callable[[], bool]

    def for_results(self, data: Path) -> dict[str, Any]:
        """Row of the job, when its results are in the PACS or it has ended without."""
        engine = open_journal(journal_url(data, None))
        deadline = time.monotonic() + PATIENCE_S
        try:
            while not self.is_cancelled() and time.monotonic() < deadline:
                if self.node.process.poll() is not None:
                    break
                with reading(engine) as connection:
                    job = connection.execute(JOB.select()).mappings().first()
                if job is not None and self._is_over(job):
                    return dict(job)
                time.sleep(_POLL_S)
        finally:
            engine.dispose()
        raise ServiceError("no result arrived; the node's log is in node.log")

    def _is_over(self, job: RowMapping) -> bool:
        if job["step"]:
            self.progress("study", job["step"], job["fraction"])
        has_arrived = len(self.pacs.received()) >= _RESULTS
        return job["state"] in _ENDED or (job["state"] == JobState.SUCCEEDED and has_arrived)


def _tell(folder: Path, pacs: SamplePacs, job: dict[str, Any], web_port: int) -> int:
    record = json.loads(job["record"])
    _say("4/4 what was found")
    for entry in record.get("series", []):
        structures = ", ".join(
            f"{name.replace('_', ' ')} {ml:.1f} ml" for name, ml in entry["volumes_ml"].items()
        )
        numbers = numbers_text(entry["vertebra_numbers"], entry["levels"])
        _say(f"   {entry['vertebrae']} vertebrae: {numbers} ({entry['numbering']})")
        _say(f"   {structures}")
    if job["state"] != JobState.SUCCEEDED:
        _say(f"   {job['error_code']}: {job['error_message']}")
        return int(ExitCode.INFERENCE)
    for held in pacs.received():
        _say(f"   back in the PACS: {held.path}")
    for overlay in (folder / "node" / "results" / job["job_id"]).glob(f"*{OVERLAY.suffix}"):
        shutil.copyfile(overlay, folder / "overlay.png")
    notice = str(record["notice"])
    _say(f"Open {folder / 'overlay.png'} to see it. {notice[:1].upper()}{notice[1:]}.")
    command = f".venv/bin/spine-node serve --config {folder / 'app.yaml'}"
    _say(f"The page of the node was http://127.0.0.1:{web_port}/; to see it again: {command}")
    _say(
        "Your own study, without a PACS: .venv/bin/spine-node run -i STUDY_FOLDER -o OUTPUT_FOLDER"
    )
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
