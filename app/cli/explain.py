"""``spine-node explain``: what would become of every series of a folder, and why. No inference."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path  # noqa: TC003 - read at run time for the command line
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def explain(
    folder: Annotated[Path, typer.Argument(help="DICOM folder.")],
    config: Annotated[Path | None, typer.Option("--config", help="app.yaml to use.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False,  # noqa: FBT002
) -> None:
    """Say for every series whether it would be segmented, and why. No inference.

    Raises
    ------
    UnreadableInputError
        If there is no series: ``missing_input``, or ``no_dicom`` with what is there instead.
    """
    # Not at the top: numpy starts threads, which must find the signals of `run` blocked.
    from operators.dicom.reading.input_files import nothing_found  # noqa: PLC0415
    from operators.dicom.reading.series import scan  # noqa: PLC0415
    from operators.dicom.selection.outlook import as_json as outlook_as_json  # noqa: PLC0415
    from operators.dicom.selection.series_selection import (  # noqa: PLC0415
        SelectionSettings,
        decide,
    )

    options = load_settings(config).selection
    found = scan(folder)
    decisions = decide(found.series, SelectionSettings(**options.model_dump()))
    rows = outlook_as_json(decisions)
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    else:
        # Pieces of one acquisition, and repeats, say the same: once is enough.
        told = Counter("\n".join(_lines(row)) for row in rows)
        for text, count in told.items():
            typer.echo(text + (f"\n   the same for {count} series" if count > 1 else ""))
        for name in found.unreadable:
            typer.echo(f"unreadable: {name}")
        for item in found.passed_over:
            typer.echo(f"not read: {item.path} ({item.reason})")
        typer.echo(f"{len(rows)} series")
    if not rows:
        raise nothing_found(found.passed_over, len(found.unreadable))


def _lines(row: dict[str, Any]) -> Iterator[str]:
    verdict = "accepted" if row["accepted"] else "rejected"
    yield f"{verdict}: {row['description'] or '(no description)'}"
    for reason in row["reasons"]:
        sign = "+" if reason["speaks_for"] else "-"
        yield f"   {sign} {reason['name']}: {reason['detail']}"
    for problem in row["problems"]:
        yield f"   ! {problem}"
