"""Codes of levels against the published context groups."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pydicom.sr.codedict import codes

from operators.anatomy.codes import LOCAL_SCHEME, SACRUM, Concept
from operators.anatomy.level_codes import disc_concept, level_regions, vertebra_concept
from operators.anatomy.levels import LevelName
from operators.anatomy.vertebrae import LEVEL_NAMES

USUAL = [level for level in LEVEL_NAMES if level not in (25, 26, 28)]
SURE = 0.99


@pytest.mark.parametrize("level", USUAL)
def test_vertebrae_have_the_codes_of_cid_7603(level: int) -> None:
    published = getattr(codes.cid7603, f"{LEVEL_NAMES[level]}Vertebra")
    concept = vertebra_concept(level)
    assert (concept.value, concept.scheme) == (published.value, "SCT")
    assert concept.meaning == published.meaning


@pytest.mark.parametrize(("above", "below"), list(pairwise([*USUAL[1:], 26])))
def test_discs_have_the_codes_of_cid_7604(above: int, below: int) -> None:
    lower = "S1" if below == 26 else LEVEL_NAMES[below]
    published = getattr(codes.cid7604, f"{LEVEL_NAMES[above]}{lower}Disc")
    concept = disc_concept(above, below)
    assert concept is not None
    assert (concept.value, concept.scheme) == (published.value, "SCT")
    assert concept.meaning == published.meaning


@pytest.mark.parametrize(
    ("concept", "meaning"),
    [
        (vertebra_concept(25), "L6 vertebra"),
        (vertebra_concept(28), "T13 vertebra"),
        (disc_concept(19, 28), "T12/T13 disc"),
        (disc_concept(28, 20), "T13/L1 disc"),
        (disc_concept(24, 25), "L5/L6 disc"),
        (disc_concept(25, 26), "L6/S1 disc"),
        (disc_concept(23, 26), "L4/S1 disc"),
        (disc_concept(18, 20), "T11/L1 disc"),
    ],
)
def test_variants_have_codes_of_our_own(concept: Concept | None, meaning: str) -> None:
    assert concept is not None
    assert concept.scheme == LOCAL_SCHEME
    assert concept.meaning == meaning
    assert len(concept.value) <= 16


def test_a_disc_has_a_region_only_between_two_certain_levels() -> None:
    levels = {5: LevelName(22, SURE), 6: LevelName(23, SURE), 7: LevelName(24, 0.8)}
    regions = level_regions((5, 6, 7, 105, 106, 107, 205, 207), levels)
    assert {label: concept.meaning for label, concept in regions.items()} == {
        5: "L3 vertebra",
        6: "L4 vertebra",
        105: "L3/L4 disc",
        205: "L3 vertebra",
    }


def test_across_a_missing_vertebra_lies_no_disc() -> None:
    levels = {5: LevelName(21, SURE), 6: LevelName(23, SURE)}
    assert level_regions((5, 6, 105), levels).keys() == {5, 6}


def test_the_last_disc_has_a_region_where_the_sacrum_follows() -> None:
    levels = {7: LevelName(24, SURE)}
    assert level_regions((7, 107, 26, 126), levels)[107].meaning == "L5/S1 disc"
    assert 107 not in level_regions((7, 107), levels)
    assert not {26, 126} & set(level_regions((7, 107, 26, 126), levels))


def test_a_piece_of_the_sacrum_lies_in_the_sacrum() -> None:
    levels = {8: LevelName(24, SURE), 9: LevelName(26, SURE)}
    regions = level_regions((8, 9, 26, 108, 109), levels)
    assert regions[9] == SACRUM
    assert regions[108].meaning == "L5/S1 disc"
    assert 109 not in regions
