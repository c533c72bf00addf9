"""A report as a whole: whose it is, what is said, and which software and models say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from operators.dicom.identity.provenance import MODEL_NAME
from operators.report.content import Measured, Said, said_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dicom.identity.provenance import ResultContext


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a page says, but the picture.

    Attributes
    ----------
    identity : tuple of (str, str)
        Whose images these are, and which: label and value.
    notice : str
        What the result may be used for, on every page; may be empty.
    said : Said
        Of the measurements.
    origin : tuple of (str, str)
        Software, models, time, source: label and value.
    """

    identity: tuple[tuple[str, str], ...]
    notice: str
    said: Said
    origin: tuple[tuple[str, str], ...]


def report_of(
    measured: Measured,
    context: ResultContext,
    identity: Sequence[tuple[str, str]],
    origin: Sequence[tuple[str, str]] = (),
) -> Report:
    """Put a result into words.

    Parameters
    ----------
    measured : Measured
        Of one series.
    context : ResultContext
        Software and models.
    identity : sequence of (str, str)
        Whose images these are, as the page shows it; may be empty.
    origin : sequence of (str, str)
        What is known of the source and the time, in front of software and models.

    Returns
    -------
    Report
        Free of patient data but for ``identity``.
    """
    return Report(
        identity=tuple(identity),
        notice=context.notice,
        said=said_of(measured),
        origin=(*origin, *_origin(context)),
    )


def _origin(context: ResultContext) -> tuple[tuple[str, str], ...]:
    models = (("Phase 1", context.semantic_model), ("Phase 2", context.instance_model))
    software = f"{MODEL_NAME} {context.software_version}, {context.numeric_profile}"
    return (
        ("Software", f"{software}; {context.notice}"),
        *(
            (f"Model, {phase.lower()}", f"{model.name} {model.version}, SHA-256 {model.digest}")
            for phase, model in models
        ),
    )
