"""Every command of ``spine-node``: arguments in, one call, an exit code out."""

from __future__ import annotations

import errno
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import audit, deploy, installation, node, upkeep, users
from app.cli.annotation import annotate
from app.cli.cohort import cohort
from app.cli.evaluation import evaluate
from app.cli.explain import explain
from app.cli.groups import INSTALLATION, NODE, RESEARCH, STUDY
from app.cli.models import JsonOption, ModelsOption, models_app
from app.cli.send import send
from app.cli.training import train_app
from app.console import emit_json, plain_output, reporting
from app.errors import ConfigurationError, ExitCode, crash_line, exit_code_of
from app.extras import missing_extra
from app.run.bootstrap import quiet_libraries
from app.run.checks import RunPaths, names_given, require_folder, require_usable
from app.run.identity import intended_use_of, parameters_of
from app.settings import Settings, load_settings
from app.signals import stop_requests
from operators.anatomy.levels import numbers_text
from operators.errors import SpineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.run.record import ResultRecord

app = typer.Typer(
    name="spine-node",
    help="Spine MR segmentation: sagittal T2w series in, DICOM SEG out. Research use only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(models_app, name="models", rich_help_panel=INSTALLATION)
app.add_typer(train_app, name="train", rich_help_panel=RESEARCH)
# In the order in which their groups are shown.
app.command(rich_help_panel=STUDY)(explain)
node.register(app)
upkeep.register(app)
users.register(app)
audit.register(app)
app.command(rich_help_panel=NODE)(send)
app.command(rich_help_panel=RESEARCH)(cohort)
app.command(rich_help_panel=RESEARCH)(evaluate)
app.command(rich_help_panel=RESEARCH)(annotate)
installation.register(app)
deploy.register(app)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="app.yaml to use.")]


def main() -> None:
    """Entry point of the console script: every named error becomes its exit code."""
    quiet_libraries()
    plain_output()
    try:
        require_arguments(sys.argv[1:])
        app()
    except SpineError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(int(exit_code_of(error)))
    except Exception as error:  # noqa: BLE001 - the border of the process
        told = missing_extra(error) if isinstance(error, ImportError) else None
        if told is not None:
            sys.stderr.write(f"{told}\n")
            sys.exit(int(exit_code_of(told)))
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            sys.stderr.write("a path that was given is too long\n")
            sys.exit(int(ExitCode.USAGE))
        # The type alone: messages of foreign errors may hold patient data.
        sys.stderr.write(f"{crash_line(error)}\n")
        sys.exit(int(ExitCode.INTERNAL))


def require_arguments(arguments: list[str]) -> None:
    """Refuse an empty argument: as a path it would silently mean the working directory.

    Raises
    ------
    ConfigurationError
        ``empty_argument``.
    """
    if "" in arguments:
        message = "an argument is empty; is a variable of the shell not set?"
        raise ConfigurationError(message, reasons=("empty_argument",))


@app.command(rich_help_panel=STUDY)
def run(  # noqa: PLR0913, PLR0917 - one parameter per documented option
    source: Annotated[Path, typer.Option("--input", "-i", help="DICOM folder or NIfTI image.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    models: ModelsOption = None,
    semantic: Annotated[str | None, typer.Option(help="Phase 1 model: name or folder.")] = None,
    instance: Annotated[str | None, typer.Option(help="Phase 2 model: name or folder.")] = None,
    other_modality: Annotated[  # noqa: FBT002
        bool, typer.Option("--other-modality", help="Also take a phase 1 model not for T2w MR.")
    ] = False,
    labelling: Annotated[str | None, typer.Option(help="Network for levels: likewise.")] = None,
    semantic_mask: Annotated[
        Path | None, typer.Option(help="Start at phase 2 from this label map (NIfTI).")
    ] = None,
    name_vertebra: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER=LEVEL",
            help="What you know of a level, such as 3=L4; the others follow. The number is that of "
            "a run without this option. May be repeated; of several results KEY:3=L4.",
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the result record here.")] = None,
    overlay: Annotated[bool, typer.Option(help="Write an overlay PNG per series.")] = True,  # noqa: FBT002
    measurements: Annotated[bool, typer.Option(help="Write a CSV of measurements.")] = True,  # noqa: FBT002
    pdf: Annotated[bool, typer.Option(help="Write a PDF report per series.")] = True,  # noqa: FBT002
    documents: Annotated[bool, typer.Option(help="Report and picture as DICOM, too.")] = False,  # noqa: FBT002
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Segment every sagittal T2w spine series of a folder, or one NIfTI image."""
    paths = RunPaths(source=source, output=output, semantic_mask=semantic_mask, report=report)
    named = names_given(name_vertebra or ())
    with stop_requests() as stop, reporting(as_json=as_json) as progress:
        require_usable(paths)
        chosen = {"semantic": semantic, "instance": instance, "labelling": labelling}
        settings = _choose_models(load_settings(config), {"directory": models, **chosen})
        if other_modality:
            told = settings.models.model_copy(update={"other_modality": True})
            settings = settings.model_copy(update={"models": told})
        # Not at the top: importing it starts threads, which must find the signals blocked.
        from app.run.execute import Job, execute
        from app.run.models import load_models
        from app.run.record import write_record
        from operators.dicom.selection.series_selection import SelectionSettings

        bundle = load_models(settings.models, settings.inference, given_mask=semantic_mask)
        job = Job(
            source=source,
            output=output,
            started=now(),
            semantic_mask=semantic_mask,
            extras=settings.output.model_copy(
                update={
                    "overlay": overlay,
                    "measurements": measurements,
                    "report_file": pdf,
                    "pdf": documents or settings.output.pdf,
                    "preview": documents or settings.output.preview,
                }
            ).extras,
            selection=SelectionSettings(**settings.selection.model_dump()),
            parameters=parameters_of(settings),
            intended_use=intended_use_of(settings),
            named=named,
        )
        record = execute(job, bundle, progress=progress, is_cancelled=stop.is_set)
    if report is not None:
        write_record(record, report)
    if as_json:
        emit_json({"event": "result", **record.as_dict()})
    else:
        _tell(record, output)
    raise typer.Exit(record.exit_code)


@app.command(rich_help_panel=NODE)
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to fill.")] = Path("demo"),
) -> None:
    """Take a sample study through a node and a PACS, and show what was found."""
    require_folder(output)
    settings = load_settings()
    with stop_requests() as stop, reporting(as_json=False) as progress:
        from app.cli.demo import show_demo

        exit_code = show_demo(output, settings, progress=progress, is_cancelled=stop.is_set)
    raise typer.Exit(exit_code)


@app.command(rich_help_panel=RESEARCH)
def synthesize(  # noqa: PLR0917 - one parameter per documented option
    output: Annotated[Path, typer.Option("--output", "-o", help="Dataset folder to fill.")],
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, help="Of the first patient; the next ones count on."),
    ] = 1,
    patients: Annotated[int, typer.Option(min=1, max=9999)] = 1,
    whole_spine: Annotated[  # noqa: FBT002
        bool, typer.Option("--whole-spine", help="Cervical and thoracic stations too.")
    ] = False,
    enhanced: Annotated[  # noqa: FBT002
        bool, typer.Option("--enhanced", help="T2w series as Enhanced MR objects.")
    ] = False,
    device: Annotated[str, typer.Option(help="A torch device, such as cpu or cuda.")] = "cpu",
) -> None:
    """Write synthetic patients: DICOM studies, NIfTI images, and their truth (NIfTI and SEG)."""
    from app.research.synthetic.cohort import write_subject
    from app.research.synthetic.dicom_series import StudyOptions

    options = StudyOptions(
        stations=("cervical", "thoracic") if whole_spine else (),
        is_enhanced=enhanced,
        device=device,
    )
    for number in range(1, patients + 1):
        study = write_subject(output, number, seed + number - 1, options)
        typer.echo(f"sub-{number:04d} (seed {seed + number - 1}): {len(study.files)} DICOM objects")
    typer.echo(f"studies in {output}/sub-*/dicom, truth in {output}/derivatives")


def now() -> datetime:
    """Time of day, in UTC: the clock that is handed to everything below."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that reads the clock


def _choose_models(settings: Settings, chosen: Mapping[str, Path | str | None]) -> Settings:
    update = {key: value for key, value in chosen.items() if value is not None}
    return settings.model_copy(update={"models": settings.models.model_copy(update=update)})


def _tell(record: ResultRecord, output: Path) -> None:
    for entry in record.series:
        if entry.error is None:
            found = ", ".join(sorted(entry.volumes_ml))
            numbers = numbers_text(entry.vertebra_numbers, entry.levels)
            typer.echo(f"{entry.key}: {entry.vertebrae} vertebrae: {numbers}; {found}")
            for name in entry.files:
                typer.echo(f"   {output / name}")
        else:
            typer.echo(f"{entry.key}: {entry.error.code}: {entry.error.message}", err=True)
    for line in _closing_lines(record):
        typer.echo(line, err=True)


def _closing_lines(record: ResultRecord) -> Iterator[str]:
    from app.run.record import quality_lines

    yield from quality_lines(record)
    if record.error is not None and not record.series:
        yield f"{record.error.code}: {record.error.message}"
    if record.error is not None and record.error.reasons:
        yield f"reasons: {', '.join(record.error.reasons)}"
    if record.passed_over:
        told = ", ".join(f"{count} {name}" for name, count in record.passed_over.items())
        yield f"not read: {told}"
    yield record.notice


if __name__ == "__main__":
    main()
