from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from highdicom import ContributingEquipment
from pydicom.dataset import Dataset

from operators.dicom.results.equipment import local_time, own_equipment, stamp_times
from tests.builders.results import CONTEXT, USE, context

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("+0100", datetime(2026, 1, 1, 13, 0)),  # noqa: DTZ001
        ("-0330", datetime(2026, 1, 1, 8, 30)),  # noqa: DTZ001
        ("+1300", datetime(2026, 1, 2, 1, 0)),  # noqa: DTZ001
        ("", datetime(2026, 1, 1, 12, 0)),  # noqa: DTZ001
    ],
)
def test_an_aware_clock_is_told_in_the_time_zone_of_the_source(offset: str, expected: datetime):
    assert local_time(NOON, offset) == expected


def test_a_naive_clock_is_the_wall_time_of_the_site():
    naive = datetime(2026, 1, 1, 12, 0)  # noqa: DTZ001
    assert local_time(naive, "+0500") == naive


def test_a_clock_in_another_zone_gives_the_same_instant():
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    assert local_time(tokyo, "+0100") == local_time(NOON, "+0100")


def test_the_item_names_both_models_and_the_research_notice():
    item = own_equipment(CONTEXT)
    for text in ("t2w_bundled 1.0.0", "instance_bundled 1.0.0", "not for diagnosis"):
        assert text in item.ContributionDescription
    assert "ContributionDateTime" not in item
    cleared = own_equipment(context(intended_use=USE))
    assert "diagnosis" not in cleared.ContributionDescription


def test_no_time_of_the_machine_stays_in_an_object():
    result = Dataset()
    result.ContributingEquipmentSequence = [
        own_equipment(CONTEXT),
        ContributingEquipment.for_highdicom(),
    ]
    stamp_times(result, datetime(2026, 1, 1, 12, 0, 5))  # noqa: DTZ001
    for event in ("InstanceCreation", "Content", "Series"):
        assert str(result[f"{event}Date"].value) == "20260101"
        assert str(result[f"{event}Time"].value) == "120005"
    for item in result.ContributingEquipmentSequence:
        assert str(item.ContributionDateTime) == "20260101120005"
