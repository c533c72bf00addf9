"""A state in the journal changes by `app.node.journal.moves` and in no other way."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOVES = "app/node/journal/moves.py"
BY_THE_TABLE = {("app/node/journal/arrival_statements.py", "SERIES")}
"""One prepared statement for every object that arrives; test_moves.py holds it to the table."""

_BY_HAND = re.compile(r"\bUPDATE\s+(series|job|delivery)\b")


def state_updates(source: str) -> list[str]:
    """Tables of which a piece of code sets the state, except the objects' own."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        if call.func.attr == "values" and sets_state(call):
            found += [table for table in updated(call.func.value) if table != "INSTANCE"]
    return found + _BY_HAND.findall(source)


def sets_state(call: ast.Call) -> bool:
    keys = {keyword.arg for keyword in call.keywords}
    for part in [*call.args, *(k.value for k in call.keywords if k.arg is None)]:
        for inner in ast.walk(part):
            if isinstance(inner, ast.Dict):
                keys |= {key.value for key in inner.keys if isinstance(key, ast.Constant)}
    return "state" in keys


def updated(chain: ast.expr) -> list[str]:
    """Table that a chain of calls begins to update; "?" where it does not say and is no insert."""
    for part in ast.walk(chain):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
            match part.func.attr:
                case "update":
                    return [ast.unparse(part.args[0] if part.args else part.func.value)]
                case "insert":
                    return []
    return ["?"]


def test_every_update_of_a_state_goes_through_move() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), table)
        for path in (ROOT / "app").rglob("*.py")
        for table in state_updates(path.read_text(encoding="utf-8"))
    }
    assert found == {(MOVES, "table"), *BY_THE_TABLE}


@pytest.mark.parametrize(
    "line",
    [
        'c.execute(sa.update(JOB).where(JOB.c.job_id == "1").values(state="dead"))',
        'c.execute(JOB.update().values({"attempts": 1} | {"state": "dead"}))',
        'c.execute(sa.update(JOB).values(**{"state": "dead"}))',
        'c.execute(query.values(state="dead"))',
        "c.execute(sa.text(\"UPDATE job SET state = 'dead'\"))",
    ],
)
def test_this_test_bites(line: str) -> None:
    assert state_updates(line) in (["JOB"], ["job"], ["?"])
