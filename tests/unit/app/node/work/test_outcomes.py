"""Outcomes are plain data: the engine keeps them, and a later process reads them."""

from __future__ import annotations

import json

import pytest

from app.errors import InferenceLostError, SpoolError
from app.node.work.outcomes import CANCELLED, OVER, Failed, Outcome, disk_failed, done, failed


@pytest.mark.parametrize(
    "outcome",
    [
        done({"exit_code": 0}),
        failed(InferenceLostError()),
        disk_failed(OSError(28, "No space left on device")),
        CANCELLED,
        OVER,
    ],
)
def test_an_outcome_is_read_as_it_was_kept(outcome: Outcome):
    assert json.loads(json.dumps(outcome)) == outcome


@pytest.mark.parametrize(
    ("outcome", "counts", "is_final"),
    [
        (failed(InferenceLostError()), True, False),
        (failed(InferenceLostError(), counts=False), False, False),
        (failed(SpoolError(reasons=("images_deleted",))), True, True),
        (disk_failed(OSError(28, "No space left on device")), False, False),
    ],
)
def test_a_failure_says_whether_it_counts_and_whether_another_attempt_is_of_use(
    outcome: Failed, *, counts: bool, is_final: bool
):
    assert (outcome["counts"], outcome.get("is_final", False)) == (counts, is_final)


def test_a_failure_names_its_reasons_rather_than_its_message():
    assert failed(SpoolError("gone", reasons=("a", "b")))["message"] == "a, b"
    assert failed(SpoolError("gone"))["message"] == "gone"
