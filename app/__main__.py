"""Run once over the folders a MAP host names: ``python -m app``, ``python app``.

In the image a copy of this file lies beside the packages ``app`` and ``operators``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

here = Path(__file__).resolve().parent
root = here if (here / "operators").is_dir() else here.parent
if sys.path[0] != str(root):
    # Started as "python app": Python put the package's own folder first.
    sys.path[0] = str(root)

from app.cli.main import now  # noqa: E402
from app.console import reporting  # noqa: E402
from app.errors import ExitCode, crash_line, exit_code_of  # noqa: E402
from app.run.bootstrap import quiet_libraries  # noqa: E402
from app.run.identity import intended_use_of, parameters_of  # noqa: E402
from app.settings import HostFolders, Settings, host_folders, load_settings  # noqa: E402
from app.signals import stop_requests  # noqa: E402
from operators.errors import SeriesUnsuitableError, SpineError  # noqa: E402

if TYPE_CHECKING:
    from app.run.record import ResultRecord

RESULT_FILE = "result.json"


def parse(arguments: list[str], folders: HostFolders) -> argparse.Namespace:
    """Folders from the command line, else from the environment."""
    parser = argparse.ArgumentParser(prog="app", description="Segment one folder of DICOM.")
    parser.add_argument("-i", "--input", type=Path, default=folders.input)
    parser.add_argument("-o", "--output", type=Path, default=folders.output)
    parser.add_argument("-m", "--model", type=Path, default=folders.models)
    parser.add_argument("--config", type=Path, default=None)
    return parser.parse_args(arguments)


def perform(arguments: argparse.Namespace, folders: HostFolders) -> int:
    """Run once and answer with the exit code of the contract."""
    settings: Settings = load_settings(arguments.config)
    models = settings.models
    if arguments.model is not None:
        models = models.model_copy(update={"directory": arguments.model})
    with stop_requests() as stop, reporting(as_json=False) as progress:
        # Not at the top: importing it starts threads, which must find the signals blocked.
        from app.run.execute import Job, execute  # noqa: PLC0415
        from app.run.models import load_models  # noqa: PLC0415
        from app.run.record import quality_lines  # noqa: PLC0415
        from operators.dicom.selection.series_selection import SelectionSettings  # noqa: PLC0415

        bundle = load_models(models, settings.inference)
        job = Job(
            source=arguments.input,
            output=arguments.output,
            started=now(),
            extras=settings.output.extras,
            selection=SelectionSettings(**settings.selection.model_dump()),
            parameters=parameters_of(settings),
            intended_use=intended_use_of(settings),
        )
        record = execute(job, bundle, progress=progress, is_cancelled=stop.is_set)
    if folders.logs is not None and folders.logs.is_dir():
        leave_record(folders.logs, record)
    for line in quality_lines(record):
        sys.stderr.write(f"{line}\n")
    if record.error is not None:
        sys.stderr.write(f"{record.error.code}: {record.error.message}\n")
        unsuitable = record.error.code == SeriesUnsuitableError.code
        if unsuitable and settings.on_no_series == "success":
            return int(ExitCode.OK)
    return record.exit_code


def leave_record(folder: Path, record: ResultRecord) -> None:
    """Write the result record into the host's log folder; a run does not fail for want of it."""
    text = json.dumps(without_descriptions(record.without_uids().as_dict()), indent=1) + "\n"
    try:
        (folder / RESULT_FILE).write_text(text, encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"the result record cannot be written: {error.strerror}\n")


def without_descriptions(record: dict[str, Any]) -> dict[str, Any]:
    """Drop what an operator typed and the UIDs: a host's log folder is no place for them."""
    private = {"description", "study_uid", "series_uid"}
    decisions = [
        {key: value for key, value in decision.items() if key not in private}
        for decision in record["decisions"]
    ]
    return {**record, "decisions": decisions}


def main() -> int:
    """Answer with an exit code, whatever happens."""
    quiet_libraries()
    folders = host_folders()
    try:
        return perform(parse(sys.argv[1:], folders), folders)
    except SpineError as error:
        sys.stderr.write(f"{error}\n")
        return int(exit_code_of(error))
    except Exception as error:  # noqa: BLE001 - the border of the process
        sys.stderr.write(f"{crash_line(error)}\n")
        return int(ExitCode.INTERNAL)


if __name__ == "__main__":
    sys.exit(main())
