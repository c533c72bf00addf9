"""Series of one study agree: which results are made anew when a later one tells more."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from app.node.journal import corrections, jobs
from app.node.journal.audit import list_deeds
from app.node.journal.engine import reading, transaction
from app.node.journal.level_inputs import level_inputs, results_of_study
from app.node.journal.tables import JOB_INPUT
from app.node.work.agreeing import CONTRADICTION, review
from operators.anatomy.named_vertebrae import NamedVertebra
from operators.anatomy.vertebrae import LEVEL_NAMES
from operators.spine.levels.names import name_stations
from operators.spine.levels.stations import Station, from_json
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal
from tests.unit.operators.spine.levels.test_stations import USUAL, station

IDS = {name: level for level, name in LEVEL_NAMES.items()}
CHEST, LOIN, NECK = "1.2.3.1", "1.2.3.2", "1.2.3.3"


def chest(**known: Any) -> Station:
    """Vertebrae 2 to 10 are T4 to T12, of which nothing tells."""
    return station("T4", "T12", typical=False, **known)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Engine]:
    engine = empty_journal(tmp_path)
    yield engine
    engine.dispose()


def finish(
    engine: Engine, series_uid: str, own: Station, *others: Station, number: int = 1
) -> list[str]:
    """A job of that series succeeds as the graph would have it; what runs again because of it."""
    names = name_stations([own, *others])[0]
    entry = {
        "key": f"k{series_uid}",
        "levels": {str(n): name.as_json() for n, name in names.items()},
        "station": own.as_json(),
    }
    job_id = f"{series_uid}-{number}"
    with transaction(engine) as c:
        uid = {"sop_instance_uid": job_id, "digest": "0" * 64}
        insert(c, "instance", **uid)
        insert(
            c,
            "job",
            job_id=job_id,
            series_uid=series_uid,
            state="succeeded",
            created_at=float(number),
            record=json.dumps({"series": [entry]}),
        )
        c.execute(JOB_INPUT.insert().values(job_id=job_id, **uid))
        return review(c, "1.2.3", 9.0)


def stations_of(engine: Engine, series_uid: str) -> list[Station | None]:
    with reading(engine) as c:
        return [from_json(one) for one in level_inputs(c, series_uid, "c" * 64).stations]


def test_the_first_is_made_anew_once_the_second_names_its_bones(journal: Engine):
    assert finish(journal, CHEST, chest()) == []
    assert finish(journal, LOIN, station("T11", "L5"), chest()) == [f"{CHEST}-1"]
    with reading(journal) as c:
        assert [run.job_id for run in jobs.waiting(c)] == [f"{CHEST}-1"]
        known = level_inputs(c, CHEST, "c" * 64)
        (deed,) = list_deeds(c)
    (beside,) = known.stations
    assert beside["places"] == list(range(7))
    assert len(known.words) == 1
    assert (deed.actor, deed.action, deed.subject) == ("node", "job.levels", f"{CHEST}-1")
    assert "10: level uncertain -> " in deed.detail
    assert "T12" in deed.detail


def test_once_it_agrees_nothing_runs_again(journal: Engine):
    finish(journal, CHEST, chest())
    finish(journal, LOIN, station("T11", "L5"), chest())
    with transaction(journal) as c:
        c.exec_driver_sql("UPDATE job SET state = 'succeeded'")
    assert finish(journal, CHEST, chest(), station("T11", "L5"), number=2) == []


def test_what_was_asked_for_is_not_asked_for_again(journal: Engine):
    """The same stations could only give the same names, whatever a rounded figure says."""
    finish(journal, CHEST, chest())
    assert finish(journal, LOIN, station("T11", "L5"), chest()) == [f"{CHEST}-1"]
    with transaction(journal) as c:
        c.exec_driver_sql("UPDATE job SET state = 'succeeded'")
        assert review(c, "1.2.3", 9.0) == []


@pytest.mark.parametrize("order", list(permutations((NECK, CHEST, LOIN))))
def test_three_stations_in_any_order_end_with_one_numbering(
    journal: Engine, order: tuple[str, ...]
):
    own = {
        NECK: station("C1", "T3"),
        CHEST: station("T1", "T12", typical=False),
        LOIN: station("T10", "L5"),
    }
    runs: Counter[str] = Counter()
    present: list[str] = []
    for series_uid in order:
        present.append(series_uid)
        queue = [series_uid]
        while queue:
            running = queue.pop(0)
            runs[running] += 1
            beside = [own[other] for other in present if other != running]
            again = finish(journal, running, own[running], *beside, number=runs[running])
            queue += [uid for uid in (job.rpartition("-")[0] for job in again) if uid not in queue]
            with transaction(journal) as c:
                c.exec_driver_sql("UPDATE job SET state = 'succeeded'")
    with reading(journal) as c:
        results = results_of_study(c, "1.2.3")
    texts = {
        result.series_uid: [
            level["text"] for level in result.record["series"][0]["levels"].values()
        ]
        for result in results
    }
    usual = [LEVEL_NAMES[level] for level in USUAL]
    assert texts == {NECK: usual[:10], CHEST: usual[7:19], LOIN: usual[16:]}
    # None is made anew more often than another one arrives.
    assert all(runs[uid] <= 3 - n for n, uid in enumerate(order))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"frame": "9.9"}, id="another frame of reference"),
        pytest.param({"shift_mm": 40.0}, id="elsewhere"),
    ],
)
def test_series_that_share_no_bone_do_not_matter_to_each_other(
    journal: Engine, other: dict[str, Any]
):
    assert finish(journal, CHEST, chest()) == []
    assert finish(journal, LOIN, station("T11", "L5", **other)) == []


def test_a_persons_name_reaches_the_other_series(journal: Engine):
    loin = station("T11", "L5")
    finish(journal, CHEST, chest(), loin)
    named = station("T11", "L5", named={2: IDS["T12"]})
    assert finish(journal, LOIN, named, chest()) == [f"{CHEST}-1"]
    (beside,) = stations_of(journal, CHEST)
    assert beside is not None
    assert beside.named == {2: IDS["T12"]}


def test_what_two_persons_say_against_each_other_changes_nothing_and_is_told_once(journal: Engine):
    finish(journal, CHEST, chest(named={10: IDS["T12"]}))
    assert finish(journal, LOIN, station("T11", "L5", named={3: IDS["L1"]})) == []
    with transaction(journal) as c:
        assert review(c, "1.2.3", 10.0) == []
        deeds = list_deeds(c)
    told = sorted(deed.subject for deed in deeds if deed.action == CONTRADICTION)
    assert told == [f"{CHEST}-1", f"{LOIN}-1"]


def test_a_series_that_is_being_run_is_looked_at_when_it_is_done(journal: Engine):
    finish(journal, CHEST, chest())
    with transaction(journal) as c:
        given = NamedVertebra(level=IDS["T12"], vertebra=10, centre_mm=(0.0, 0.0, -540.0))
        corrections.correct(c, f"{CHEST}-1", (given,), actor="anna", now=3.0)
    assert finish(journal, LOIN, station("T11", "L5")) == []


def test_images_that_were_deleted_cannot_be_named_anew(journal: Engine):
    finish(journal, CHEST, chest())
    with transaction(journal) as c:
        c.exec_driver_sql("UPDATE instance SET state = 'deleted'")
    assert finish(journal, LOIN, station("T11", "L5"), chest()) == []


def test_records_of_other_versions_are_passed_over(journal: Engine):
    for series_uid, entry in (
        (CHEST, {"key": "a", "levels": {}}),
        (NECK, {"key": "b", "station": {"frame": "1.2", "places": "x"}}),
    ):
        with transaction(journal) as c:
            record = json.dumps({"series": [entry]})
            job = {"job_id": series_uid, "series_uid": series_uid, "record": record}
            insert(c, "job", state="succeeded", **job)
    assert finish(journal, LOIN, station("T11", "L5")) == []
