"""Rows of the audit trail as DICOM audit messages.

DICOM PS3.15: A.5 (message), A.6 (by syslog over TLS), CID 400 and 401 (events); RFC 5424 (head).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, tostring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.node.journal.audit_chain import ChainedDeed

OURS: Final = "99SPINENODE"
"""Coding scheme of what DICOM has no code for (PS3.16, 8.2)."""
MESSAGE_ID: Final = "DICOM+RFC3881"
APPLICATION: Final = "spine-node"

_FACILITY: Final = 10
"""security/authorization (PS3.15, A.6)."""
_NOTICE, _WARNING = 5, 4
_SUCCESS, _MINOR_FAILURE = "0", "4"
_BOM: Final = b"\xef\xbb\xbf"
_IP_ADDRESS: Final = "2"
_APPLICATION_SERVER: Final = "4"


@dataclass(frozen=True, slots=True)
class _Code:
    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class _Event:
    """How a deed is told.

    Attributes
    ----------
    code : _Code
        Event ID.
    action : str
        C, R, U, D or E.
    kind : _Code or None
        Event type, where DICOM has one.
    has_failed : bool
        Nothing came of it.
    """

    code: _Code
    action: str
    kind: _Code | None = None
    has_failed: bool = False


_ACCESSED: Final = _Code("110103", "DCM", "DICOM Instances Accessed")
_QUERY: Final = _Code("110112", "DCM", "Query")
_ALERT: Final = _Code("110113", "DCM", "Security Alert")
_AUTHENTICATION: Final = _Code("110114", "DCM", "User Authentication")
_LOGIN: Final = _Code("110122", "DCM", "Login")
_LOGOUT: Final = _Code("110123", "DCM", "Logout")
_SOFTWARE: Final = _Code("110131", "DCM", "Software Configuration")
_RESTRICTED: Final = _Code("110132", "DCM", "Use of Restricted Function")
_USER_CHANGED: Final = _Code("110137", "DCM", "User security Attributes Changed")

_STUDY_UID: Final = _Code("110180", "DCM", "Study Instance UID")
_SUBJECT: Final = _Code("subject", OURS, "Subject of the deed")

_BY_DEED: Final[Mapping[str, _Event]] = {
    "list.view": _Event(_QUERY, "E"),
    "log_in": _Event(_AUTHENTICATION, "E", _LOGIN),
    "log_in.failed": _Event(_AUTHENTICATION, "E", _LOGIN, has_failed=True),
    "log_out": _Event(_AUTHENTICATION, "E", _LOGOUT),
    "access.refused": _Event(_ALERT, "E", _RESTRICTED, has_failed=True),
}
_BY_ROOM: Final[Mapping[str, _Event]] = {
    "series": _Event(_ACCESSED, "U"),
    "job": _Event(_ACCESSED, "U"),
    "delivery": _Event(_ACCESSED, "U"),
    "account": _Event(_ALERT, "E", _USER_CHANGED),
    "settings": _Event(_ALERT, "E", _SOFTWARE),
}
"""First word of a deed that has no row of its own."""


def syslog_message(deed: ChainedDeed, *, host: str, source: str) -> bytes:
    """One frame for the audit server.

    Parameters
    ----------
    deed : ChainedDeed
        Row of the audit trail.
    host : str
        Name of this machine.
    source : str
        AE title of the node.

    Returns
    -------
    bytes
        Length, blank, message (RFC 5425, 4.3); the number of the row is ``sequenceId`` (RFC 5424,
        7.3.1), so that a repeated message is known as one.
    """
    event = _event_of(deed.action)
    severity = _WARNING if event.has_failed else _NOTICE
    head = " ".join(
        (
            f"<{_FACILITY * 8 + severity}>1",
            _moment(deed.at),
            _word(host, 255),
            APPLICATION,
            "-",
            MESSAGE_ID,
            f'[meta sequenceId="{_sequence(deed.number)}"]',
        )
    )
    message = head.encode("ascii") + b" " + _BOM + audit_message(deed, source)
    return b"%d %s" % (len(message), message)


def audit_message(deed: ChainedDeed, source: str) -> bytes:
    """Write the row in XML.

    Parameters
    ----------
    deed : ChainedDeed
        Row of the audit trail.
    source : str
        AE title of the node.

    Returns
    -------
    bytes
        By the schema of PS3.15, A.5.1, in UTF-8.
    """
    event = _event_of(deed.action)
    root = Element("AuditMessage")
    outcome = _MINOR_FAILURE if event.has_failed else _SUCCESS
    about = SubElement(
        root,
        "EventIdentification",
        EventActionCode=event.action,
        EventDateTime=_moment(deed.at),
        EventOutcomeIndicator=outcome,
    )
    _coded(about, "EventID", event.code)
    if event.kind is not None:
        _coded(about, "EventTypeCode", event.kind)
    _coded(about, "EventTypeCode", _Code(deed.action, OURS, deed.action))
    if deed.detail:
        SubElement(about, "EventOutcomeDescription").text = deed.detail
    _add_participant(root, deed)
    node = SubElement(root, "AuditSourceIdentification", AuditSourceID=source)
    SubElement(node, "AuditSourceTypeCode").set("csd-code", _APPLICATION_SERVER)
    _add_object(root, deed)
    made: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return made


def _add_participant(root: Element, deed: ChainedDeed) -> None:
    participant = SubElement(root, "ActiveParticipant", UserID=deed.actor, UserIsRequestor="true")
    if deed.role:
        _coded(participant, "RoleIDCode", _Code(deed.role, OURS, deed.role))
    if _is_ip(deed.address):
        participant.set("NetworkAccessPointID", deed.address)
        participant.set("NetworkAccessPointTypeCode", _IP_ADDRESS)


def _add_object(root: Element, deed: ChainedDeed) -> None:
    """Say what it was done to, and the place of the row in the chain."""
    is_account = deed.action.partition(".")[0] in {"account", "log_in", "log_out"}
    seen = SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=deed.subject,
        ParticipantObjectTypeCode="1" if is_account else "2",
        ParticipantObjectTypeCodeRole=_object_role(deed.action, is_account=is_account),
    )
    is_study = deed.action.partition(".")[0] == "study"
    _coded(seen, "ParticipantObjectIDTypeCode", _STUDY_UID if is_study else _SUBJECT)
    SubElement(seen, "ParticipantObjectName").text = deed.subject
    for name, value in (("row", str(deed.number)), ("digest", deed.digest)):
        pair = SubElement(seen, "ParticipantObjectDetail", type=name)
        pair.set("value", base64.b64encode(value.encode()).decode("ascii"))


def _object_role(action: str, *, is_account: bool) -> str:
    """Role of the object (PS3.15, A.5.1.2.2): user, query, report, or job."""
    if is_account:
        return "6"
    return {"list.view": "24", "file.view": "3", "study.view": "3"}.get(action, "20")


def _event_of(action: str) -> _Event:
    own = _Event(_Code(action, OURS, action), "E")
    seen = _Event(_ACCESSED, "R") if action.endswith(".view") else None
    return _BY_DEED.get(action) or seen or _BY_ROOM.get(action.partition(".")[0]) or own


def _coded(parent: Element, name: str, code: _Code) -> None:
    element = SubElement(parent, name)
    element.set("csd-code", code.value)
    element.set("codeSystemName", code.scheme)
    element.set("originalText", code.meaning)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _word(text: str, longest: int) -> str:
    """Printable ASCII without blanks (RFC 5424, 6), or a dash for nothing."""
    return "".join(c for c in text if "!" <= c <= "~")[:longest] or "-"


def _sequence(number: int) -> int:
    """Keep within the bounds of ``sequenceId``: from 1 to 2147483647 and round again."""
    return (number - 1) % 2147483647 + 1


def _is_ip(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
