"""Exception -> HTTP status, in one table over the whole tree of named errors."""

from __future__ import annotations

from typing import Final

from app.errors import ConfigurationError, DiskFullError, ServiceError
from operators.errors import InputRejectedError, SpineError

HTTP_STATUSES: Final[dict[type[SpineError], int]] = {
    ServiceError: 503,
    DiskFullError: 507,
    ConfigurationError: 500,
    InputRejectedError: 422,
    SpineError: 500,
}
"""Nearest class in the method resolution order decides, so a new subclass is covered."""


def http_status_of(error: BaseException) -> int:
    """HTTP status of an error.

    Parameters
    ----------
    error : BaseException
        Anything that ended a request.

    Returns
    -------
    int
        500 for what is not ours.

    Examples
    --------
    >>> from app.errors import JournalError
    >>> http_status_of(JournalError())
    503
    """
    for cls in type(error).__mro__:
        if cls in HTTP_STATUSES:
            return HTTP_STATUSES[cls]
    return 500
