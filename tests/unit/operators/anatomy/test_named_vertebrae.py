"""What a person said, read and found again."""

from __future__ import annotations

import pytest

from operators.anatomy.named_vertebrae import (
    SAME_PLACE_MM,
    NamedVertebra,
    level_named,
    parameter_of,
    parse,
)
from operators.errors import NamesRejectedError

CENTRES = {2: (0.0, 0.0, 30.0), 3: (0.0, 0.0, 0.0)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3", "unknown_level"),
        ("3=", "unknown_level"),
        ("3=L7", "unknown_level"),
        ("=L4", "unknown_vertebra"),
        ("x=L4", "unknown_vertebra"),
        ("\u00b3=L4", "unknown_vertebra"),
        ("-3=L4", "unknown_vertebra"),
        ("L4", "unknown_vertebra"),
    ],
)
def test_what_names_no_vertebra_is_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(NamesRejectedError) as caught:
        parse(text)
    assert caught.value.reasons == (reason,)


def test_every_level_can_be_written() -> None:
    names = ["C1", "c7", "T13", " L6 ", "Sacrum"]
    assert [level_named(name) for name in names] == [1, 7, 28, 25, 26]


def test_a_key_may_hold_anything_before_the_last_colon() -> None:
    assert parse("a:b:12=T1") == NamedVertebra(level=8, vertebra=12, key="a:b")


def test_a_place_is_found_whatever_the_numbers_are_now() -> None:
    named = NamedVertebra(level=23, vertebra=2, key="old", centre_mm=(0.0, 0.0, 1.0))
    assert named.find("new", CENTRES) == 3
    far = NamedVertebra(level=23, vertebra=2, centre_mm=(0.0, 0.0, -SAME_PLACE_MM - 0.1))
    assert far.find("new", CENTRES) is None
    assert named.find("new", {}) is None


def test_a_number_counts_in_its_own_result_alone() -> None:
    named = NamedVertebra(level=23, vertebra=2, key="a")
    assert (named.find("a", CENTRES), named.find("b", CENTRES)) == (2, None)
    assert NamedVertebra(level=23, vertebra=2).find("b", CENTRES) == 2
    assert NamedVertebra(level=23, vertebra=9).find("b", CENTRES) is None


def test_the_parameter_is_the_same_in_any_order_and_absent_without_names() -> None:
    one, other = NamedVertebra(level=23, vertebra=3), NamedVertebra(level=20, vertebra=2)
    assert parameter_of([one, other]) == parameter_of([other, one])
    assert parameter_of([one, other]) == (("named_levels", "2=L1; 3=L4"),)
    assert parameter_of([]) == ()
