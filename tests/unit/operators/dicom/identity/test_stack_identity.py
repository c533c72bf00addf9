"""A stack is known again by its place, never by its rank."""

from __future__ import annotations

from dataclasses import replace

import pytest

from operators.dicom.identity.stack_identity import ONLY_STACK, StackIdentity, from_json

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
HERE = StackIdentity(number=1, of=2, axes=SAGITTAL, centre_mm=(0.0, -80.0, 400.0))


def at(*centre_mm: float) -> StackIdentity:
    return replace(HERE, number=2, centre_mm=centre_mm)


def test_another_rank_at_the_same_place_is_the_same_stack():
    assert HERE.is_same_place(replace(HERE, number=2, of=3))


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (at(0.0, -80.0, 409.9), True),
        (at(0.0, -80.0, 410.1), False),
        (at(0.0, -74.0, 408.0), True),  # 6 and 8: 10 mm
        (replace(HERE, axes=(0.0, 1.0, 0.05, 0.0, 0.0, -1.0)), True),
        (replace(HERE, axes=(0.0, 1.0, 0.06, 0.0, 0.0, -1.0)), False),
        (replace(HERE, axes=()), False),
        (ONLY_STACK, False),
    ],
)
def test_a_few_millimetres_are_tolerated(other: StackIdentity, is_same: bool):  # noqa: FBT001
    assert HERE.is_same_place(other) == is_same
    assert other.is_same_place(HERE) == is_same


def test_what_both_declare_tells_them_apart_and_what_one_declares_does_not():
    named = replace(HERE, declared="1")
    assert named.is_same_place(HERE)
    assert named.is_same_place(replace(HERE, declared="1"))
    assert not named.is_same_place(replace(HERE, declared="2"))


def test_names_say_which_of_several():
    assert (HERE.suffix, HERE.label) == ("_stack1", "stack 1 of 2")
    assert (ONLY_STACK.suffix, ONLY_STACK.label) == ("", "")


def test_a_record_gives_it_back_and_an_older_one_gives_an_only_stack():
    assert from_json(HERE.as_json()) == HERE
    assert from_json({}) == ONLY_STACK
