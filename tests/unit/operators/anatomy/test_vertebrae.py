from __future__ import annotations

import pytest

from operators.anatomy.labels import VERTEBRA_INSTANCES
from operators.anatomy.vertebrae import (
    CRANIAL_TO_CAUDAL,
    LEVEL_NAMES,
    cranial_to_caudal,
    ordinal_text,
    vertebra_of,
    vertebra_text,
    vertebrae_among,
)

EVERY_LABEL = [base + x for base in (0, 100, 200) for x in CRANIAL_TO_CAUDAL]


@pytest.mark.parametrize(
    ("instance", "name"),
    [(1, "C1"), (7, "C7"), (8, "T1"), (19, "T12"), (28, "T13"), (20, "L1"), (24, "L5"), (25, "L6"),
     (26, "sacrum")],
)  # fmt: skip
def test_levels_have_their_names(instance: int, name: str):
    assert LEVEL_NAMES[instance] == name


def test_every_vertebra_and_the_sacrum_has_a_name_and_a_place():
    assert set(LEVEL_NAMES) == set(CRANIAL_TO_CAUDAL) == VERTEBRA_INSTANCES | {26}
    assert len(set(LEVEL_NAMES.values())) == 27


def test_t13_stands_between_t12_and_l1_and_the_sacrum_last():
    assert cranial_to_caudal({26, 1, 20, 28, 19}) == (1, 19, 28, 20, 26)


def test_only_vertebrae_are_counted():
    assert vertebrae_among([226, 202, 102, 26, 3, 2]) == (2, 3)


@pytest.mark.parametrize("label", EVERY_LABEL)
def test_every_label_belongs_to_the_vertebra_it_was_made_from(label: int):
    assert vertebra_of(label) == label % 100


@pytest.mark.parametrize("label", [0, 27, 29, 99, 100, 127, 130, 200, 227, 255])
def test_other_numbers_belong_to_nothing(label: int):
    with pytest.raises(KeyError):
        vertebra_of(label)


def test_every_text_fits_a_segment_label_and_no_two_are_alike():
    texts = [ordinal_text(label, CRANIAL_TO_CAUDAL[:-1]) for label in EVERY_LABEL]
    assert max(map(len, texts)) <= 64
    assert len(set(texts)) == len(texts)


def test_no_ordinal_text_names_a_level():
    for label in EVERY_LABEL:
        words = ordinal_text(label, CRANIAL_TO_CAUDAL[:-1]).split()
        assert not set(words) & set(LEVEL_NAMES.values()) - {"sacrum"}


@pytest.mark.parametrize(
    ("label", "vertebrae", "text"),
    [
        (3, (2, 3, 4), "vertebra 3"),
        (28, (19, 28, 20), "vertebra 28"),
        (128, (19, 28, 20), "disc below vertebra 28"),
        (220, (19, 28, 20), "endplates of vertebra 20"),
        (118, (19, 28, 20), "disc above vertebra 19"),
        (221, (19, 20), "endplates below all vertebrae"),
        (226, (24,), "endplates of the sacrum"),
        (26, (), "sacrum"),
    ],
)
def test_texts_give_the_number_in_the_map(label: int, vertebrae: tuple[int, ...], text: str):
    assert ordinal_text(label, vertebrae) == text


@pytest.mark.parametrize("vertebra", sorted(VERTEBRA_INSTANCES))
def test_every_text_about_a_vertebra_of_the_map_holds_the_same_words_for_it(vertebra: int):
    for label in (vertebra, 100 + vertebra, 200 + vertebra):
        assert ordinal_text(label, (vertebra,)).endswith(vertebra_text(vertebra))
