"""What a run can write: one row per kind of result, read by everything that handles results.

The writer, the work folder, the journal, the page, the deliveries, the check of a peer, the demo
and the evaluation all ask this table. A new kind is a row here and its writer in
`operators.write_segmentation.WRITERS`. Every kind is made once per stack of a series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SEGMENTATION: Final = "segmentation"
"""Group without which a run has no result."""

DICOM_MEDIA_TYPE: Final = "application/dicom"
"""RFC 3240."""

SEGMENTATION_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.66.4"
ENCAPSULATED_PDF_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.104.1"
SECONDARY_CAPTURE_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.7"
ENHANCED_SR_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.88.22"
"""PS3.4 B.5. Written out: not everything that reads this table loads pydicom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultKind:
    """One kind of result.

    Attributes
    ----------
    name : str
        Unique; a predecessor is replaced by the object of the same name.
    group : str
        Kind in the journal, in the settings of a peer and on the page, at most 16 characters; kinds
        of one group have the same SOP class and go the same way.
    suffix : str
        End of the file's name, behind the key of the case.
    title : str
        For people.
    media_type : str
        Of the file.
    sop_class_uid : str
        Of the DICOM object; empty: it is none, is made for a NIfTI image too, and stays here.
    series_offset : int
        Added to 1000 times the source's Series Number, and 10 more per further stack.
    is_delivered : bool
        Whether a destination gets it whose settings do not say which objects it gets.
    has_predecessor : bool
        Whether it names the object of an earlier revision that it replaces.
    is_shown : bool
        Whether the page shows it as a picture; everything else is only ever a download.
    is_optional : bool
        Whether a run writes it only where it is asked to.
    is_served : bool
        Whether the node has it made of every series, where it is optional.
    """

    name: str
    group: str
    suffix: str
    title: str
    media_type: str = DICOM_MEDIA_TYPE
    sop_class_uid: str = ""
    series_offset: int = 0
    is_delivered: bool = False
    has_predecessor: bool = False
    is_shown: bool = False
    is_optional: bool = False
    is_served: bool = True


SEMANTIC: Final = ResultKind(
    name="semantic",
    group=SEGMENTATION,
    suffix="_semantic.dcm",
    title="structures (DICOM SEG)",
    sop_class_uid=SEGMENTATION_STORAGE,
    series_offset=901,
    is_delivered=True,
    has_predecessor=True,
)
INSTANCES: Final = ResultKind(
    name="instances",
    group=SEGMENTATION,
    suffix="_instances.dcm",
    title="vertebrae (DICOM SEG)",
    sop_class_uid=SEGMENTATION_STORAGE,
    series_offset=902,
    is_delivered=True,
    has_predecessor=True,
)
MEASUREMENT_REPORT: Final = ResultKind(
    name="measurement_report",
    group="report",
    suffix="_measurements.dcm",
    title="measurements (DICOM SR)",
    sop_class_uid=ENHANCED_SR_STORAGE,
    series_offset=903,
    is_delivered=True,
    has_predecessor=True,
    is_optional=True,
)
OVERLAY: Final = ResultKind(
    name="overlay",
    group="overlay",
    suffix="_overlay.png",
    title="picture",
    media_type="image/png",
    is_shown=True,
    is_optional=True,
)
MEASUREMENTS: Final = ResultKind(
    name="measurements",
    group="table",
    suffix="_measurements.csv",
    title="measurements (table)",
    media_type="text/csv",
    is_optional=True,
    is_served=False,
)

REPORT_FILE: Final = ResultKind(
    name="report_file",
    group="report file",
    suffix="_report.pdf",
    title="report (PDF file)",
    media_type="application/pdf",
    is_optional=True,
)
PDF: Final = ResultKind(
    name="pdf",
    group="pdf",
    suffix="_pdf.dcm",
    title="report (PDF in DICOM)",
    sop_class_uid=ENCAPSULATED_PDF_STORAGE,
    series_offset=904,
    has_predecessor=True,
    is_optional=True,
)
PREVIEW: Final = ResultKind(
    name="preview",
    group="preview",
    suffix="_preview.dcm",
    title="picture (DICOM Secondary Capture)",
    sop_class_uid=SECONDARY_CAPTURE_STORAGE,
    series_offset=905,
    has_predecessor=True,
    is_optional=True,
)

KINDS: Final[dict[str, ResultKind]] = {
    kind.name: kind
    for kind in (
        SEMANTIC,
        INSTANCES,
        MEASUREMENT_REPORT,
        OVERLAY,
        MEASUREMENTS,
        REPORT_FILE,
        PDF,
        PREVIEW,
    )
}
"""Every kind by its name, in the order in which a run writes them."""

USUAL_EXTRAS: Final = frozenset({MEASUREMENT_REPORT.name})
"""Names of the optional kinds that a run writes unless it is told otherwise."""

SERVED_EXTRAS: Final = tuple(
    kind.name for kind in KINDS.values() if kind.is_optional and kind.is_served
)
"""Names of the optional kinds that the node has made of every series."""

OBJECT_CLASSES: Final[dict[str, str]] = {
    kind.group: kind.sop_class_uid for kind in KINDS.values() if kind.sop_class_uid
}
"""Groups of DICOM objects -> SOP class, in the order in which they are sent."""

DELIVERED: Final = tuple(dict.fromkeys(kind.group for kind in KINDS.values() if kind.is_delivered))
"""Groups that a destination gets whose settings do not say."""

REPLACED: Final = frozenset(kind.group for kind in KINDS.values() if kind.has_predecessor)
"""Groups whose objects name the ones that they replace."""


def kind_of(file_name: str) -> ResultKind | None:
    """Kind of a result by the end of its file's name; None where it is no result's.

    Examples
    --------
    >>> [kind.group for kind in map(kind_of, ("series1_3fd2_semantic.dcm", "notes.txt")) if kind]
    ['segmentation']
    """
    return next((kind for kind in KINDS.values() if file_name.endswith(kind.suffix)), None)


def kinds_to_write(extras: frozenset[str]) -> tuple[ResultKind, ...]:
    """Kinds that a run writes, in the order of `KINDS`.

    Parameters
    ----------
    extras : frozenset of str
        Names of the optional kinds that it is asked for.

    Returns
    -------
    tuple of ResultKind
        These, and all that are not optional.

    Raises
    ------
    KeyError
        If an extra is no optional kind.
    """
    unknown = extras - {kind.name for kind in KINDS.values() if kind.is_optional}
    if unknown:
        raise KeyError(*sorted(unknown))
    return tuple(kind for kind in KINDS.values() if not kind.is_optional or kind.name in extras)
