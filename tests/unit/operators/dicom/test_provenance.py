from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from operators.dicom import provenance
from operators.dicom.provenance import Predecessor, result_key
from tests.builders.results import CONTEXT

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
        {"is_research_only": False},
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
