"""Write events as JSON lines on stderr, one object per event; nothing else is logged.

Identity is a keyed hash (HMAC-SHA-256 with a secret of the site, 12 hex digits): the same series
has the same key in all processes of a site, and nobody without the secret gets back to its UID.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

import structlog

from app.node.telemetry.events import LEVELS

if TYPE_CHECKING:
    from pathlib import Path

    from app.node.telemetry.events import Event, Level

SECRET_FILE: Final = "site-secret"  # noqa: S105 - a file's name
_KEY_DIGITS: Final = 12
_SECRET_BYTES: Final = 32


class Emit(Protocol):
    """Tell an event: ``emit(EVENT, field=value)``."""

    def __call__(self, event: Event, **values: object) -> None:
        """Write one event."""


@dataclass(slots=True)
class EventLog:
    """The event log of one process.

    Attributes
    ----------
    role : str
        Process that speaks: ``listener``, ``worker``, ``web``, ``serve``.
    least : str
        Events of a lower level are not told; errors always are. May change while it is used.
    is_strict : bool
        Raise for a field that the catalogue does not list (tests); else drop it.
    stream : TextIO
        Where the lines go.
    """

    role: str
    least: Level = "debug"
    is_strict: bool = False
    stream: TextIO = field(default_factory=lambda: sys.stderr)

    def __call__(self, event: Event, **values: object) -> None:
        """Write one event."""
        unknown = values.keys() - set(event.fields)
        if unknown and self.is_strict:
            raise ValueError(f"event {event.number} has no field {', '.join(sorted(unknown))}")
        if LEVELS.index(event.level) < LEVELS.index(self.least):
            return
        logger = structlog.wrap_logger(
            structlog.WriteLogger(self.stream),
            processors=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
        )
        known: dict[str, Any] = {name: values[name] for name in event.fields if name in values}
        logger.msg(event.text, level=event.level, number=event.number, process=self.role, **known)


def silent(event: Event, **values: object) -> None:
    """Tell nobody: the default of functions that can be used without a log."""


def site_secret(data: Path) -> bytes:
    """Secret of the site, made at the first call.

    Parameters
    ----------
    data : Path
        The node's data folder, existing.

    Returns
    -------
    bytes
        32 random bytes, the same for every process that uses this folder.
    """
    path = data / SECRET_FILE
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return _read_secret(path)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(_SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
    return _read_secret(path)


def _read_secret(path: Path) -> bytes:
    # The first process may still be writing: the file is complete within a moment.
    for _ in range(100):
        content = path.read_bytes()
        if len(content) == _SECRET_BYTES:
            return content
        time.sleep(0.02)
    raise ValueError(f"{path.name} in the data folder is damaged: remove it and start again")


def key_of(uid: str, secret: bytes) -> str:
    """Keyed hash of an identifier, for logs.

    Parameters
    ----------
    uid : str
        Series Instance UID, for example.
    secret : bytes
        As `site_secret` gives it.

    Returns
    -------
    str
        12 hex digits.
    """
    return hmac.new(secret, uid.encode(), hashlib.sha256).hexdigest()[:_KEY_DIGITS]


def quiet_foreign_logs() -> None:
    """Keep libraries from writing identifiers: pynetdicom logs queries by default."""
    for name in ("pynetdicom", "pydicom", "dbos", "uvicorn.access", "httpx"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
