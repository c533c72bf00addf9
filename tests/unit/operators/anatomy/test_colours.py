from __future__ import annotations

import math
from itertools import combinations, pairwise

import pytest
from highdicom.color import CIELabColor

from operators.anatomy.codes import STRUCTURES
from operators.anatomy.colours import (
    STRUCTURE_COLOURS,
    Rgb,
    cielab,
    dicom_cielab,
    instance_colour,
)
from operators.anatomy.vertebrae import CRANIAL_TO_CAUDAL

JUST_NOTICEABLE = 2.3
"""Delta E 1976 (Mahy 1994)."""


def apart(one: Rgb, other: Rgb) -> float:
    return math.dist(cielab(one), cielab(other))


@pytest.mark.parametrize(
    ("colour", "lab"),
    [
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_srgb_corners_have_their_published_lab_values_under_d65(colour: Rgb, lab: tuple):
    assert cielab(colour) == pytest.approx(lab, abs=0.02)


@pytest.mark.parametrize("colour", [*STRUCTURE_COLOURS.values(), (0, 0, 0), (255, 255, 255)])
def test_highdicom_reads_the_integers_back_as_the_same_colour(colour: Rgb):
    read = CIELabColor.from_dicom_value(dicom_cielab(colour))
    assert read.to_rgb() == pytest.approx(colour, abs=1)


def test_every_structure_has_a_colour_and_no_two_look_alike():
    assert set(STRUCTURE_COLOURS) == set(STRUCTURES)
    for one, other in combinations(STRUCTURE_COLOURS.values(), 2):
        assert apart(one, other) > 5 * JUST_NOTICEABLE


def test_neighbouring_vertebrae_contrast():
    for one, other in pairwise(CRANIAL_TO_CAUDAL):
        assert apart(instance_colour(one), instance_colour(other)) > 30


def test_a_vertebra_its_disc_and_its_endplate_are_told_apart():
    for x in CRANIAL_TO_CAUDAL:
        for one, other in combinations((x, 100 + x, 200 + x), 2):
            assert apart(instance_colour(one), instance_colour(other)) > 20


def test_no_two_instances_share_a_colour():
    labels = [base + x for base in (0, 100, 200) for x in CRANIAL_TO_CAUDAL]
    colours = [dicom_cielab(instance_colour(label)) for label in labels]
    assert len(set(colours)) == len(labels)
    vertebrae = [instance_colour(x) for x in CRANIAL_TO_CAUDAL]
    assert min(apart(*pair) for pair in combinations(vertebrae, 2)) > 2 * JUST_NOTICEABLE


def test_every_colour_is_seen_on_black():
    for x in CRANIAL_TO_CAUDAL:
        assert cielab(instance_colour(200 + x))[0] > 20
    for colour in STRUCTURE_COLOURS.values():
        assert cielab(colour)[0] > 35
