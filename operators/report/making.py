"""From a finished case to the bytes of its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.imaging.overlay import page_jpeg
from operators.report.content import Measured
from operators.report.document import report_of
from operators.report.identity import identity_of, source_text, time_text
from operators.report.page import pdf_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from operators.case import Case
    from operators.dicom.identity.provenance import ResultContext
    from operators.imaging.scene import Scene


def report_pdf(case: Case, scene: Scene, context: ResultContext, header: Dataset | None) -> bytes:
    """Make the report of one case.

    Parameters
    ----------
    case : Case
        With image, levels and measurements.
    scene : Scene
        What its pictures show.
    context : ResultContext
        Software, models, clock.
    header : Dataset or None
        An object of the result, for patient, study and times; None: not from DICOM, the report
        names the image instead.

    Returns
    -------
    bytes
        PDF; the same input gives the same bytes.
    """
    result = Measured(
        measurements=case.measurements,
        levels=case.levels,
        quality=() if case.quality is None else case.quality.sentences,
        facts=case.facts,
    )
    series_uid = "" if case.series is None else case.series.series_uid
    origin = [("Made", time_text(header, context.clock))]
    if case.volume is not None:
        origin.append(("Source", source_text(case.volume, series_uid)))
    described = "" if case.series is None else case.series.description
    identity = identity_of(header, case.key, context.stack.label, described)
    return pdf_of(report_of(result, context, identity, origin), page_jpeg(scene))
