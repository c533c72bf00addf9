"""A table of paths as a data set: columns ``path``, ``subject`` and ``session``, CSV or TSV."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DELIMITERS: Final = {".csv": ",;", ".tsv": "\t"}


@dataclass(frozen=True, slots=True)
class PathRow:
    """One row: an image, a DICOM folder or file; subject and session may be empty."""

    path: str
    subject: str
    session: str


def is_table(path: Path) -> bool:
    """Tell a table by its name."""
    return path.is_file() and path.suffix.lower() in _DELIMITERS


def rows_of(table: Path) -> Iterator[PathRow]:
    """Read a table.

    Parameters
    ----------
    table : Path
        ``.csv`` (comma or semicolon) or ``.tsv``; UTF-8. Paths are absolute or relative to its
        folder; other columns are passed over.

    Raises
    ------
    UnreadableInputError
        ``unreadable_table``, ``no_path_column``, ``row_without_path``, ``repeated_path``.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            yield from _rows(file.readline(), file, _DELIMITERS[table.suffix.lower()])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = "the table cannot be read: it should be UTF-8 with a header line"
        raise UnreadableInputError(message, reasons=("unreadable_table",)) from error


def _rows(header: str, lines: Iterator[str], delimiters: str) -> Iterator[PathRow]:
    delimiter = max(delimiters, key=header.count)
    titles = [title.strip().lower() for title in next(csv.reader([header], delimiter=delimiter))]
    if "path" not in titles:
        message = "the table has no column 'path'"
        raise UnreadableInputError(message, reasons=("no_path_column",))
    seen: set[str] = set()
    for row in csv.DictReader(lines, fieldnames=titles, delimiter=delimiter):
        path, subject, session = ((row.get(key) or "").strip() for key in PathRow.__slots__)
        problem = "repeated_path" if path in seen else ("" if path else "row_without_path")
        if problem:
            message = f"row {len(seen) + 1} of the table holds no path, or one that came before"
            raise UnreadableInputError(message, reasons=(problem,))
        seen.add(path)
        yield PathRow(path, subject, session)
