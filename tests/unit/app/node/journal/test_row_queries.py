"""A row is made of the columns it knows; JSON and flags become what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from app.node.journal.row_queries import row_of


@dataclass(frozen=True, slots=True)
class Some:
    name: str
    record: dict[str, Any]
    is_forced: bool


def test_columns_that_a_row_does_not_know_are_left_out():
    values = {"name": "a", "record": '{"exit_code": 0}', "is_forced": 1, "path": "x"}
    assert row_of(Some, values) == Some("a", {"exit_code": 0}, True)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"text"'])
def test_json_that_is_no_object_shows_as_nothing(text: str):
    assert row_of(Some, {"name": "a", "record": text, "is_forced": 0}) == Some("a", {}, False)
