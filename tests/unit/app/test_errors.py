"""Every error has an exit code, and the codes are those of the contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.errors import EXIT_CODES, ConfigurationError, ExitCode, OutputUnwritableError, exit_code_of
from operators import errors


def every_error() -> list[type[errors.SpineError]]:
    found, queue = [], [errors.SpineError]
    while queue:
        cls = queue.pop()
        found.append(cls)
        queue.extend(cls.__subclasses__())
    return found


@pytest.mark.parametrize("cls", every_error(), ids=lambda cls: cls.__name__)
def test_every_error_has_an_exit_code_other_than_0(cls: type[errors.SpineError]) -> None:
    assert exit_code_of(cls()) != ExitCode.OK


@pytest.mark.parametrize("cls", every_error(), ids=lambda cls: cls.__name__)
def test_default_message_is_the_first_docstring_line(cls: type[errors.SpineError]) -> None:
    assert cls().message == (cls.__doc__ or "").strip().splitlines()[0]


def test_stable_codes_are_unique_over_all_source_files_whatever_is_imported() -> None:
    root = Path(__file__).resolve().parents[3]
    files = [path for package in ("app", "operators") for path in (root / package).rglob("*.py")]
    codes = [
        code
        for path in files
        for code in re.findall(r'^    code = "(SPN-\d{4})"', path.read_text("utf-8"), re.MULTILINE)
    ]
    assert len(codes) > 20
    assert {code: codes.count(code) for code in codes if codes.count(code) > 1} == {}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError, 2),
        (errors.UnreadableInputError, 10),
        (errors.SeriesUnsuitableError, 11),
        (errors.GeometryError, 12),
        (errors.PixelDataError, 12),
        (errors.SourceIdentityError, 12),
        (errors.NoSpineFoundError, 13),
        (errors.ModelUnusableError, 20),
        (errors.CorpusNotSeparableError, 30),
        (OutputUnwritableError, 40),
        (errors.InterruptedRunError, 75),
    ],
)
def test_exit_codes_are_those_of_the_design(error: type[errors.SpineError], code: int) -> None:
    assert exit_code_of(error()) == code


def test_a_foreign_error_answers_70() -> None:
    assert exit_code_of(KeyError("x")) == 70


def test_the_table_holds_only_spine_errors() -> None:
    assert all(issubclass(cls, errors.SpineError) for cls in EXIT_CODES)
