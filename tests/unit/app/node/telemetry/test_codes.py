"""One registry of error codes, and the page that is made of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from app.node.telemetry.codes import as_markdown, error_codes

ROOT = Path(__file__).resolve().parents[5]
HOMES = {Path("operators/errors.py"), Path("app/errors.py")}


def codes_in_the_source() -> dict[Path, list[str]]:
    files = [path for package in ("app", "operators") for path in (ROOT / package).rglob("*.py")]
    found = {
        path.relative_to(ROOT): re.findall(r'"(SPN-\d{4})"', path.read_text("utf-8"))
        for path in files
    }
    return {path: codes for path, codes in found.items() if codes}


def test_codes_are_written_down_in_two_modules_and_nowhere_else():
    assert set(codes_in_the_source()) == HOMES


def test_every_code_of_the_source_is_in_the_registry_once():
    written = Counter(code for codes in codes_in_the_source().values() for code in codes)
    assert [code for code, count in written.items() if count > 1] == []
    assert sorted(written) == [entry.code for entry in error_codes()]
    assert len(written) > 20


def test_an_object_that_cannot_be_filed_and_a_lost_workflow_have_codes_of_their_own():
    names = {entry.code: entry.name for entry in error_codes()}
    assert names["SPN-9510"] == "ObjectNotUnderstoodError"
    assert names["SPN-9130"] == "WorkflowLostError"


def test_the_page_is_current():
    page = (ROOT / "docs" / "error-codes.md").read_text("utf-8")
    assert page == as_markdown(), "python -m app.node.telemetry.codes > docs/error-codes.md"


def test_the_command_of_the_page_writes_it():
    done = subprocess.run(
        [sys.executable, "-m", "app.node.telemetry.codes"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == as_markdown()
