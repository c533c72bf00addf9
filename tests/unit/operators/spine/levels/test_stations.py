"""Stations that overlap: one column, one name per bone; and what a person says of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from operators.anatomy.columns import column_of
from operators.anatomy.labels import SACRUM_INSTANCE
from operators.anatomy.levels import UNCERTAIN
from operators.anatomy.vertebrae import LEVEL_NAMES
from operators.errors import NamesRejectedError
from operators.spine.levels.measures import SpineMeasures, VertebraMeasures
from operators.spine.levels.names import (
    BESIDE_A_PERSONS,
    BY_A_PERSON,
    BY_A_STATION,
    name_levels,
    name_stations,
)
from operators.spine.levels.stations import Station, from_json, link
from operators.spine.levels.tables import FEATURES, MEANS
from tests.unit.operators.spine.levels.test_names import maps_of

IDS = {name: level for level, name in LEVEL_NAMES.items()}
SIZES = tuple(name for name in FEATURES if name != "costal_reach")
PITCH_MM = 30.0
USUAL = column_of(12, 5)


def station(
    first: str,
    last: str,
    column: tuple[int, ...] = USUAL,
    *,
    shift_mm: float = 0.0,
    typical: bool = True,
    **known: Any,
) -> Station:
    """A field of view of one person: its vertebrae are numbered from 2, whatever they are."""
    places = range(column.index(IDS[first]), column.index(IDS[last]) + 1)
    vertebrae = tuple(
        VertebraMeasures(
            n,
            np.array([0.0, shift_mm, -PITCH_MM * place]),
            {k: float(MEANS[k][column[place]]) for k in SIZES if typical and column[place] > 1},
        )
        for n, place in enumerate(places, start=2)
    )
    spine = SpineMeasures(
        vertebrae,
        tuple(range(len(vertebrae))),
        has_atlas=places[0] == 0,
        has_sacrum=places[-1] == len(column) - 1,
        room_above_mm=0.0,
    )
    return Station(spine, **{"frame": "1.2", **known})


def texts(names: dict) -> str:
    return " ".join(name.text for name in names.values())


def levels(names: dict) -> str:
    return " ".join(LEVEL_NAMES[name.level] for name in names.values())


def test_a_chest_that_shows_no_end_is_named_by_the_station_below() -> None:
    chest, loin = station("T4", "T12", typical=False), station("T11", "L5", shift_mm=4.0)
    (alone,) = name_stations([chest])
    assert {name.text for name in alone.values()} == {UNCERTAIN}
    upper, lower = name_stations([chest, loin])
    assert levels(upper) == "T4 T5 T6 T7 T8 T9 T10 T11 T12"
    assert [upper[9], upper[10]] == [
        replace(name, centre_mm=upper[n].centre_mm) for n, name in ((9, lower[2]), (10, lower[3]))
    ]
    assert all(BY_A_STATION in name.evidence for name in (*upper.values(), *lower.values()))
    assert min(name.confidence for name in upper.values()) > 0.9


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_three_stations_in_any_order_have_one_numbering(order: tuple[int, ...]) -> None:
    three = [station("C1", "T3"), station("T1", "T10"), station("T8", "L5")]
    names = name_stations([three[n] for n in order])
    by_place = {}
    for found, n in zip(names, order, strict=True):
        for vertebra, bone in zip(three[n].spine.vertebrae, found.values(), strict=True):
            by_place.setdefault(tuple(vertebra.centre_lps), set()).add(bone.level)
    assert [by_place[place] for place in sorted(by_place, key=lambda p: -p[2])] == [
        {level} for level in USUAL
    ]
    assert len(link([three[n] for n in order])) == 1


def test_both_ends_in_view_tell_a_variant_in_the_chest_between_them() -> None:
    column = column_of(13, 5)
    stations = [
        station("C1", "T3", column),
        station("T2", "T10", column, typical=False),
        station("T9", "L5", column),
    ]
    names = name_stations(stations)
    assert levels(names[2]) == "T9 T10 T11 T12 T13 L1 L2 L3 L4 L5"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"frame": "1.3"}, id="another frame of reference"),
        pytest.param({"shift_mm": 16.0}, id="half a vertebra beside it"),
    ],
)
def test_what_does_not_share_bones_is_named_alone(other: dict) -> None:
    stations = [station("C2", "T2"), station("T1", "T8", **other)]
    assert [column.members for column in link(stations)] == [(0,), (1,)]
    assert name_stations(stations) == (
        *name_stations(stations[:1]),
        *name_stations(stations[1:]),
    )


def test_more_bones_than_people_have_are_named_image_by_image() -> None:
    neck, loin = station("C1", "T12"), station("T5", "L5")
    # The lower image lies two bones below the neck's last but one, and counts 14 more.
    vertebrae = tuple(
        replace(v, centre_lps=v.centre_lps - [0.0, 0.0, 6 * PITCH_MM]) for v in loin.spine.vertebrae
    )
    lower = replace(loin, spine=replace(loin.spine, vertebrae=vertebrae))
    assert [column.members for column in link([neck, lower])] == [(0, 1)]
    names = name_stations([neck, lower])
    assert names[0] == name_stations([neck])[0]
    assert names[1] == name_stations([lower])[0]


def test_without_a_frame_of_reference_nothing_is_shared() -> None:
    twice = [station("T11", "L5", frame=""), station("T11", "L5", frame="")]
    assert len(link(twice)) == 2


def test_the_same_bones_seen_twice_are_no_second_witness() -> None:
    loin = station("T10", "L5")
    (alone,) = name_stations([loin])
    twice, _ = name_stations([loin, replace(loin)])
    assert [name.confidence for name in twice.values()] == [
        name.confidence for name in alone.values()
    ]


def test_a_station_survives_its_record() -> None:
    loin = station("T11", "L5", named={3: IDS["T12"]})
    read = from_json(json.loads(json.dumps(loin.as_json())))
    assert read is not None
    assert (read.frame, read.named, read.spine.places) == ("1.2", {3: 19}, loin.spine.places)
    assert texts(name_stations([read])[0]) == texts(name_stations([loin])[0])


@pytest.mark.parametrize("changed", [{"places": None}, {"vertebrae": [1]}, {"named": {"a": "b"}}])
def test_what_another_version_wrote_is_no_station(changed: dict[str, Any]) -> None:
    values = station("T11", "L5").as_json()
    assert from_json({**values, **changed}) is None
    assert from_json({}) is None


class TestAPersonsNames:
    def test_one_name_moves_the_row_and_has_no_reserve(self) -> None:
        (names,) = name_stations([station("L1", "L5", named={5: IDS["L5"]})])
        assert texts(names) == "L2 L3 L4 L5 probably L6"  # or a piece of the sacrum
        assert names[5].evidence == (BY_A_PERSON,)
        assert names[6].evidence[0] == BESIDE_A_PERSONS
        assert names[2].evidence == (BESIDE_A_PERSONS,)
        assert {names[n].confidence for n in (2, 3, 4, 5)} == {1.0}

    def test_what_its_order_does_not_force_is_weighed_among_what_agrees(self) -> None:
        (names,) = name_stations([station("T9", "L3", typical=False, named={6: IDS["L1"]})])
        assert texts(names).endswith("T12 L1 L2 L3")
        assert names[5].text == "probably T12"  # a person may have 11 or 13
        assert BESIDE_A_PERSONS in names[5].evidence

    @pytest.mark.parametrize(
        ("named", "row"),
        [
            ({8: IDS["L6"]}, "T12 L1 L2 L3 L4 L5 L6"),
            ({2: IDS["T13"]}, "T13 L1 L2 L3 L4 L5"),
            ({7: IDS["L4"], 8: SACRUM_INSTANCE}, "T11 T12 L1 L2 L3 L4 sacrum"),
            ({8: SACRUM_INSTANCE, 2: IDS["T12"]}, "T12 L1 L2 L3 L4 L5 sacrum"),
        ],
    )
    def test_variants_can_be_named(self, named: dict[int, int], row: str) -> None:
        (names,) = name_stations([station("T11", "L5", named=named)])
        assert levels(names).startswith(row)

    def test_it_names_the_bones_of_the_other_station_too(self) -> None:
        chest = station("T4", "T10", typical=False, named={2: IDS["T5"]})
        loin = station("T9", "L5")
        upper, lower = name_stations([chest, loin])
        assert levels(upper) == "T5 T6 T7 T8 T9 T10 T11"
        assert levels(lower)[:7] == "T10 T11"

    def test_an_order_that_nobody_has_is_refused(self) -> None:
        wrong = station("L1", "L5", named={2: IDS["L2"], 3: IDS["L4"]})
        with pytest.raises(NamesRejectedError) as caught:
            name_stations([wrong])
        assert caught.value.reasons == ("impossible_order",)

    def test_two_names_for_one_bone_are_refused(self) -> None:
        chest = station("T4", "T12", named={10: IDS["T12"]})
        with pytest.raises(NamesRejectedError):
            name_stations([chest, station("T11", "L5", named={3: IDS["L1"]})])

    def test_a_gap_that_was_guessed_gives_way_to_it(self) -> None:
        loin = station("L1", "L5")
        gap = replace(loin, spine=replace(loin.spine, places=(0, 1, 3, 4, 5)))
        given = {2: IDS["L1"], 6: IDS["L5"]}
        (names,) = name_stations([replace(gap, named=given)])
        assert texts(names) == "L1 L2 L3 L4 L5"

    def test_masks_are_named_with_their_places(self) -> None:
        names = name_levels(*maps_of(4, sacrum=True), {3: IDS["L4"]})
        assert texts(names)[:9] == "L3 L4 L5 "
        heights = [name.centre_mm[2] for name in names.values()]
        assert heights == sorted(heights, reverse=True)
        assert all(len(name.centre_mm) == 3 for name in names.values())
