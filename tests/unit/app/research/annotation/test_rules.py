import numpy as np
import pytest

from app.research.annotation.merging import merge
from app.research.annotation.recipe import Exclusion
from app.research.annotation.rules import reasons_against
from operators.imaging.volume import LabelMap
from tests.builders.spine_boxes import affine_rip, spine_boxes


def reasons(labels: np.ndarray, **rules: object) -> tuple[str, ...]:
    merged = merge(labels.shape, [])
    return reasons_against(LabelMap(labels, affine_rip()), merged, Exclusion(**rules))


SPINE = spine_boxes().semantic.labels_zyx  # 4 bodies of 4.32 ml, 12 mm tall


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ({}, ()),
        ({"missing_structures": ("disc", "canal")}, ()),
        (
            {"missing_structures": ("cord", "disc", "sacrum")},
            ("missing_structures: cord", "missing_structures: sacrum"),
        ),
        ({"fewer_bodies_than": 4}, ()),
        ({"fewer_bodies_than": 5}, ("fewer_bodies_than: 4",)),
        ({"canal_in_pieces": True}, ()),
        ({"body_beside_body": True}, ()),
    ],
)
def test_each_rule_says_what_it_saw(rules: dict[str, object], found: tuple[str, ...]) -> None:
    assert reasons(SPINE, **rules) == found


def test_a_broken_canal_and_grown_together_bodies_are_seen() -> None:
    broken = SPINE.copy()
    broken[:, 40:44, 32:38] = 0
    assert reasons(broken, canal_in_pieces=True) == ("canal_in_pieces: 2",)
    grown = SPINE.copy()
    grown[2:8, 6:60, 10:30] = 49
    assert reasons(grown, body_beside_body=True) == ("body_beside_body: 56 mm",)


def test_specks_are_no_bodies() -> None:
    speck = np.zeros_like(SPINE)
    speck[:, 0:2, 0:2] = 49
    assert reasons(speck, fewer_bodies_than=1) == ("fewer_bodies_than: 0",)
