"""Every error code, gathered from the error classes: the registry, and the page made of it.

``python -m app.node.telemetry.codes > docs/error-codes.md`` writes the page; a test holds it
current.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app import errors as house
from app.errors import ServiceError, exit_code_of
from operators import errors as pipeline
from operators.errors import SpineError

if TYPE_CHECKING:
    from types import ModuleType

_HEAD = """\
# Error codes

Made from the error classes by `python -m app.node.telemetry.codes`; do not edit. A code stands in
logs, in records of runs, on the page beside a job, and in messages of the command line. It never
changes its meaning. "Tried again": the node repeats the attempt by itself. Exit codes are those of
`spine-node run` and of the MAP.

| code | name | meaning | tried again | exit code |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCode:
    """One error code.

    Attributes
    ----------
    code : str
        ``SPN-`` and four digits.
    name : str
        Of the error class.
    meaning : str
        A sentence.
    is_retryable : bool
        Whether the node tries again by itself.
    exit_code : int
        Of a process that ends by it.
    """

    code: str
    name: str
    meaning: str
    is_retryable: bool
    exit_code: int


def error_codes() -> list[ErrorCode]:
    """Every code, in its order.

    Returns
    -------
    list of ErrorCode
        One per error class of the pipeline and the house.

    Raises
    ------
    ValueError
        If one code means two things.
    """
    found: dict[str, ErrorCode] = {}
    for cls in (*_classes(pipeline), *_classes(house)):
        if cls.code in found:
            raise ValueError(f"{cls.code} means two things")
        error = cls()
        found[cls.code] = ErrorCode(
            code=cls.code,
            name=cls.__name__,
            meaning=error.message,
            is_retryable=isinstance(error, ServiceError) and error.retryable,
            exit_code=int(exit_code_of(error)),
        )
    return [found[code] for code in sorted(found)]


def as_markdown() -> str:
    """Give the page ``docs/error-codes.md``."""
    rows = [
        f"| {one.code} | {one.name} | {one.meaning} | {'yes' if one.is_retryable else 'no'} "
        f"| {one.exit_code} |\n"
        for one in error_codes()
    ]
    return _HEAD + "".join(rows)


def _classes(module: ModuleType) -> list[type[SpineError]]:
    """Error classes that a module defines."""
    return [
        cls
        for cls in vars(module).values()
        if isinstance(cls, type)
        and issubclass(cls, SpineError)
        and cls.__module__ == module.__name__
    ]


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
