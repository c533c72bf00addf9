"""One step over all cases: a failed one goes through untouched, an interruption ends all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from operators.case import Case, advance
from operators.errors import GeometryError, InterruptedRunError


def test_a_failure_is_the_cases_own_and_later_steps_leave_it_alone():
    told = []

    def step(case: Case) -> Case:
        if case.key == "b":
            raise GeometryError(reasons=("missing_slice",))
        return replace(case, facts=(*case.facts, "done"))

    cases = (Case(key="a"), Case(key="b"), Case(key="c"))
    once = advance(cases, "assemble_volume", step, lambda *said: told.append(said))
    assert [case.key for case in once] == ["a", "b", "c"]
    assert [case.facts for case in once] == [("done",), (), ("done",)]
    assert once[1].failure is not None
    assert once[1].failure.reasons == ("missing_slice",)
    assert told == [
        (key, "assemble_volume", fraction) for key in ("a", "b", "c") for fraction in (0.0, 1.0)
    ]
    told.clear()
    twice = advance(once, "segment_semantic", step, lambda *said: told.append(said))
    assert twice[1] is once[1]
    assert {key for key, *_ in told} == {"a", "c"}
    assert [record.name for record in twice[0].steps] == ["assemble_volume", "segment_semantic"]
    assert [record.name for record in twice[1].steps] == ["assemble_volume"]


def test_an_interruption_ends_the_run_and_is_no_failure_of_a_case():
    def step(_case: Case) -> Case:
        raise InterruptedRunError

    with pytest.raises(InterruptedRunError):
        advance((Case(key="a"),), "s", step, lambda *_: None)


def test_what_is_no_error_of_ours_is_passed_on():
    def step(_case: Case) -> Case:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        advance((Case(key="a"),), "s", step, lambda *_: None)
