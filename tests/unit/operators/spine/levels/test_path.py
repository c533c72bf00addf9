"""The row of levels: which rows there are, and what evidence decides among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from operators.anatomy.vertebrae import LEVEL_NAMES
from operators.spine.levels.evidence import costs_of
from operators.spine.levels.measures import SpineMeasures, VertebraMeasures
from operators.spine.levels.path import (
    COLUMN_SHARE,
    LUMBAR_SHARE,
    THORACIC_SHARE,
    Choice,
    choose,
    paths_over,
    paths_with_gaps,
)
from operators.spine.levels.tables import FEATURES, MEANS

IDS = {name: level for level, name in LEVEL_NAMES.items()}
SIZES = tuple(name for name in FEATURES if name != "costal_reach")


def spine_of(
    names: str, *, sacrum: bool = False, atlas: bool = False, typical: bool = True, room: float = 0
) -> SpineMeasures:
    """Vertebrae that look as their levels typically do, or of which nothing is measured."""
    levels = [IDS[name] for name in names.split()]
    vertebrae = tuple(
        VertebraMeasures(
            n,
            np.zeros(3),
            {name: float(MEANS[name][level]) for name in SIZES if typical and level > 1},
        )
        for n, level in enumerate(levels, start=2)
    )
    return SpineMeasures(
        vertebrae,
        tuple(range(len(levels))),
        has_atlas=atlas,
        has_sacrum=sacrum,
        room_above_mm=room,
    )


def decided(spine: SpineMeasures) -> Choice:
    paths = paths_over(spine.places)
    return choose(paths, costs_of(spine, paths))


def names_of(choice: Choice) -> str:
    return " ".join(LEVEL_NAMES[level] for level in choice.levels)


def row(first: str, last: str, *, extra: str = "", without: str = "") -> str:
    """Names from one level to another in a usual column, with changes."""
    usual = [f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)]
    usual += [*extra.split()] if extra.startswith("T") else []
    usual += [f"L{n}" for n in range(1, 6)]
    usual += [*extra.split()] if extra.startswith("L") else []
    kept = [name for name in usual if name not in without.split()]
    return " ".join(kept[kept.index(first) : kept.index(last) + 1])


def test_every_row_is_a_piece_of_a_column() -> None:
    columns = 9
    paths = paths_over((0,))
    lengths = [7 + thoracic + lumbar for thoracic in (11, 12, 13) for lumbar in (4, 5, 6)]
    assert paths.count == sum(lengths)  # one vertebra: any place, and no sacral piece alone
    assert np.exp(-paths.prior[paths.is_last]).sum() == pytest.approx(0.96)
    two = paths_over((0, 1))
    assert two.count == sum(lengths) - columns + columns
    sacral = two.levels[:, 1] == 26
    assert sacral.sum() == columns
    assert {LEVEL_NAMES[n] for n in two.levels[sacral, 0]} == {"L4", "L5", "L6"}


def test_compensated_columns_are_more_frequent_than_their_parts_together() -> None:
    assert sum(COLUMN_SHARE.values()) == pytest.approx(1.0)
    for thoracic, lumbar in ((13, 4), (11, 6)):
        apart = THORACIC_SHARE[thoracic] * LUMBAR_SHARE[lumbar]
        assert COLUMN_SHARE[thoracic, lumbar] > 5 * apart
        assert COLUMN_SHARE[thoracic, lumbar] < COLUMN_SHARE[12, 5] / 50


def test_thirteen_ribs_stand_before_the_first_lumbar_one() -> None:
    paths = paths_over((0, 1, 2))
    rows = {" ".join(LEVEL_NAMES[n] for n in levels) for levels in paths.levels}
    assert {"T12 T13 L1", "T11 T12 L1", "T11 L1 L2", "L4 L5 L6"} <= rows
    assert not {"T13 L2 L3", "T11 T13 L1"} & rows


def test_a_missing_bone_leaves_out_a_level() -> None:
    paths = paths_over((0, 2))
    rows = {tuple(LEVEL_NAMES[n] for n in levels) for levels in paths.levels}
    assert ("L2", "L4") in rows
    assert ("L2", "L3") not in rows


def test_a_gap_may_hold_a_bone_more_or_less() -> None:
    assert paths_with_gaps((0, 1, 2)).count == paths_over((0, 1, 2)).count
    wide = paths_with_gaps((0, 3))
    rows = {" ".join(LEVEL_NAMES[n] for n in levels) for levels in wide.levels}
    assert {"C2 C4", "C2 C5", "C2 C6"} <= rows
    assert not {"C2 C3", "C2 C7"} & rows
    as_long = paths_over((0, 3))
    assert wide.prior[: as_long.count] == pytest.approx(as_long.prior)
    assert wide.prior[as_long.count :].min() >= as_long.prior.min() + 1.5
    assert "C2 C3" not in {
        " ".join(LEVEL_NAMES[n] for n in levels) for levels in paths_with_gaps((0, 2)).levels
    }


def test_both_sides_of_a_gap_say_how_many_bones_it_holds() -> None:
    names = row("C1", "L5").split()
    kept = [n for n in range(len(names)) if not 5 <= n < 11]
    seen = spine_of(" ".join(names[n] for n in kept), sacrum=True, atlas=True)
    guessed = tuple(n if n < 5 else n - 1 for n in kept)  # five bones for six
    paths = paths_with_gaps(guessed)
    choice = choose(paths, costs_of(replace(seen, places=guessed), paths))
    assert names_of(choice) == " ".join(names[n] for n in kept)


def test_more_bones_than_people_have_give_no_row() -> None:
    assert paths_over(tuple(range(28))).count == 0


def test_without_evidence_every_place_is_as_probable() -> None:
    paths = paths_over((0,))
    choice = choose(paths, {"nothing": np.zeros(paths.count)})
    share = np.exp(-paths.prior)
    same = paths.levels[:, 0] == choice.levels[0]
    assert choice.confidence[0] == pytest.approx(share[same].sum() / share.sum())
    assert choice.confidence[0] < 0.05


def test_confidence_is_the_share_of_rows_that_agree() -> None:
    paths = paths_over((0,))
    costs = np.where(paths.levels[:, 0] == IDS["L3"], 0.0, np.inf)
    other = np.where(paths.levels[:, 0] == IDS["L2"], np.log(3.0), np.inf)
    choice = choose(paths, {"image": np.minimum(costs, other)})
    assert names_of(choice) == "L3"
    assert choice.confidence[0] == pytest.approx(0.75)
    assert choice.rivals[0] == IDS["L2"]
    assert choice.support[0]["image"] == pytest.approx(np.log(3.0))


@pytest.mark.parametrize(
    ("names", "sacrum", "atlas"),
    [
        (row("T10", "L5"), True, False),
        (row("C1", "T3"), False, True),
        (row("C1", "L5"), True, True),
        (row("C1", "L6", extra="L6"), True, True),
        (row("C1", "L4", without="L5"), True, True),
        (row("C1", "L5", extra="T13"), True, True),
        (row("C1", "L5", without="T12"), True, True),
        (row("T9", "L6", extra="L6"), True, False),
        (row("T9", "L4", without="L5"), True, False),
    ],
)
def test_a_row_with_an_end_in_view_is_named(names: str, *, sacrum: bool, atlas: bool) -> None:
    choice = decided(spine_of(names, sacrum=sacrum, atlas=atlas))
    assert names_of(choice) == names


def test_lumbar_levels_above_a_sacrum_are_sure_and_the_chest_is_less() -> None:
    choice = decided(spine_of(row("T10", "L5"), sacrum=True))
    assert min(choice.confidence[3:]) >= 0.98
    # Whether T12 is the twelfth can't be seen in a loin: 3 % have one more, 3 % one less.
    assert max(choice.confidence[:3]) < min(choice.confidence[3:])


def test_a_row_without_measures_hangs_on_the_sacrum_alone() -> None:
    choice = decided(spine_of(row("L1", "L5"), sacrum=True, typical=False))
    assert names_of(choice) == row("L1", "L5")
    assert 0.8 < min(choice.confidence) <= max(choice.confidence) < 0.98


def test_nothing_measured_and_no_end_in_view_is_uncertain() -> None:
    choice = decided(spine_of(row("T4", "T9"), typical=False))
    assert max(choice.confidence) < 0.2


def test_a_piece_of_the_sacrum_shifts_no_name() -> None:
    piece = {**dict.fromkeys(("height", "depth"), 3.2), "tilt": 40.0}
    loin = spine_of(row("T11", "L5"), sacrum=True)
    spine = SpineMeasures(
        (*loin.vertebrae, VertebraMeasures(9, np.zeros(3), piece)),
        (*loin.places, len(loin.places)),
        has_atlas=False,
        has_sacrum=True,
        room_above_mm=0.0,
    )
    assert names_of(decided(spine)) == f"{row('T11', 'L5')} sacrum"


def test_a_small_person_has_the_same_levels() -> None:
    spine = spine_of(row("T10", "L5"), sacrum=True)
    small = SpineMeasures(
        tuple(
            VertebraMeasures(
                v.vertebra,
                v.centre_lps,
                {k: x if k in ("tilt", "spinous_drop") else x - 0.2 for k, x in v.figures.items()},
            )
            for v in spine.vertebrae
        ),
        spine.places,
        has_atlas=False,
        has_sacrum=True,
        room_above_mm=0.0,
    )
    assert names_of(decided(small)) == row("T10", "L5")


@pytest.mark.parametrize(("last_with_cord", "named"), [(2, "T11 T12 L1 L2 L3 L4"), (4, "T9 T10")])
def test_the_cord_ends_at_the_first_lumbar_vertebra(last_with_cord: int, named: str) -> None:
    blank = spine_of(row("T11", "L4"), typical=False)
    cord = tuple(
        VertebraMeasures(v.vertebra, v.centre_lps, {"cord": float(n <= last_with_cord)})
        for n, v in enumerate(blank.vertebrae)
    )
    spine = SpineMeasures(cord, blank.places, has_atlas=False, has_sacrum=False, room_above_mm=0.0)
    assert names_of(decided(spine)).startswith(named)


def test_no_cord_in_the_masks_says_nothing() -> None:
    blank = spine_of(row("T4", "T9"), typical=False)
    dry = tuple(VertebraMeasures(v.vertebra, v.centre_lps, {"cord": 0.0}) for v in blank.vertebrae)
    spine = SpineMeasures(dry, blank.places, has_atlas=False, has_sacrum=False, room_above_mm=0.0)
    paths = paths_over(spine.places)
    assert not costs_of(spine, paths)["conus"].any()


def test_room_above_speaks_for_the_top_of_the_spine() -> None:
    near, far = (
        decided(spine_of(row("C2", "C6"), typical=False, room=mm)).confidence[0]
        for mm in (10.0, 60.0)
    )
    assert far > 2 * near


def with_top(spine: SpineMeasures, **changed: Any) -> SpineMeasures:
    top, *others = spine.vertebrae
    return replace(spine, vertebrae=(replace(top, **{"figures": {}, **changed}), *others))


def test_a_body_whose_dens_is_cut_is_that_of_c2() -> None:
    neck = spine_of(row("C2", "C6"))
    bare, tall = with_top(neck), with_top(neck, figures={"tall": float(np.log(1.5))})
    assert names_of(decided(tall)) == row("C2", "C6")
    assert decided(tall).confidence[0] > decided(bare).confidence[0]
    assert decided(tall).support[0]["axis"] > 0.0
    # Without that much in view it says nothing, neither for nor against C2.
    paths = paths_over(bare.places)
    assert not costs_of(bare, paths)["axis"].any()


def test_an_arch_above_a_tall_body_is_that_of_c1() -> None:
    neck = spine_of(row("C1", "C6"))
    arch, axis, *others = neck.vertebrae
    cut = replace(axis, figures={"tall": float(np.log(1.5))})
    spine = replace(neck, vertebrae=(replace(arch, has_body=False), cut, *others))
    assert names_of(decided(spine)) == row("C1", "C6")


def test_only_a_body_speaks_against_c1() -> None:
    neck = spine_of(row("C1", "C6"))
    paths = paths_over(neck.places)
    at_c1 = paths.levels[:, 0] == IDS["C1"]
    assert costs_of(with_top(neck), paths)["atlas"][at_c1].min() > 0.0
    assert not costs_of(with_top(neck, has_body=False), paths)["atlas"].any()


def test_processes_that_reach_the_border_are_not_thoracic() -> None:
    long = VertebraMeasures(2, np.zeros(3), {"costal_beyond": float(np.log(38.0))})
    spine = SpineMeasures((long,), (0,), has_atlas=False, has_sacrum=False, room_above_mm=0.0)
    paths = paths_over((0,))
    cost = costs_of(spine, paths)["processes"]
    levels = paths.levels[:, 0]
    assert cost[levels == IDS["L2"]].max() < cost[levels == IDS["T11"]].min()
