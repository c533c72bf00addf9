from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from app.node.journal.arrivals import (
    Arrival,
    ArrivalFacts,
    ArrivalOutcome,
    association_ended,
    count_objects,
    forget_associations,
    record_arrival,
)
from app.node.journal.engine import open_journal, transaction
from app.node.journal.tables import COUNTER, INSTANCE, RESULT, SERIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Engine

SLICE = Arrival(
    sop_instance_uid="1.2.3.1",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    digest="a" * 64,
    series_uid="1.2.3",
    study_uid="1.2",
    path="series/aa/bb/1.dcm",
    size_bytes=1000,
    calling_ae_title="SCANNER",
    called_ae_title="NODE",
    peer_address="127.0.0.1",
    association_id="x",
    received_at=100.0,
    facts=ArrivalFacts(modality="MR", is_image=True),
    description="t2 sag",
    opens_series=True,
)
SEGMENTATION = replace(
    SLICE,
    sop_instance_uid="1.2.9.1",
    series_uid="1.2.9",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.66.4",
    facts=ArrivalFacts(modality="SEG"),
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Engine]:
    engine = open_journal(f"sqlite:///{tmp_path / 'journal.db'}")
    yield engine
    engine.dispose()


def arrive(journal: Engine, *arrivals: Arrival) -> list[ArrivalOutcome]:
    with transaction(journal) as connection:
        return [record_arrival(connection, arrival) for arrival in arrivals]


def series_row(journal: Engine, uid: str = "1.2.3") -> dict[str, object] | None:
    with transaction(journal) as connection:
        row = connection.execute(sa.select(SERIES).where(SERIES.c.series_uid == uid)).mappings()
        found = row.first()
    return None if found is None else dict(found)


def put_series(journal: Engine, **values: object) -> None:
    with transaction(journal) as connection:
        connection.execute(sa.update(SERIES).values(**values))


def test_the_first_of_two_slices_makes_the_series_and_the_second_joins_it(journal: Engine) -> None:
    second = replace(
        SLICE,
        sop_instance_uid="1.2.3.2",
        digest="b" * 64,
        received_at=107.0,
        opens_series=False,
    )
    assert arrive(journal, SLICE, second) == [ArrivalOutcome.NEW, ArrivalOutcome.NEW]
    row = series_row(journal)
    assert row is not None
    assert (row["state"], row["revision"], row["modality"]) == ("receiving", 1, "MR")
    assert (row["first_instance_at"], row["last_instance_at"]) == (100.0, 107.0)
    assert (row["last_activity_at"], row["open_associations"]) == (107.0, 1)


def test_the_same_bytes_again_only_show_activity(journal: Engine) -> None:
    arrive(journal, SLICE)
    put_series(journal, state="accepted")
    assert arrive(journal, replace(SLICE, received_at=150.0)) == [ArrivalOutcome.DUPLICATE]
    row = series_row(journal)
    assert row is not None
    assert (row["state"], row["revision"]) == ("accepted", 1)
    assert (row["last_instance_at"], row["last_activity_at"]) == (100.0, 150.0)


def test_other_bytes_under_a_known_uid_are_a_second_row_and_a_change(journal: Engine) -> None:
    arrive(journal, SLICE)
    put_series(journal, state="accepted", is_forced=1)
    outcome = arrive(journal, replace(SLICE, digest="c" * 64, received_at=200.0))
    assert outcome == [ArrivalOutcome.CHANGED]
    row = series_row(journal)
    assert row is not None
    assert (row["state"], row["revision"], row["is_forced"]) == ("receiving", 2, 0)
    with transaction(journal) as connection:
        digests = connection.execute(sa.select(INSTANCE.c.digest)).scalars().all()
    assert sorted(digests) == ["a" * 64, "c" * 64]


@pytest.mark.parametrize(
    ("before", "after", "revision"),
    [
        ("receiving", "receiving", 1),
        ("held", "receiving", 1),
        ("rejected", "receiving", 1),
        ("accepted", "receiving", 2),
        ("discarded", "discarded", 1),
    ],
)
def test_a_late_slice_moves_a_series(
    journal: Engine, before: str, after: str, revision: int
) -> None:
    arrive(journal, SLICE)
    put_series(journal, state=before)
    arrive(journal, replace(SLICE, sop_instance_uid="1.2.3.2", received_at=300.0))
    row = series_row(journal)
    assert row is not None
    assert (row["state"], row["revision"], row["last_instance_at"]) == (after, revision, 300.0)


def test_a_segmentation_of_others_is_kept_and_never_triggers(journal: Engine) -> None:
    assert arrive(journal, SEGMENTATION) == [ArrivalOutcome.NEW]
    row = series_row(journal, "1.2.9")
    assert row is not None
    assert row["state"] == "rejected"
    assert json.loads(str(row["decision"]))["reasons"] == ["not_an_image"]
    arrive(journal, replace(SEGMENTATION, sop_instance_uid="1.2.9.2"))
    again = series_row(journal, "1.2.9")
    assert again is not None
    assert again["state"] == "rejected"


@pytest.mark.parametrize("known", ["sop_instance_uid", "series_uid"])
def test_an_own_result_is_kept_and_makes_no_series(journal: Engine, known: str) -> None:
    with transaction(journal) as connection:
        values = dict.fromkeys(("job_id", "name", "kind", "path", "digest"), "x")
        result = {**values, "size_bytes": 1, known: getattr(SEGMENTATION, known)}
        connection.execute(sa.insert(RESULT).values(**result))
    assert arrive(journal, SEGMENTATION) == [ArrivalOutcome.OWN_RESULT]
    assert series_row(journal, "1.2.9") is None


def test_an_object_in_quarantine_makes_no_series(journal: Engine) -> None:
    unusable = replace(SLICE, series_uid="", is_quarantined=True, opens_series=False)
    assert arrive(journal, unusable) == [ArrivalOutcome.QUARANTINED]
    assert series_row(journal, "") is None
    with transaction(journal) as connection:
        assert connection.execute(sa.select(INSTANCE.c.state)).scalars().all() == ["quarantined"]


def test_an_object_that_retention_deleted_comes_back_as_stored(journal: Engine) -> None:
    arrive(journal, SLICE)
    with transaction(journal) as connection:
        connection.execute(sa.update(INSTANCE).values(state="deleted", path=""))
    assert arrive(journal, SLICE) == [ArrivalOutcome.DUPLICATE]
    with transaction(journal) as connection:
        row = connection.execute(sa.select(INSTANCE.c.state, INSTANCE.c.path)).one()
    assert tuple(row) == ("stored", "series/aa/bb/1.dcm")


def test_the_end_of_an_association_is_activity_and_a_broken_one_leaves_a_mark(
    journal: Engine,
) -> None:
    arrive(journal, SLICE)
    with transaction(journal) as connection:
        association_ended(connection, {"1.2.3"}, 400.0, is_released=False)
    row = series_row(journal)
    assert row is not None
    assert (row["last_activity_at"], row["open_associations"], row["is_broken_off"]) == (
        400.0,
        0,
        1,
    )
    # The sender comes back: the mark goes, and a proper end leaves none.
    arrive(journal, SLICE)
    with transaction(journal) as connection:
        association_ended(connection, {"1.2.3"}, 500.0, is_released=True)
    row = series_row(journal)
    assert row is not None
    assert (row["last_activity_at"], row["open_associations"], row["is_broken_off"]) == (
        500.0,
        0,
        0,
    )


def test_700_series_of_one_association_end_together(journal: Engine) -> None:
    arrivals = [
        replace(SLICE, sop_instance_uid=f"1.2.3.{n}", series_uid=f"1.5.{n}") for n in range(700)
    ]
    arrive(journal, *arrivals)
    with transaction(journal) as connection:
        association_ended(
            connection, {arrival.series_uid for arrival in arrivals}, 9.0, is_released=True
        )
        open_ones = sa.select(sa.func.sum(SERIES.c.open_associations))
        assert connection.execute(open_ones).scalar() == 0


def test_a_new_listener_closes_what_the_one_before_left_open(journal: Engine) -> None:
    arrive(journal, SLICE)
    with transaction(journal) as connection:
        forget_associations(connection)
    row = series_row(journal)
    assert row is not None
    assert (row["open_associations"], row["is_broken_off"]) == (0, 1)


def test_counters_add_up_by_label(journal: Engine) -> None:
    for amounts in ({"stored": 3}, {"stored": 2, "refused_A700": 1}):
        with transaction(journal) as connection:
            count_objects(connection, amounts)
    with transaction(journal) as connection:
        rows = connection.execute(sa.select(COUNTER.c.name, COUNTER.c.label, COUNTER.c.value)).all()
    assert sorted(map(tuple, rows)) == [
        ("objects", "refused_A700", 1),
        ("objects", "stored", 5),
    ]
