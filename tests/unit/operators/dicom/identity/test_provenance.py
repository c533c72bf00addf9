from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from operators.dicom.identity import provenance
from operators.dicom.identity.provenance import Predecessor, result_key
from operators.dicom.identity.stack_identity import StackIdentity
from tests.builders.results import CONTEXT, USE

PLANES = ("d1", "d2")
KEY = result_key(PLANES, CONTEXT)
BEFORE = Predecessor(kind="semantic", study_uid="1", series_uid="1.1", sop_instance_uid="1.1.1")


@pytest.mark.parametrize(
    "changes",
    [
        {"semantic_model": replace(CONTEXT.semantic_model, digest="c3" * 32)},
        {"instance_model": replace(CONTEXT.instance_model, digest="c3" * 32)},
        {"parameters": (("corpus_size_cleaning_mm3", "101"),)},
        {"parameters": ()},
        {"numeric_profile": "cpu-bf16"},
        {"intended_use": USE},
        {"software_version": "9.9.9"},
        {"predecessors": (BEFORE,)},
    ],
)
def test_what_changes_the_result_changes_the_key(changes: dict[str, object]):
    assert result_key(PLANES, replace(CONTEXT, **changes)) != KEY


@pytest.mark.parametrize("planes", [("d1",), ("d2", "d1"), ("d1", "d3"), ("d1d2",)])
def test_other_planes_or_another_order_change_the_key(planes: tuple[str, ...]):
    assert result_key(planes, CONTEXT) != KEY


def test_a_raised_result_version_changes_the_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provenance, "RESULT_VERSION", provenance.RESULT_VERSION + "1")
    assert result_key(PLANES, CONTEXT) != KEY


@pytest.mark.parametrize(
    "changes",
    [
        {"clock": datetime(2031, 1, 1, tzinfo=UTC)},
        {"device_serial_number": "other machine"},
        {"semantic_model": replace(CONTEXT.semantic_model, name="other name, same bytes")},
    ],
)
def test_a_later_run_elsewhere_is_the_same_result(changes: dict[str, object]):
    assert result_key(PLANES, replace(CONTEXT, **changes)) == KEY


def test_the_order_of_parameters_does_not_matter():
    one = replace(CONTEXT, parameters=(("a", "1"), ("b", "2")))
    other = replace(CONTEXT, parameters=(("b", "2"), ("a", "1")))
    assert result_key(PLANES, one) == result_key(PLANES, other)


def test_a_job_and_its_result_never_have_the_same_key():
    assert CONTEXT.identity.key("a job", "x") != CONTEXT.identity.key("its result", "x")
    assert CONTEXT.identity.key("ab", "c") != CONTEXT.identity.key("a", "bc")


def test_the_order_of_predecessors_does_not_matter_but_their_objects_do():
    other = replace(BEFORE, kind="instances", sop_instance_uid="1.1.2")
    both, turned = (
        result_key(PLANES, replace(CONTEXT, predecessors=order))
        for order in ((BEFORE, other), (other, BEFORE))
    )
    assert both == turned != result_key(PLANES, replace(CONTEXT, predecessors=(BEFORE,)))


def earlier(uid: str, **stack: object) -> Predecessor:
    place = {"study_uid": "1", "series_uid": "1.1", "sop_instance_uid": uid}
    return Predecessor(kind="semantic", stack=StackIdentity(**stack), **place)


AXES = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
UPPER = {"axes": AXES, "centre_mm": (0.0, 10.0, 400.0)}
LOWER = {"axes": AXES, "centre_mm": (0.0, 10.0, 100.0)}


def replaced(stack: StackIdentity, *known: Predecessor) -> list[str]:
    context = replace(CONTEXT, predecessors=known).of_stack(stack)
    return [one.sop_instance_uid for one in context.predecessors]


def test_a_stack_replaces_the_latest_result_at_its_place_whatever_its_rank_was():
    known = (
        earlier("latest upper", number=1, of=2, **UPPER),
        earlier("older lower", number=1, of=1, **LOWER),
        earlier("older upper", number=1, of=2, **UPPER),
    )

    assert replaced(StackIdentity(number=1, of=2, **UPPER), *known) == ["latest upper"]
    assert replaced(StackIdentity(number=2, of=2, **LOWER), *known) == ["older lower"]


def test_an_only_stack_replaces_the_only_one_before_it_wherever_that_lay():
    assert replaced(StackIdentity(**UPPER), earlier("corrected", **LOWER)) == ["corrected"]
    assert replaced(StackIdentity(**UPPER), earlier("of an older version")) == [
        "of an older version"
    ]


def test_a_result_at_an_unknown_place_is_replaced_by_none_of_two_stacks():
    assert replaced(StackIdentity(number=1, of=2, **UPPER), earlier("unknown")) == []


def test_a_stack_of_several_has_another_key_than_the_same_slices_alone():
    alone = result_key(PLANES, CONTEXT.of_stack(StackIdentity(**UPPER)))

    assert alone == KEY
    assert result_key(PLANES, CONTEXT.of_stack(StackIdentity(number=1, of=2, **UPPER))) != KEY
