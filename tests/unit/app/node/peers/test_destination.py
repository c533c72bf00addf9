"""A reply means what the table of statuses says."""

from __future__ import annotations

import pytest

from app.node.peers.destination import Reply
from app.node.peers.statuses import Answer, answer_of, name_of


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0xB006, 0xB007])
def test_what_is_stored_has_no_name_of_an_error(status: int):
    reply = Reply.of_status(status)
    assert (reply.answer, reply.name, reply.status) == (Answer.STORED, "", status)
    assert (reply.is_uncompressed, reply.retry_after_s) == (False, None)


@pytest.mark.parametrize("status", [None, 0xA700, 0xC000, 0x0122, 0xA900])
def test_what_is_not_stored_is_named(status: int | None):
    reply = Reply.of_status(status, is_uncompressed=True)
    assert (reply.answer, reply.name) == (answer_of(status), name_of(status))
    assert reply.answer is not Answer.STORED
    assert reply.name
    assert (reply.status, reply.is_uncompressed) == (status, True)
