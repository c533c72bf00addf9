"""What a channel has told, and that one process at a time sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from app.node.journal.alert_channels import (
    ChannelState,
    Told,
    channel_state,
    claim,
    make_known,
    note_failure,
    note_sent,
    note_told,
)
from app.node.journal.engine import transaction
from tests.builders.journals import empty_journal


@pytest.fixture
def c(tmp_path: Path) -> Iterator[Connection]:
    engine = empty_journal(tmp_path)
    with transaction(engine) as connection:
        yield connection
    engine.dispose()


def test_a_new_channel_has_told_nothing(c: Connection):
    assert channel_state(c, "mail") == ChannelState(name="mail")
    make_known(c, "mail")
    make_known(c, "mail")
    assert channel_state(c, "mail") == ChannelState(name="mail")


def test_the_next_message_belongs_to_whoever_claims_it_first(c: Connection):
    seen = channel_state(c, "mail")
    assert claim(c, seen, 120.0)
    assert not claim(c, seen, 130.0)
    now = channel_state(c, "mail")
    assert (now.version, now.next_attempt_at) == (1, 120.0)
    assert claim(c, now, 240.0)
    assert channel_state(c, "webhook") == ChannelState(name="webhook")


def test_failures_count_from_the_first_of_a_row(c: Connection):
    make_known(c, "mail")
    note_failure(c, "mail", 10.0, error="refused", retry_at=40.0)
    note_failure(c, "mail", 50.0, error="e" * 99, retry_at=110.0)
    state = channel_state(c, "mail")
    assert (state.failures, state.failing_since, state.next_attempt_at) == (2, 10.0, 110.0)
    assert state.last_error == "e" * 64
    note_sent(c, "mail", 120.0)
    state = channel_state(c, "mail")
    assert (state.failures, state.failing_since, state.next_attempt_at) == (0, None, None)
    assert (state.sent_at, state.last_error) == (120.0, "")


def test_what_people_know_survives(c: Connection):
    make_known(c, "mail")
    told = {"job_failed": Told(count=3, at=7.5), "series_held": Told(count=1, at=8.0)}
    note_told(c, "mail", told)
    assert channel_state(c, "mail").told == told
