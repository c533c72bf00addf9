"""Events are JSON lines out of a catalogue; identity is a keyed hash."""

from __future__ import annotations

import io
import json

import pytest

from app.node.telemetry import events
from app.node.telemetry.logs import EventLog, key_of, site_secret


def test_an_event_is_one_json_line_with_its_number():
    stream = io.StringIO()
    EventLog("worker", stream=stream)(events.JOB_DEAD, job="j1", code="SPN-9400")
    line = json.loads(stream.getvalue())
    assert (line["number"], line["level"], line["process"]) == (315, "error", "worker")
    assert (line["event"], line["code"]) == ("job failed for good", "SPN-9400")


def test_a_field_outside_the_catalogue_is_dropped_and_raises_where_strict():
    stream = io.StringIO()
    EventLog("web", stream=stream)(events.JOB_DEAD, job="j1", patient_name="CANARY")
    assert "CANARY" not in stream.getvalue()
    with pytest.raises(ValueError, match="patient_name"):
        EventLog("web", is_strict=True, stream=stream)(events.JOB_DEAD, patient_name="CANARY")


@pytest.mark.parametrize(
    ("least", "told"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_leaves_out_what_is_less_severe_and_never_an_error(least, told):
    stream = io.StringIO()
    log = EventLog("worker", least, stream=stream)
    for event in (
        events.OBJECT_STORED,
        events.JOB_STARTED,
        events.JOB_REFUSED,
        events.JOB_DEAD,
    ):
        log(event)
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == told


def test_numbers_lie_in_the_range_of_their_room():
    assert all(100 <= number < 800 for number in events.CATALOGUE)
    assert len({event.text for event in events.CATALOGUE.values()}) == len(events.CATALOGUE)


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path):
    secret = site_secret(tmp_path)
    assert secret == site_secret(tmp_path)
    assert len(secret) == 32
    assert (tmp_path / "site-secret").stat().st_mode & 0o777 == 0o600


def test_keys_are_stable_within_a_site_and_differ_between_sites():
    assert key_of("1.2.3", b"a") == key_of("1.2.3", b"a")
    assert key_of("1.2.3", b"a") != key_of("1.2.3", b"b")
    assert len(key_of("1.2.3", b"a")) == 12
