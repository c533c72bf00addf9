"""The demo: a synthetic study through the same run as any other, and what was found."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.execute import Job, execute, load_models
from app.synthetic.dicom_series import write_study

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.settings import Settings
    from operators.case import Progress

DEMO_SEED: Final = 20240
"""An adult lumbar spine; any seed works."""

DEMO_TIME: Final = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)
"""A fixed clock: the demo writes the same bytes every time."""


def show_demo(
    folder: Path, settings: Settings, *, progress: Progress, is_cancelled: Callable[[], bool]
) -> int:
    """Write a synthetic study, segment it, say what was found and how to go on.

    Parameters
    ----------
    folder : Path
        Receives ``study`` (DICOM) and ``result`` (SEG objects and overlay).
    settings : Settings
        Models and device.
    progress, is_cancelled : callable
        As `app.execute.execute` takes them.

    Returns
    -------
    int
        Exit code of the run.
    """
    study, result = folder / "study", folder / "result"
    _say(f"1/3 writing a synthetic lumbar study to {study}")
    write_study(study, DEMO_SEED)
    _say("2/3 segmenting it: the T2w sagittal series is taken, the others are not")
    bundle = load_models(settings.models, settings.inference)
    job = Job(source=study, output=result, started=DEMO_TIME, overlay=True)
    record = execute(job, bundle, progress=progress, is_cancelled=is_cancelled)
    _say("3/3 what was found")
    for decision in record.decisions:
        verdict = "segmented" if decision["accepted"] else "not taken"
        _say(f"   {verdict:10s} {decision['description']}")
    for entry in record.series:
        if entry.error is not None:
            _say(f"   {entry.error.code}: {entry.error.message}")
            continue
        structures = ", ".join(
            f"{name.replace('_', ' ')} {ml:.1f} ml" for name, ml in entry.volumes_ml.items()
        )
        _say(f"   {entry.vertebrae} vertebrae ({record.numbering})")
        _say(f"   {structures}")
        for name in entry.files:
            _say(f"   {result / name}")
    if record.exit_code == 0:
        _say(f"Open {next(result.glob('*_overlay.png'))} to see it. {record.notice.capitalize()}.")
        spine_node = Path(sys.argv[0]).name
        _say(f"Your own study: .venv/bin/{spine_node} run -i STUDY_FOLDER -o OUTPUT_FOLDER")
    return record.exit_code


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
