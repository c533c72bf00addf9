"""``spine-node evaluate``: predictions against references."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.errors import ExitCode

MaskFolder = Annotated[
    Path,
    typer.Option(help="Folder of masks: SPINEPS derivatives, SEG objects or same-named NIfTI."),
]


_SCHEME = "MAP"
_OF_PREDICTION = (
    "Whose numbers the predictions have: totalspineseg, spider, verse, a JSON file of that form, "
    "or nnU-Net's dataset.json. Default: SPINEPS's."
)


def evaluate(  # noqa: PLR0913, PLR0917 - one parameter per documented option
    prediction: MaskFolder,
    reference: MaskFolder,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report.")],
    against: Annotated[
        Path | None, typer.Option(help="Predictions of a second method to compare with.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(metavar=_SCHEME, help=_OF_PREDICTION)] = None,
    reference_labels: Annotated[
        Path | None, typer.Option(metavar=_SCHEME, help="Likewise, of the references.")
    ] = None,
    against_labels: Annotated[
        Path | None, typer.Option(metavar=_SCHEME, help="Likewise, of the second method.")
    ] = None,
    levels: Annotated[  # noqa: FBT002
        bool,
        typer.Option(help="Reference labels name levels (1 = C1, 20 = L1); no: running numbers."),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False,  # noqa: FBT002
) -> None:
    """Score masks against references: DSC, ASSD, RQ, SQ, PQ per structure, level and region."""
    # Not at the top: scipy, matplotlib and highdicom load only where something is evaluated.
    from app.research.evaluation.cohort import Schemes, score_pairs
    from app.research.evaluation.pairing import pair_folders
    from app.research.evaluation.report import as_text, scored_text
    from app.research.evaluation.results import (
        as_document,
        evaluate_methods,
        make_folder,
        write_results,
    )
    from app.research.evaluation.scheme_files import read_scheme

    names = _names(prediction, against)
    folders = [folder for folder in (prediction, against) if folder is not None]
    truth, *told = (
        None if each is None else read_scheme(each)
        for each in (reference_labels, labels, against_labels)
    )
    # All that can be wrong with the folders is said before the first case is scored.
    paired = [pair_folders(reference, *each) for each in zip(folders, names, strict=True)]
    make_folder(output)
    methods = []
    for pairs, scheme in zip(paired, told, strict=False):

        def tell(done: int, total: int, name: str = pairs.name) -> None:
            sys.stderr.write(f"{name}: case {done} of {total}\n")

        schemes = Schemes(reference=truth, prediction=scheme)
        methods.append(score_pairs(pairs, tell, levels_known=levels, schemes=schemes))
    found = evaluate_methods(methods)
    written = write_results(found, output)
    if as_json:
        sys.stdout.write(json.dumps(as_document(found), ensure_ascii=False) + "\n")
    else:
        for table in found.tables[:2]:
            typer.echo(as_text(table))
        typer.echo(f"{len(written)} files in {output}; read report.html first")
    for method in methods:
        typer.echo(scored_text(method), err=True)
    if any(method.refused for method in methods):
        raise typer.Exit(int(ExitCode.INCOMPLETE))


def _names(prediction: Path, against: Path | None) -> tuple[str, ...]:
    """Folder names, made different where both are called the same."""
    first = prediction.resolve().name
    if against is None:
        return (first,)
    second = against.resolve().name
    return (first, second) if first != second else (f"{first} (1)", f"{second} (2)")
