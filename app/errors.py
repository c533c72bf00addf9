"""Errors of the house, and the table from every error to an exit code.

Every code stands here or in `operators.errors`, and nowhere else (`app.node.telemetry.codes`).

The exit codes are part of the product's contract (README): hosts and scripts act on them.
"""

from __future__ import annotations

import traceback
from enum import IntEnum
from pathlib import Path
from typing import Final

from operators.errors import (
    EncodingError,
    GeometryError,
    InputRejectedError,
    IntensityError,
    InterruptedRunError,
    ModelUnusableError,
    NoSpineFoundError,
    PixelDataError,
    SegmentationError,
    SeriesUnsuitableError,
    SourceIdentityError,
    SpineError,
    UnreadableInputError,
)


class ConfigurationError(SpineError):
    """The settings cannot be used."""

    code = "SPN-8000"


class OutputUnwritableError(EncodingError):
    """The output folder cannot be written."""

    code = "SPN-5100"


class ServiceError(SpineError):
    """A part of the node cannot do its work now."""

    code = "SPN-9000"
    retryable = True


class JournalError(ServiceError):
    """The journal cannot be read or written."""

    code = "SPN-9100"


class JournalNewerError(JournalError):
    """The journal was made by a newer version of SPINEPS Node."""

    code = "SPN-9101"
    retryable = False


class JournalDamagedError(JournalError):
    """The journal is damaged: stop the node, then 'spine-node journal rebuild' or 'restore'."""

    code = "SPN-9102"
    retryable = False


class AuditBrokenError(ServiceError):
    """The audit trail was changed from outside: a row does not follow from the one before."""

    code = "SPN-9110"
    retryable = False


class EngineError(ServiceError):
    """The job engine does not answer."""

    code = "SPN-9120"


class WorkflowLostError(ServiceError):
    """The job engine ended the workflow of a job without a result, time and again."""

    code = "SPN-9130"
    retryable = False


class DiskFullError(ServiceError):
    """Too little space is left on the disk."""

    code = "SPN-9200"


class RoleTakenError(ConfigurationError):
    """Another listener works on this data folder."""

    code = "SPN-8010"


class NodeRunningError(ConfigurationError):
    """The node runs on this data folder: stop it first."""

    code = "SPN-8011"


class BackupError(ConfigurationError):
    """A backup cannot be made or restored."""

    code = "SPN-8020"


class PageUnguardedError(ConfigurationError):
    """The page would be open to everybody who reaches it: beyond loopback people must log in."""

    code = "SPN-8030"


class AccountError(ConfigurationError):
    """The account cannot be made or changed."""

    code = "SPN-8031"


class SpoolError(ServiceError):
    """A received object cannot be written."""

    code = "SPN-9210"


class PeerUnreachableError(ServiceError):
    """A peer does not answer."""

    code = "SPN-9300"


class PeerRefusedError(ServiceError):
    """A peer answered and refused for good."""

    code = "SPN-9310"
    retryable = False


class ContextRefusedError(PeerRefusedError):
    """The peer accepted none of the presentation contexts."""

    code = "SPN-9311"


class InferenceLostError(ServiceError):
    """The inference process died, hung or used too much memory."""

    code = "SPN-9400"


class ProtocolError(ServiceError):
    """The inference process said something that is no message."""

    code = "SPN-9410"


class ObjectMismatchError(SpineError):
    """The data set is not the object that the request announced."""

    code = "SPN-9500"


class ObjectNotUnderstoodError(SpineError):
    """The request holds no object that could be filed."""

    code = "SPN-9510"


class AuditNotSentError(ServiceError):
    """The audit server did not take the messages; they are sent again."""

    code = "SPN-9610"


class OpenIdFailedError(ServiceError):
    """The identity provider did not confirm who somebody is."""

    code = "SPN-9620"
    retryable = False


class AlertNotSentError(ServiceError):
    """An alert was not taken by its mail server or webhook."""

    code = "SPN-9600"


class TrainingFailedError(SpineError):
    """A training ended by itself without a result."""

    code = "SPN-9700"


class ExitCode(IntEnum):
    """What the process answers when it ends."""

    OK = 0
    USAGE = 2
    UNREADABLE_INPUT = 10
    NO_SERIES = 11
    GEOMETRY = 12
    NO_SPINE = 13
    MODEL = 20
    INFERENCE = 30
    OUTPUT = 40
    JOURNAL = 50
    INTERNAL = 70
    INCOMPLETE = 75


WORST_FIRST: Final = (
    ExitCode.INTERNAL,
    ExitCode.INCOMPLETE,
    ExitCode.MODEL,
    ExitCode.INFERENCE,
    ExitCode.OUTPUT,
    ExitCode.GEOMETRY,
    ExitCode.NO_SPINE,
    ExitCode.NO_SERIES,
    ExitCode.UNREADABLE_INPUT,
)
"""Of a run: where every series failed, the failure that most needs somebody's attention gives the
code. The others are of commands."""

VERDICTS_ON_IMAGES: Final = frozenset(
    {ExitCode.UNREADABLE_INPUT, ExitCode.NO_SERIES, ExitCode.GEOMETRY, ExitCode.NO_SPINE}
)
"""Repeating a run changes none of these."""


EXIT_CODES: Final[dict[type[SpineError], ExitCode]] = {
    ConfigurationError: ExitCode.USAGE,
    UnreadableInputError: ExitCode.UNREADABLE_INPUT,
    SeriesUnsuitableError: ExitCode.NO_SERIES,
    GeometryError: ExitCode.GEOMETRY,
    PixelDataError: ExitCode.GEOMETRY,
    SourceIdentityError: ExitCode.GEOMETRY,
    IntensityError: ExitCode.GEOMETRY,
    InputRejectedError: ExitCode.UNREADABLE_INPUT,
    NoSpineFoundError: ExitCode.NO_SPINE,
    ModelUnusableError: ExitCode.MODEL,
    SegmentationError: ExitCode.INFERENCE,
    EncodingError: ExitCode.OUTPUT,
    InterruptedRunError: ExitCode.INCOMPLETE,
    JournalNewerError: ExitCode.JOURNAL,
    JournalDamagedError: ExitCode.JOURNAL,
    AuditBrokenError: ExitCode.JOURNAL,
    ServiceError: ExitCode.INTERNAL,
    SpineError: ExitCode.INTERNAL,
}
"""Nearest class in the method resolution order decides, so a new subclass is covered."""


def exit_code_of(error: BaseException) -> ExitCode:
    """Exit code of an error.

    Parameters
    ----------
    error : BaseException
        Anything that ended a run.

    Returns
    -------
    ExitCode
        ``INTERNAL`` for what is not ours.

    Examples
    --------
    >>> exit_code_of(GeometryError()).name
    'GEOMETRY'
    >>> exit_code_of(ValueError()).name
    'INTERNAL'
    """
    known = (EXIT_CODES[cls] for cls in type(error).__mro__ if cls in EXIT_CODES)
    return next(known, ExitCode.INTERNAL)


def crash_line(error: BaseException) -> str:
    """One line about an error that is not ours, free of patient data.

    Parameters
    ----------
    error : BaseException
        Anything; its message is left out, since foreign messages may quote the data.

    Returns
    -------
    str
        Its type and the places it went through, innermost last.
    """
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return f"internal error: {type(error).__name__} at {places}"
