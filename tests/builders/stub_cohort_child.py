"""A stand-in for the inference child of a cohort: files as a run writes them, no networks.

Results follow from the image's bytes and the request alone. What is no gzip is refused; an image
called ``*crash*`` ends the process, one called ``*full*`` finds no space. Every request that began
and ended is a line in the log. It speaks the protocol in plain JSON, since it is started dozens of
times.

Run: ``python -m tests.builders.stub_cohort_child LOG SECONDS``.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from app.signals import die_with_parent, ignore_stop_requests

ROOT = Path(__file__).resolve().parents[2]
MODELS = {"semantic": {"name": "stub", "version": "0", "digest": "00"}}
TABLE = "series,instance,level,structure,measure,value,unit,reason\n"
MEASURE = "vertebral_body,body_middle_height"


def command(log: Path, work_s: float) -> tuple[str, ...]:
    """What a `Supervisor` is given."""
    module = "tests.builders.stub_cohort_child"
    environment = ("/usr/bin/env", f"PYTHONPATH={ROOT}")
    return (*environment, sys.executable, "-W", "ignore", "-m", module, str(log), str(work_s))


def main() -> None:
    log, work_s = Path(sys.argv[1]), float(sys.argv[2])
    ignore_stop_requests()
    die_with_parent()
    say({"type": "ready", "profile": "stub", "models": MODELS})
    for line in sys.stdin.buffer:
        request = json.loads(line)
        source = Path(request["source"])
        note(log, f"begin {os.getpid()} {source.name}")
        if "crash" in source.name:
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(work_s)
        record = segment(source, Path(request["output"]), request["started"])
        note(log, f"end {os.getpid()} {source.name}")
        say({"type": "done", "job_id": request["job_id"], "record": record})


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(message)}\n")
    sys.stdout.flush()


def note(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(f"{line}\n")


def segment(source: Path, output: Path, started: str) -> dict[str, Any]:
    """`ResultRecord` as a dict."""
    about = {"status": "ok", "exit_code": 0, "series": [], "passed_over": {}, "error": None}
    about |= {"models": MODELS, "profile": "stub", "duration_s": 0.1, "notice": "stub"}
    if "full" in source.name:
        error = {"code": "SPN-5100", "message": "no space left on device", "reasons": []}
        return about | {"status": "failed", "exit_code": 40, "error": {**error, "exit_code": 40}}
    content = source.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        error = {"code": "SPN-1001", "message": "no", "reasons": ["unreadable_nifti"]}
        return about | {"status": "failed", "exit_code": 10, "error": {**error, "exit_code": 10}}
    key, sha = source.name.removesuffix(".nii.gz"), hashlib.sha256(content).hexdigest()
    stem = key.replace("_T2w", "_mod-T2w")
    text = f"{sha} {started}\n"
    files = {
        f"{stem}_seg-spine_msk.nii.gz": text,
        f"{stem}_seg-vert_msk.nii.gz": text,
        f"{stem}_seg-spine_ctd.json": text,
        f"{key}_overlay.png": text,
        f"{stem}_measurements.csv": f"{TABLE}{key},20,,{MEASURE},2{int(sha[:1], 16)},mm,\n",
    }
    output.mkdir(parents=True)
    for name, content_of in files.items():
        (output / name).write_text(content_of)
    return about | {"series": [entry_of(key, list(files))]}


def entry_of(key: str, files: list[str]) -> dict[str, Any]:
    """`SeriesRecordEntry` as a dict."""
    return {
        "key": key,
        "status": "ok",
        "error": None,
        "files": files,
        "vertebrae": 5,
        "volumes_ml": {"corpus": 100.0},
        "confidence": {"structures": {"corpus": 0.9}, "vertebrae": {}},
        "durations_s": {"segment_semantic": 0.5, "write_segmentation": 0.25},
        "stack": {},
        "numbering": "",
        "levels": {},
        "agreement": {},
        "quality": {"outcome": "release", "findings": []},
        "facts": [],
    }


if __name__ == "__main__":
    main()
