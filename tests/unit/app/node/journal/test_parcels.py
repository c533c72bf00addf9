"""Objects of a delivery as an attempt sees them, moved only from the state they were read in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.node.journal.deliveries import DeliveryGroup
from app.node.journal.engine import transaction
from app.node.journal.parcels import advance, count_attempt, note, parcels_asked, parcels_of
from app.node.journal.states import DeliveryEvent, DeliveryState
from app.node.journal.tables import DELIVERY
from operators.dicom.identity.result_kinds import MEASUREMENT_REPORT, SEMANTIC
from tests.builders.journal_rows import insert
from tests.builders.journals import empty_journal

GROUP = DeliveryGroup(job_id="j1", destination="pacs", generation=2)


@pytest.fixture
def c(tmp_path: Path) -> Iterator[Connection]:
    """A report and two segmentations to go to a PACS, and one of them to an archive."""
    engine = empty_journal(tmp_path)
    with transaction(engine) as connection:
        insert(connection, "job", study_uid="1.2.3")
        for number, kind in enumerate((MEASUREMENT_REPORT, SEMANTIC, SEMANTIC)):
            uid = {"sop_instance_uid": f"2.25.{number}"}
            name = f"{number}.dcm"
            insert(connection, "result", name=name, kind=kind.group, path=f"r/{name}", **uid)
            insert(connection, "delivery", delivery_id=f"d{number}", generation=2, **uid)
        insert(
            connection,
            "delivery",
            delivery_id="d9",
            destination="archive",
            generation=2,
            sop_instance_uid="2.25.1",
        )
        yield connection
    engine.dispose()


def states(c: Connection) -> dict[str, str]:
    return dict(c.execute(sa.select(DELIVERY.c.delivery_id, DELIVERY.c.state)).all())


def test_segmentations_come_first_and_only_those_of_the_round(c: Connection):
    parcels = parcels_of(c, GROUP)
    assert [one.delivery_id for one in parcels] == ["d1", "d2", "d0"]
    first = parcels[0]
    assert (first.study_uid, first.series_uid, first.path) == ("1.2.3", "2.25.2", "r/1.dcm")
    assert (first.state, first.attempts, first.released_at) == (DeliveryState.QUEUED, 0, 0.0)
    earlier = DeliveryGroup(job_id="j1", destination="pacs", generation=1)
    assert parcels_of(c, earlier) == []


def test_the_time_allowed_begins_with_the_release(c: Connection):
    c.execute(sa.update(DELIVERY).where(DELIVERY.c.delivery_id == "d1").values(released_at=7.0))
    assert {one.delivery_id: one.released_at for one in parcels_of(c, GROUP)} == {
        "d0": 0.0,
        "d1": 7.0,
        "d2": 0.0,
    }


def test_what_is_confirmed_or_given_up_is_no_parcel_any_more(c: Connection):
    report, *_ = reversed(parcels_of(c, GROUP))
    assert advance(c, report, DeliveryEvent.DECLINE, last_error="context_refused")
    assert [one.delivery_id for one in parcels_of(c, GROUP)] == ["d1", "d2"]
    assert states(c) == {"d0": "declined", "d1": "queued", "d2": "queued", "d9": "queued"}


def test_an_attempt_counts_for_what_is_queued_alone(c: Connection):
    parcels = parcels_of(c, GROUP)
    assert advance(c, parcels[0], DeliveryEvent.ACKNOWLEDGE, sent_at=1.0)
    count_attempt(c, GROUP, parcels, 5.0)
    found = {one.delivery_id: (one.attempts, one.next_attempt_at) for one in parcels_of(c, GROUP)}
    assert found == {"d1": (0, None), "d2": (1, 5.0), "d0": (1, 5.0)}


@pytest.mark.parametrize("change", [{"state": "held"}, {"generation": 3}])
def test_one_that_somebody_moved_meanwhile_stays_where_it_is(c: Connection, change: dict):
    parcel = parcels_of(c, GROUP)[0]
    c.execute(sa.update(DELIVERY).where(DELIVERY.c.delivery_id == "d1").values(**change))
    before = states(c)
    assert not advance(c, parcel, DeliveryEvent.ACKNOWLEDGE, sent_at=1.0)
    note(c, parcel, last_error="no_answer")
    assert states(c) == before
    query = sa.select(DELIVERY.c.sent_at, DELIVERY.c.last_error)
    assert tuple(c.execute(query.where(DELIVERY.c.delivery_id == "d1")).one()) == (None, "")


def test_an_event_that_never_happens_in_a_state_is_a_mistake_of_the_caller(c: Connection):
    with pytest.raises(ValueError, match="knows no"):
        advance(c, parcels_of(c, GROUP)[0], DeliveryEvent.RELEASE)


def test_a_report_of_storage_commitment_finds_what_still_waits_for_it(c: Connection):
    first, second, _ = parcels_of(c, GROUP)
    for parcel, uid in ((first, "2.25.7"), (second, "2.25.7")):
        assert advance(c, parcel, DeliveryEvent.ACKNOWLEDGE, sent_at=1.0, commit_uid=uid)
    found = parcels_asked(c, "2.25.7")
    assert {group: [one.delivery_id for one in ones] for group, ones in found.items()} == {
        GROUP: ["d1", "d2"]
    }
    assert advance(c, found[GROUP][0], DeliveryEvent.CONFIRM)
    assert [one.delivery_id for one in parcels_asked(c, "2.25.7")[GROUP]] == ["d2"]
    assert parcels_asked(c, "2.25.8") == {}
