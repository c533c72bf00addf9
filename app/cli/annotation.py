"""``spine-node annotate``: training data from the masks of several programs."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from pathlib import Path  # noqa: TC003 - Typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from app.errors import ConfigurationError, ExitCode, OutputUnwritableError

if TYPE_CHECKING:
    from app.research.annotation.annotating import Outcome


def annotate(
    images: Annotated[Path, typer.Argument(help="BIDS folder: sub-*/**/*_T2w.nii.gz.")],
    recipe: Annotated[
        Path, typer.Option(help="YAML or JSON: sources in order of priority, rules.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Data set to fill.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False,  # noqa: FBT002
) -> None:
    """Merge the masks of several programs into training data, with a record of what came whence."""
    # Not at the top: numpy and scipy load only where something is annotated.
    from app.research.annotation.annotating import annotate_images
    from app.research.annotation.recipe import read_recipe
    from app.research.training.dataset_layouts import images_of

    read = read_recipe(recipe)
    if not images.is_dir() or not (found := images_of(images, "bids")):
        message = "the folder of images holds no sub-*/**/*_T2w.nii.gz"
        raise ConfigurationError(message, reasons=("no_images",))
    if output.resolve() == images.resolve():
        raise ConfigurationError(
            "images are written too, corrected and cut: give another folder than that of the "
            "images",
            reasons=("output_is_input",),
        )

    def tell(done: int, total: int) -> None:
        sys.stderr.write(f"image {done} of {total}\n")

    outcomes = annotate_images(found, read, output, tell)
    _write_table(outcomes, output)
    counts = Counter(outcome.status for outcome in outcomes)
    if as_json:
        document = [
            {"case": o.case, "status": o.status, "reasons": o.reasons, **o.details}
            for o in outcomes
        ]
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        typer.echo(", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
        typer.echo(f"reasons in {output / 'annotation.csv'}")
    if not counts["annotated"]:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


def _write_table(outcomes: tuple[Outcome, ...], output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        with (output / "annotation.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("case", "status", "reasons", "contested_share"))
            for one in outcomes:
                share = one.details.get("ContestedShare", "")
                writer.writerow((one.case, one.status, "; ".join(one.reasons), share))
    except OSError as error:
        message = f"the table cannot be written: {error.strerror}"
        raise OutputUnwritableError(message, reasons=("output_unwritable",)) from error
