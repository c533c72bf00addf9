"""``spine-node cohort``: a whole data set, resumable."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - read at run time for the command line
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.models import JsonOption, ModelsOption  # noqa: TC001 - as above
from app.console import emit_json
from app.errors import ConfigurationError, ExitCode
from app.settings import load_settings
from app.signals import stop_requests
from operators.errors import InterruptedRunError

if TYPE_CHECKING:
    from threading import Event

    from app.cohort.conduct import CohortJob
    from app.cohort.progress import Standing
    from app.settings import Settings


def cohort(  # noqa: PLR0913, PLR0917 - one parameter per documented option
    dataset: Annotated[
        Path, typer.Argument(help="BIDS tree, DICOM tree, or table of paths (.csv, .tsv).")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Cases at once; each loads its own networks.")
    ] = 1,
    dry_run: Annotated[  # noqa: FBT002
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    retry_lost: Annotated[  # noqa: FBT002
        bool, typer.Option("--retry-lost", help="Begin anew where a process crashed or hung.")
    ] = False,
    layout: Annotated[
        Literal["auto", "bids", "dicom"],
        typer.Option(help="Of a folder; auto: BIDS where it holds sub-*/**/*_T2w.nii.gz."),
    ] = "auto",
    database: Annotated[
        str | None, typer.Option(help="PostgreSQL URL, for several machines on one folder.")
    ] = None,
    models: ModelsOption = None,
    semantic: Annotated[str | None, typer.Option(help="Phase 1 model: name or folder.")] = None,
    instance: Annotated[str | None, typer.Option(help="Phase 2 model: name or folder.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="app.yaml to use.")] = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Segment a whole data set into BIDS derivatives; call again to go on."""
    _require_postgres(database)
    chosen = {"directory": models, "semantic": semantic, "instance": instance}
    settings = _with_models(load_settings(config), chosen)
    with stop_requests() as stop:
        # Not at the top: numpy starts threads, which must find the signals blocked.
        from app.cohort.conduct import CohortJob, conduct
        from app.cohort.progress import telling

        job = CohortJob(
            dataset=dataset,
            output=output,
            layout=layout,
            workers=workers,
            retry_lost=retry_lost,
            database_url=database,
            settings=settings,
            now=datetime.now(UTC),  # noqa: TID251 - the command reads the clock
        )
        if dry_run:
            _tell_outlook(job, stop, as_json=as_json)
            return
        with telling(as_json=as_json) as tell:
            standing = conduct(job, tell, stop)
    _tell_end(standing, output, as_json=as_json)


def _require_postgres(database: str | None) -> None:
    if database is not None and not database.startswith(("postgres://", "postgresql")):
        message = "--database takes a PostgreSQL URL; without it the engine keeps a file"
        raise ConfigurationError(message, reasons=("no_postgresql_url",))


def _with_models(settings: Settings, chosen: dict[str, Any]) -> Settings:
    update = {key: value for key, value in chosen.items() if value is not None}
    return settings.model_copy(update={"models": settings.models.model_copy(update=update)})


def _tell_outlook(job: CohortJob, stop: Event, *, as_json: bool) -> None:
    from app.cohort.outlook import outlooks

    counts: Counter[str] = Counter()
    for one in outlooks(job, stop):
        state = "done" if one.is_done else ("to do" if one.to_segment else "nothing to segment")
        counts[state] += 1
        if as_json:
            emit_json({"event": "case", **one.as_json()})
            continue
        name = " ".join(part for part in (one.case.subject, one.case.session) if part)
        reasons = f" (not segmented: {', '.join(one.reasons)})" if one.reasons else ""
        typer.echo(f"{name}: {state}, {one.to_segment} to segment{reasons}")
    if not as_json:
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        typer.echo(f"{sum(counts.values())} cases: {told}; nothing was written")


def _tell_end(standing: Standing, output: Path, *, as_json: bool) -> None:
    """Say where it stands.

    Raises
    ------
    InterruptedRunError
        If cases are open.
    """
    still_open = standing.total - standing.done
    if as_json:
        counts = {"total": standing.total, "done": standing.done, "failed": standing.failed}
        emit_json({"event": "result", "output": str(output), **counts})
    else:
        typer.echo(f"{standing.done} of {standing.total} cases in {output}", err=still_open > 0)
        if standing.failed:
            typer.echo(f"{standing.failed} without a result: reasons in cohort.csv", err=True)
    if still_open:
        raise InterruptedRunError("stopped; the same command goes on from here")
    if not as_json:
        typer.echo("cohort.csv, measurements.csv; read report.html first")
    if standing.failed == standing.total:
        raise typer.Exit(int(ExitCode.INCOMPLETE))
