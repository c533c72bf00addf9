"""STOW-RS on paper: the body of a request, and what a response says of one object (PS3.18, 10.5).

One request carries one object: every reply is noted before the next object leaves, and a server
that only answers a number still says something of just this one.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.node.peers.destination import Reply
from app.node.peers.statuses import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_CHUNK_BYTES: Final = 1 << 18
_HEADER: Final = "--{}\r\nContent-Type: application/dicom\r\n\r\n"
_END: Final = "\r\n--{}--\r\n"

_REFERENCED_UID: Final = "00081155"
_WARNING_REASON: Final = "00081196"
_FAILURE_REASON: Final = "00081197"
_FAILED: Final = "00081198"
_STORED: Final = "00081199"
_OTHER_FAILURES: Final = "0008119A"

_HTTP_ANSWERS: Final[Mapping[int, Answer]] = {
    200: Answer.STORED,
    400: Answer.REFUSED,  # not understood
    401: Answer.BUSY,  # it does not let us in: true of every object, until somebody changes that
    403: Answer.BUSY,
    404: Answer.BUSY,  # nothing there: a wrong address, a proxy without its server
    405: Answer.BUSY,
    408: Answer.BUSY,
    409: Answer.REFUSED,  # conflict
    413: Answer.REFUSED,  # too large
    415: Answer.UNWANTED,  # media type, transfer syntax
    422: Answer.REFUSED,
    429: Answer.BUSY,
}
"""HTTP status -> meaning, where the response names no reason for the object (PS3.18, 10.5.3.1).
5xx: `Answer.BUSY`; others, 202 among them: tried again, nothing is given up for what is unclear."""

_SERVER_ERROR: Final = 500
_LARGEST_CODE: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Body:
    """Body of a request with one object, made while it is sent.

    Attributes
    ----------
    content : Path or bytes
        A whole DICOM file (PS3.10).
    size_bytes : int
        Of the content.
    boundary : str
        Random, so that no content holds it.
    """

    content: Path | bytes
    size_bytes: int
    boundary: str

    @classmethod
    def of(cls, content: Path | bytes) -> Body:
        """Make the body for a DICOM file on disk or in memory."""
        size_bytes = len(content) if isinstance(content, bytes) else content.stat().st_size
        return cls(content, size_bytes, secrets.token_hex(16))

    @property
    def headers(self) -> dict[str, str]:
        """Request headers that describe it."""
        length = sum(len(part.format(self.boundary)) for part in (_HEADER, _END)) + self.size_bytes
        kind = f'multipart/related; type="application/dicom"; boundary={self.boundary}'
        return {"Content-Type": kind, "Content-Length": str(length)}

    def __iter__(self) -> Iterator[bytes]:
        """Yield it in pieces; the file is read as they are sent."""
        yield _HEADER.format(self.boundary).encode()
        if isinstance(self.content, bytes):
            yield self.content
        else:
            with self.content.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
        yield _END.format(self.boundary).encode()


def reply_of(http_status: int, body: bytes, sop_instance_uid: str) -> Reply:
    """Read the response to a request with one object.

    Parameters
    ----------
    http_status : int
        Of the response.
    body : bytes
        Store Instances Response Module in DICOM JSON, or anything else.
    sop_instance_uid : str
        Of the object.

    Returns
    -------
    Reply
        By the failure or warning reason of the object where the response names one, else by the
        HTTP status. An object among the stored ones is stored, whatever the warning.
    """
    document = document_of(body)
    for item in values_of(document, _FAILED):
        if sop_instance_uid in values_of(item, _REFERENCED_UID):
            return _failed(item)
    for item in values_of(document, _STORED):
        if sop_instance_uid in values_of(item, _REFERENCED_UID):
            return Reply(answer=Answer.STORED, status=_code(item, _WARNING_REASON) or 0)
    for item in values_of(document, _OTHER_FAILURES):
        return _failed(item)
    default = Answer.BUSY if http_status >= _SERVER_ERROR else Answer.RETRY
    answer = _HTTP_ANSWERS.get(http_status, default)
    return Reply(answer=answer, name="" if answer is Answer.STORED else f"http_{http_status}")


def document_of(body: bytes) -> object:
    """Parse JSON; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def values_of(item: object, tag: str) -> list[object]:
    """Values of an attribute in the DICOM JSON Model (PS3.18, F.2); empty where it is not there.

    Examples
    --------
    >>> values_of({"00080018": {"vr": "UI", "Value": ["1.2"]}}, "00080018")
    ['1.2']
    """
    element = item.get(tag) if isinstance(item, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _failed(item: object) -> Reply:
    reason = _code(item, _FAILURE_REASON)
    if reason is None:
        return Reply(answer=Answer.RETRY, name="failed_without_reason")
    return Reply.of_status(reason)


def _code(item: object, tag: str) -> int | None:
    """Value of an attribute of VR US."""
    value = next(iter(values_of(item, tag)), None)
    return value if isinstance(value, int) and 0 <= value <= _LARGEST_CODE else None
