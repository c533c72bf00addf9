"""What a response to STOW-RS means for the object, whatever the server answers; and the body."""

from __future__ import annotations

import email
import email.policy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.node.peers.destination import Reply
from app.node.peers.statuses import Answer, answer_of
from app.node.peers.stow import Body, reply_of

UID = "2.25.1"
STORED, FAILED, OTHER = "00081199", "00081198", "0008119A"
WARNING, FAILURE = "00081196", "00081197"


def module(sequence: str, uid: str | None = UID, **reason: int) -> bytes:
    item = {} if uid is None else {"00081155": {"vr": "UI", "Value": [uid]}}
    item |= {tag: {"vr": "US", "Value": [code]} for tag, code in reason.items()}
    return json.dumps({sequence: {"vr": "SQ", "Value": [item]}}).encode()


@pytest.mark.parametrize("http_status", [200, 202, 409, 500])
def test_what_it_says_of_the_object_counts_more_than_the_http_status(http_status: int) -> None:
    assert reply_of(http_status, module(STORED), UID) == Reply(answer=Answer.STORED, status=0)
    assert reply_of(http_status, module(STORED, **{WARNING: 0xB000}), UID) == Reply(
        answer=Answer.STORED, status=0xB000
    )
    assert reply_of(http_status, module(FAILED, **{FAILURE: 0xA700}), UID) == Reply(
        answer=Answer.BUSY, name="status_A700", status=0xA700
    )
    assert reply_of(http_status, module(OTHER, None, **{FAILURE: 0xC000}), UID) == Reply(
        answer=Answer.REFUSED, name="status_C000", status=0xC000
    )


@given(st.integers(0, 0xFFFF))
def test_a_failure_reason_means_what_it_means_by_c_store(reason: int) -> None:
    assert reply_of(409, module(FAILED, **{FAILURE: reason}), UID).answer is answer_of(reason)


def test_a_failed_object_without_a_reason_is_tried_again() -> None:
    assert reply_of(200, module(FAILED), UID) == Reply(
        answer=Answer.RETRY, name="failed_without_reason"
    )


@pytest.mark.parametrize("body", [b"", b"<xml/>", b"[" * 100_000, module(FAILED, "2.25.2")])
@pytest.mark.parametrize(
    ("http_status", "answer"),
    [
        (200, Answer.STORED),
        (202, Answer.RETRY),  # some of it, and it does not say what
        (204, Answer.RETRY),
        (302, Answer.RETRY),
        (400, Answer.REFUSED),
        (401, Answer.BUSY),
        (403, Answer.BUSY),
        (404, Answer.BUSY),
        (409, Answer.REFUSED),
        (413, Answer.REFUSED),
        (415, Answer.UNWANTED),
        (418, Answer.RETRY),
        (429, Answer.BUSY),
        (500, Answer.BUSY),
        (503, Answer.BUSY),
        (599, Answer.BUSY),
    ],
)
def test_without_a_word_on_the_object_the_http_status_decides(
    http_status: int, answer: Answer, body: bytes
) -> None:
    name = "" if answer is Answer.STORED else f"http_{http_status}"
    assert reply_of(http_status, body, UID) == Reply(answer=answer, name=name)


TAGS = st.sampled_from([STORED, FAILED, OTHER, WARNING, FAILURE, "00081155", "Value", "vr"])
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(UID) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TAGS, inner, max_size=3),
    max_leaves=20,
)


@given(ODD, st.sampled_from([200, 409]))
def test_no_document_disturbs(document: object, http_status: int) -> None:
    reply = reply_of(http_status, json.dumps(document).encode(), UID)
    assert (reply.name == "") == (reply.answer is Answer.STORED)


@given(st.text("0123456789abcdef", max_size=40))  # the foreign parser reads lines
def test_a_foreign_parser_finds_the_file_in_the_body(content: str) -> None:
    body = Body.of(content.encode())
    sent = b"".join(body)
    assert int(body.headers["Content-Length"]) == len(sent)
    head = f"Content-Type: {body.headers['Content-Type']}\r\n\r\n".encode()
    parsed = email.message_from_bytes(head + sent, policy=email.policy.HTTP)
    assert parsed.get_content_type() == "multipart/related"
    (part,) = parsed.iter_parts()
    assert part.get_content_type() == "application/dicom"
    assert part.get_payload() == content


def test_a_file_is_read_in_pieces_while_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    path.write_bytes(b"x" * 3_000_001)
    pieces = list(Body.of(path))
    assert sum(len(piece) for piece in pieces[1:-1]) == 3_000_001
    assert max(len(piece) for piece in pieces) <= 1 << 18
