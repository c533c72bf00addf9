"""What a run takes from other series of its study: written down, and the same at every retry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from app.node.journal.engine import transaction
from app.node.journal.level_inputs import (
    keep_first_stations,
    keep_stations,
    level_inputs,
    results_of_study,
    stations_beside,
)
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal

CONTENT = ("1.2.3.1", "c1")
UPPER, LOWER = {"frame": "upper"}, {"frame": "lower"}
JOB: Any = SimpleNamespace(series_uid="1.2.3.1", content_digest="c1", study_uid="1.2.3")


@pytest.fixture
def c(tmp_path: Path) -> Iterator[Connection]:
    engine = empty_journal(tmp_path)
    with transaction(engine) as connection:
        yield connection
    engine.dispose()


def finish(c: Connection, series_uid: str, *stations: dict[str, str], **values: Any) -> None:
    record = json.dumps({"series": [{"station": one} for one in stations]})
    row = {"job_id": f"j{series_uid}", "state": "succeeded", **values}
    insert(c, "job", series_uid=series_uid, record=record, **row)


def test_a_first_run_takes_what_its_study_shows_and_nothing_of_itself(c: Connection):
    finish(c, "1.2.3.1", UPPER)
    finish(c, "1.2.3.2", LOWER)
    finish(c, "9.9.9.9", UPPER, study_uid="9.9.9")
    keep_first_stations(c, JOB, 1.0)
    found = level_inputs(c, *CONTENT)
    assert (found.stations, found.words) == ((LOWER,), ())


def test_what_a_first_run_took_stays_even_where_it_was_nothing(c: Connection):
    keep_first_stations(c, JOB, 1.0)
    finish(c, "1.2.3.2", LOWER)
    keep_first_stations(c, JOB, 2.0)
    assert level_inputs(c, *CONTENT).stations == ()


def test_another_set_of_stations_is_another_identity_and_the_same_set_the_same(c: Connection):
    keep_first_stations(c, JOB, 1.0)
    keep_stations(c, CONTENT, (LOWER,), 2.0)
    first = level_inputs(c, *CONTENT)
    assert first.stations == (LOWER,)
    assert first.words == level_inputs(c, *CONTENT).words
    assert first.words[0].startswith("stations 1 ")
    keep_stations(c, CONTENT, (UPPER,), 3.0)
    (second,) = level_inputs(c, *CONTENT).words
    assert second.startswith("stations 2 ")
    assert second.split()[2] != first.words[0].split()[2]
    assert level_inputs(c, "1.2.3.1", "other content").stations == ()


def test_of_a_series_its_last_result_counts_and_unfinished_work_does_not(c: Connection):
    finish(c, "1.2.3.2", UPPER, job_id="first", revision=1)
    finish(c, "1.2.3.2", LOWER, job_id="second", revision=2)
    finish(c, "1.2.3.3", UPPER, job_id="third", state="running")
    (result,) = results_of_study(c, "1.2.3")
    assert (result.job_id, result.stations) == ("second", (LOWER,))
    assert stations_beside([result], "1.2.3.1") == (LOWER,)
    assert stations_beside([result], "1.2.3.2") == ()


def test_records_of_versions_without_stations_tell_nothing(c: Connection):
    insert(c, "job", job_id="old", series_uid="1.2.3.2", state="succeeded", record="{}")
    (result,) = results_of_study(c, "1.2.3")
    assert result.stations == ()
