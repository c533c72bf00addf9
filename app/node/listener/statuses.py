"""What the node answers: outcome or error -> DIMSE status, each with its meaning.

The table is the conformance statement's list of statuses (DICOM PS3.4, B.2.3; PS3.7, C).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.errors import (
    DiskFullError,
    JournalError,
    ObjectMismatchError,
    ObjectNotUnderstoodError,
    ServiceError,
    SpoolError,
)
from app.node.journal.arrivals import ArrivalOutcome

if TYPE_CHECKING:
    from operators.errors import SpineError

SUCCESS: Final = 0x0000
"""The object is on the disk and in the journal; power may fail now."""
WARNING_UNUSABLE: Final = 0xB007
"""Kept like any other, but its header does not describe a usable object."""
OUT_OF_RESOURCES: Final = 0xA700
"""Not kept: disk or journal refuse. Send again later."""
MISMATCH: Final = 0xA900
"""Not kept: SOP class or instance of the data set are not those of the request."""
CANNOT_UNDERSTAND: Final = 0xC000
"""Not kept: no data set, or no identifier to file it under."""
INTERNAL: Final = 0xC001
"""Not kept: an error of the node itself, which its log names."""


PROCESSING_FAILURE: Final = 0x0110
"""A report on storage commitment is not in the journal: report again."""
INVALID_ARGUMENT: Final = 0x0115
"""What was reported is no report on storage commitment."""

OUTCOMES: Final[dict[ArrivalOutcome, int]] = {
    ArrivalOutcome.NEW: SUCCESS,
    ArrivalOutcome.DUPLICATE: SUCCESS,
    ArrivalOutcome.CHANGED: SUCCESS,
    ArrivalOutcome.OWN_RESULT: SUCCESS,
    ArrivalOutcome.QUARANTINED: WARNING_UNUSABLE,
}

ERRORS: Final[dict[type[SpineError], int]] = {
    DiskFullError: OUT_OF_RESOURCES,
    SpoolError: OUT_OF_RESOURCES,
    JournalError: OUT_OF_RESOURCES,
    ServiceError: OUT_OF_RESOURCES,
    ObjectMismatchError: MISMATCH,
    ObjectNotUnderstoodError: CANNOT_UNDERSTAND,
}
"""Nearest class in the method resolution order decides."""


def status_of(error: BaseException) -> int:
    """DIMSE status of an error.

    Parameters
    ----------
    error : BaseException
        Anything that kept an object from being stored.

    Returns
    -------
    int
        `INTERNAL` for what is not in the table.

    Examples
    --------
    >>> hex(status_of(DiskFullError()))
    '0xa700'
    >>> hex(status_of(ValueError()))
    '0xc001'
    """
    for cls in type(error).__mro__:
        if cls in ERRORS:
            return ERRORS[cls]
    return INTERNAL
