"""Rows of the audit trail as DICOM audit messages: the schema of PS3.15, A.5.1, by its parts."""

import base64
import re
from xml.etree.ElementTree import Element, fromstring

import pytest

from app.node.journal.audit_chain import ChainedDeed
from app.node.people.audit_messages import syslog_message

CODED = {"csd-code", "codeSystemName", "originalText"}


def deed(action: str, **values: object) -> ChainedDeed:
    fields = {
        "at": 1_700_000_000.25, "actor": "anna", "role": "operator", "address": "10.0.0.7",
        "subject": "j1", "detail": "", "number": 7, "digest": "ab" * 32,
    }  # fmt: skip
    return ChainedDeed(action=action, **(fields | values))


def message_of(row: ChainedDeed) -> tuple[str, Element]:
    """Head and content of a frame."""
    frame = syslog_message(row, host="node 1.site.example", source="SPINENODE")
    length, _, message = frame.partition(b" ")
    assert int(length) == len(message)
    head, bom, xml = message.partition(b"\xef\xbb\xbf")
    assert bom
    return head.decode("ascii"), fromstring(xml)  # noqa: S314 - ours


def event_of(row: ChainedDeed) -> tuple[str, str, str, list[str]]:
    """Event ID, action, outcome and event types."""
    about = message_of(row)[1].find("EventIdentification")
    return (
        about.find("EventID").get("csd-code"),
        about.get("EventActionCode"),
        about.get("EventOutcomeIndicator"),
        [kind.get("csd-code") for kind in about.findall("EventTypeCode")],
    )


def test_the_head_is_that_of_rfc_5424():
    head, _ = message_of(deed("job.view"))
    assert head == (
        "<85>1 2023-11-14T22:13:20.250000Z node1.site.example spine-node - DICOM+RFC3881"
        ' [meta sequenceId="7"] '
    )


def test_the_message_has_the_parts_of_the_schema_in_their_order():
    _, root = message_of(deed("job.release", detail="done"))
    assert root.tag == "AuditMessage"
    assert [part.tag for part in root] == [
        "EventIdentification",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
    ]
    about, who, source, what = root
    assert about.get("EventDateTime") == "2023-11-14T22:13:20.250000Z"
    assert about.find("EventOutcomeDescription").text == "done"
    assert (who.get("UserID"), who.get("UserIsRequestor")) == ("anna", "true")
    assert (who.get("NetworkAccessPointID"), who.get("NetworkAccessPointTypeCode")) == (
        "10.0.0.7",
        "2",
    )
    assert who.find("RoleIDCode").get("csd-code") == "operator"
    assert source.get("AuditSourceID") == "SPINENODE"
    assert what.get("ParticipantObjectID") == "j1"
    details = {
        d.get("type"): base64.b64decode(d.get("value")) for d in what.iter() if d.get("type")
    }
    assert details == {"row": b"7", "digest": b"ab" * 32}
    for element in root.iter():
        if element.get("csd-code") and element.tag != "AuditSourceTypeCode":
            assert set(element.attrib) == CODED


@pytest.mark.parametrize(
    ("action", "event"),
    [
        ("file.view", ("110103", "R", "0", ["file.view"])),
        ("study.view", ("110103", "R", "0", ["study.view"])),
        ("list.view", ("110112", "E", "0", ["list.view"])),
        ("job.replay", ("110103", "U", "0", ["job.replay"])),
        ("log_in", ("110114", "E", "0", ["110122", "log_in"])),
        ("log_in.failed", ("110114", "E", "4", ["110122", "log_in.failed"])),
        ("log_out", ("110114", "E", "0", ["110123", "log_out"])),
        ("account.disable", ("110113", "E", "0", ["110137", "account.disable"])),
        ("settings.intended_use", ("110113", "E", "0", ["110131", "settings.intended_use"])),
        ("access.refused", ("110113", "E", "4", ["110132", "access.refused"])),
        ("destination.try", ("destination.try", "E", "0", ["destination.try"])),
    ],
)
def test_every_deed_is_an_event_of_dicom_or_one_of_ours(action: str, event: tuple[str, ...]):
    assert event_of(deed(action)) == event


def test_a_study_is_named_by_its_uid():
    _, root = message_of(deed("study.view", subject="1.2.840.1"))
    what = root.find("ParticipantObjectIdentification")
    assert what.get("ParticipantObjectID") == "1.2.840.1"
    assert what.get("ParticipantObjectTypeCodeRole") == "3"
    assert what.find("ParticipantObjectIDTypeCode").get("csd-code") == "110180"


def test_a_failure_is_a_warning():
    assert message_of(deed("log_in.failed"))[0].startswith("<84>1 ")


def test_what_somebody_typed_is_neither_markup_nor_a_second_message():
    hostile = '"/><x>&\n<85>1'
    _, root = message_of(deed("job.view", actor=hostile, subject=hostile, role="", address="?"))
    assert root.find("ActiveParticipant").get("UserID") == hostile
    assert root.find("ActiveParticipant").get("NetworkAccessPointID") is None
    assert root.find("ActiveParticipant/RoleIDCode") is None


def test_the_sequence_number_stays_within_its_bounds():
    for number, told in ((2**31 - 1, 2**31 - 1), (2**31, 1)):
        head, _ = message_of(deed("job.view", number=number))
        assert re.search(r'sequenceId="(\d+)"', head)[1] == str(told)
